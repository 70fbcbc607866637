//! What both need: a clock, secrets, notices.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{Call, Plumbing, SecretSource};
use quell_model::{ActionId, Clock, IncidentId, Notice, NoticeKind, Secret};

/// Knows no secret but the ones a test gives it, and no reference ends up in an answer.
struct Secrets(String);

impl SecretSource for Secrets {
    fn resolve(&self, _: &SecretRef) -> Result<Secret, String> {
        Ok(Secret::new(self.0.clone()))
    }
}

pub(crate) fn plumbing(clock: &Arc<SimClock>, secret: &str) -> Plumbing {
    Plumbing {
        connection: "soc-mail".parse().unwrap(),
        clock: clock.clone(),
        secrets: Arc::new(Secrets(secret.to_owned())),
    }
}

pub(crate) fn call(clock: &Arc<SimClock>) -> Call {
    Call::new(clock.clone(), Duration::from_secs(120), "notices")
}

pub(crate) fn notice(kind: NoticeKind, title: &str, lines: &[&str]) -> Notice {
    Notice {
        kind,
        incident: Some(incident()),
        action: Some(action(1)),
        at: SimClock::default().now(),
        title: title.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        answer: None,
        console_url: None,
    }
}

/// What an analyst is asked at three in the morning.
pub(crate) fn approval() -> Notice {
    Notice {
        answer: Some("quell approve act_01930000000070008000000000000001".to_owned()),
        console_url: Some(
            "https://falcon.crowdstrike.com/activity-v2/detections/abc?x=1&y=2".to_owned(),
        ),
        ..notice(
            NoticeKind::ApprovalNeeded,
            "Approval needed: contain the server SRV-FILES-01",
            &[
                "Why: CrowdStrike saw ransomware (severity critical, confidence 91) started by invoice.exe from https://evil.example.com/a.",
                "Why a person: SRV-FILES-01 is a critical server; policy `critical-servers-ask`.",
                "If approved, the host loses its network. It can be taken back.",
                "Without an answer by 14:43 UTC it is not done, and the on-call lead is told.",
            ],
        )
    }
}

fn incident() -> IncidentId {
    "inc_01930000000070008000000000000009".parse().unwrap()
}

pub(crate) fn action(number: u32) -> ActionId {
    format!("act_019300000000700080000000{number:08x}")
        .parse()
        .unwrap()
}

/// Texts an attacker might write into an alert.
pub(crate) fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "<!channel> look",
        "<!here|x> <!everyone>",
        "<@U12345> <#C12345> <!subteam^S1>",
        "<https://evil.example.com|Approve here>",
        "[Approve](https://evil.example.com)",
        "https://evil.example.com/login",
        "a\r\nBcc: everyone@example.com\r\n\r\nbody",
        "a\nSubject: other",
        "</p><script>alert(1)</script><img src=x onerror=alert(1)>",
        "\"><a href='https://evil.example.com'>x</a>",
        "```\n*bold* _it_ ~no~ `code` :skull:",
        "\u{0}\u{7}\u{1b}[31m\u{202e}exe.jpg\u{200b}",
        "&amp;&lt;!channel&gt;",
        "javascript:alert(1)",
        ".",
        "..\r\n.\r\nQUIT\r\n",
        "--quell-boundary--",
        "=?utf-8?q?=0D=0ABcc:_x=40example.com?=",
        "   ",
        "",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    for unit in [
        "a",
        "&",
        "<",
        "😀",
        "漢",
        "e\u{301}",
        "\u{202e}",
        "evil.com ",
    ] {
        texts.push(unit.repeat(10_000));
    }
    texts
}
