//! Slack against its twin.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use quell_connector::clock::SimClock;
use quell_connector::{Connected, Error, Kind, Notify, Vendor};
use quell_connectors::slack::{Config, Slack};
use quell_model::{Clock, Notice, NoticeKind};
use quell_twins::slack::{self as twin, App, Channel, Endpoint, TOKEN};
use quell_twins::{Fault, FaultRule};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::python::{Outcome, python, said};
use crate::support::{action, approval, call, hostile, notice, plumbing};

struct Room {
    twin: twin::Slack,
    clock: Arc<SimClock>,
    slack: Connected,
}

impl Room {
    async fn new() -> Self {
        Self::with("#soc-alerts", TOKEN).await
    }

    async fn with(channel: &str, token: &str) -> Self {
        let twin = twin::Slack::start(twin::Config::manual()).await.unwrap();
        let clock = Arc::new(SimClock::default());
        let config = config(channel, Some(&twin.base_url()));
        let slack = Slack::build(config, plumbing(&clock, token)).unwrap();
        let slack = Connected::new("soc-slack".parse().unwrap(), &Arc::new(slack));
        Self { twin, clock, slack }
    }

    fn notifier(&self) -> &dyn Notify {
        self.slack.abilities.notify.as_deref().unwrap()
    }

    async fn tell(&self, notices: &[Notice]) -> Result<(), Error> {
        self.notifier()
            .notify(&call(&self.clock), "key", notices)
            .await
    }
}

fn config(channel: &str, base_url: Option<&str>) -> Config {
    let table = json!({ "token": "env:SLACK_TOKEN", "channel": channel, "base_url": base_url });
    serde_json::from_value(table).unwrap()
}

#[tokio::test]
async fn an_approval_request_says_what_why_and_how_to_answer() {
    let room = Room::new().await;
    room.tell(&[approval()]).await.unwrap();
    let [message] = room.twin.messages().try_into().unwrap();
    assert_eq!(message.channel, "C0SOCALERTS");
    assert_eq!(
        message.text,
        "Approval needed: contain the server SRV-FILES-01"
    );
    assert_eq!(
        message.shown(),
        "\
# ✋ Approval needed: contain the server SRV-FILES-01
Why: CrowdStrike saw ransomware (severity critical, confidence 91) started by invoice.exe from hxxps://evil[.]example[.]com/a.
Why a person: SRV-FILES-01 is a critical server; policy `critical-servers-ask`.
If approved, the host loses its network. It can be taken back.
Without an answer by 14:43 UTC it is not done, and the on-call lead is told.
*To answer, run:*
```quell approve act_01930000000070008000000000000001```
(<https://falcon.crowdstrike.com/activity-v2/detections/abc?x=1&y=2|Open the alert at falcon.crowdstrike.com> · 2026-09-21 14:13:20 UTC · incident inc_01930000000070008000000000000009)"
    );
    assert!(!message.unfurl_links && !message.unfurl_media);
    assert!(message.controls().is_empty());
}

#[tokio::test]
async fn a_notice_about_no_incident_says_that_it_is_about_quell() {
    let room = Room::new().await;
    let ours = |title: &str| Notice {
        incident: None,
        action: None,
        ..notice(NoticeKind::Failed, title, &["The list stays as it was."])
    };
    room.tell(&[ours("The inventory of falcon is not believed")])
        .await
        .unwrap();
    room.tell(&[ours("One"), ours("Another")]).await.unwrap();
    let [one, several] = room.twin.messages().try_into().unwrap();
    for message in [one, several] {
        let shown = message.shown();
        assert!(shown.contains("about Quell itself)"), "{shown}");
        assert!(!shown.contains("incident"), "{shown}");
    }
}

#[tokio::test]
async fn slack_itself_is_what_slack_notices_go_through() {
    let clock = Arc::new(SimClock::default());
    let lifelines = |base_url| {
        let slack = Slack::build(config("#soc", base_url), plumbing(&clock, TOKEN)).unwrap();
        slack.lifelines().hosts
    };
    assert_eq!(lifelines(None), ["slack.com"]);
    assert_eq!(lifelines(Some("https://slack-gov.com")), ["slack-gov.com"]);
}

#[tokio::test]
async fn a_digest_leads_with_what_is_most_urgent_and_keeps_the_order() {
    let room = Room::new().await;
    let done = notice(
        NoticeKind::Completed,
        "Done: kill invoice.exe on WS-042",
        &["It is gone."],
    );
    let notices = [
        done,
        approval(),
        notice(NoticeKind::Decided, "Decided: ban the file's hash", &[]),
    ];
    room.tell(&notices).await.unwrap();
    let [message] = room.twin.messages().try_into().unwrap();
    let shown = message.shown();
    let lead = "# ✋ Approval needed: contain the server SRV-FILES-01 (and 2 more)\n";
    assert!(shown.starts_with(lead), "{shown}");
    let place = |text: &str| shown.find(text).unwrap();
    assert!(place("✅ Done: kill") < place("\n✋ Approval needed"));
    assert!(place("\n✋ Approval needed") < place("🧭 Decided"));
    assert_eq!(
        message.text,
        "Approval needed: contain the server SRV-FILES-01 (and 2 more)"
    );
}

#[tokio::test]
async fn nothing_an_attacker_writes_calls_anybody_or_leads_anywhere() -> Outcome {
    let room = Room::new().await;
    let texts = hostile();
    for text in &texts {
        let hostile = Notice {
            answer: Some(text.clone()),
            console_url: Some(text.clone()),
            lines: vec![text.clone(), text.clone()],
            ..notice(NoticeKind::ApprovalNeeded, text, &[])
        };
        room.tell(std::slice::from_ref(&hostile)).await?;
        room.tell(&[hostile.clone(), hostile]).await?;
    }
    for url in [
        "https://a.example.com/<!channel>|x>",
        "https://a:b@c.example.com",
    ] {
        let console_url = Some(url.to_owned());
        let hostile = Notice {
            console_url,
            ..approval()
        };
        room.tell(&[hostile]).await?;
    }
    let messages = room.twin.messages();
    assert_eq!(messages.len(), texts.len() * 2 + 2);
    for message in &messages {
        assert_eq!(message.references(), [""; 0], "{}", message.shown());
        for link in message.links() {
            let console = ["https://evil.example.com/login", "https://a.example.com/"];
            assert!(
                console.iter().any(|known| link.starts_with(known)),
                "{link}"
            );
        }
        assert!(message.controls().is_empty());
        for text in message.blocks.iter().filter_map(|block| block.get("text")) {
            if text["type"] == "mrkdwn" {
                let command = text["text"].as_str().unwrap_or_default();
                assert_eq!(command.matches('`').count(), 6, "only ours: {command}");
            }
        }
        let json = serde_json::to_string(&message.blocks)?;
        assert!(!json.chars().any(|c| c.is_control() || c == '\u{202e}'));
    }
    judged_by_the_sdk(&messages).await
}

#[tokio::test]
async fn any_number_of_notices_of_any_size_fits_slacks_limits() -> Outcome {
    let room = Room::new().await;
    let long = ["x".repeat(10_000), "&".repeat(10_000), "😀".repeat(10_000)];
    for count in [1, 2, 7, 8, 9, 30, 60, 500] {
        for text in &long {
            let each = |number: u32| Notice {
                action: Some(action(number)),
                answer: Some(text.clone()),
                console_url: Some(format!("https://console.example.com/{text}")),
                lines: vec![text.clone(); 40],
                ..notice(NoticeKind::Failed, text, &[])
            };
            let notices: Vec<Notice> = (0..count).map(each).collect();
            room.tell(&notices).await?;
        }
        let plain: Vec<Notice> = (0..count).map(|_| approval()).collect();
        room.tell(&plain).await?;
    }
    judged_by_the_sdk(&room.twin.messages()).await
}

#[tokio::test]
async fn no_approval_is_lost_among_other_notices() {
    let room = Room::new().await;
    let mut notices: Vec<Notice> = (0..100)
        .map(|_| {
            notice(
                NoticeKind::Completed,
                "contain a host",
                &["It is contained."; 5],
            )
        })
        .collect();
    for number in 0..6 {
        notices.push(Notice {
            action: Some(action(number)),
            answer: Some(format!("quell approve {}", action(number))),
            ..approval()
        });
    }
    room.tell(&notices).await.unwrap();
    let shown = room.twin.messages()[0].shown();
    for number in 0..6 {
        let command = format!("```quell approve {}```", action(number));
        assert!(shown.contains(&command), "{command}\n{shown}");
    }
    assert!(shown.contains("more, which the incident shows."), "{shown}");
}

#[tokio::test]
async fn nothing_to_tell_is_not_told() {
    let room = Room::new().await;
    room.tell(&[]).await.unwrap();
    assert_eq!(room.twin.count(Endpoint::PostMessage), 0);
}

#[tokio::test]
async fn every_refusal_is_of_a_kind_and_tells_nothing_secret() {
    for (channel, token, kind, words) in [
        ("nowhere", TOKEN, Kind::ConfigInvalid, "no such channel"),
        ("secret", TOKEN, Kind::ConfigInvalid, "no such channel"),
        ("#general", TOKEN, Kind::ConfigInvalid, "`/invite`"),
        ("old-alerts", TOKEN, Kind::ConfigInvalid, "archived"),
        (
            "#soc-alerts",
            "xoxb-wrong-one",
            Kind::AuthRejected,
            "bot token",
        ),
        (
            "#soc-alerts",
            "xoxb-no-scope",
            Kind::PermissionMissing,
            "`chat:write`",
        ),
    ] {
        let room = Room::with(channel, token).await;
        room.twin
            .put_app(App::new("xoxb-no-scope", &["users:read"]));
        let error = room.tell(&[approval()]).await.unwrap_err();
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        assert_eq!(error.kind, kind, "{channel}: {shown}");
        assert!(shown.contains(words), "{shown}");
        assert!(error.request_id.is_some(), "{shown}");
        for secret in [token, "SRV-FILES-01"] {
            assert!(
                !shown.contains(secret) && !debug.contains(secret),
                "{debug}"
            );
        }
        assert!(room.twin.messages().is_empty());
    }
}

#[tokio::test]
async fn the_wait_slack_asks_for_is_waited_on_the_clock() {
    let room = Room::new().await;
    let start = room.clock.now();
    let fault = Fault::Throttled {
        retry_after_seconds: Some(7),
    };
    room.twin.fail_next(Endpoint::PostMessage, fault);
    room.tell(&[approval()]).await.unwrap();
    let waited = Duration::try_from(room.clock.now().duration_since(start)).unwrap();
    assert_eq!(waited, Duration::from_secs(7));
    assert_eq!(room.twin.messages().len(), 1);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_given_back_to_the_caller() {
    let room = Room::new().await;
    let fault = Fault::Throttled {
        retry_after_seconds: Some(50),
    };
    room.twin.fail_next(Endpoint::PostMessage, fault);
    let error = room.tell(&[approval()]).await.unwrap_err();
    assert_eq!(error.kind, Kind::RateLimited);
    assert_eq!(error.retry_after, Some(Duration::from_secs(50)));
}

#[tokio::test]
async fn messages_leave_no_faster_than_a_channel_takes_them() {
    let room = Room::new().await;
    let start = room.clock.now();
    for _ in 0..9 {
        room.tell(&[approval()]).await.unwrap();
    }
    let passed = Duration::try_from(room.clock.now().duration_since(start)).unwrap();
    let seconds = passed.as_secs_f64();
    assert!(
        (6.0..7.0).contains(&seconds),
        "three at once, then one a second: {seconds}"
    );
    assert_eq!(room.twin.messages().len(), 9);
}

#[tokio::test]
async fn a_message_whose_fate_is_unknown_is_posted_again_rather_than_lost() {
    for (fault, copies) in [
        (Fault::DropAfterApply, 2),
        (Fault::StatusAfterApply { status: 503 }, 2),
        (Fault::ResetBeforeApply, 1),
        (Fault::StatusBeforeApply { status: 500 }, 1),
    ] {
        let room = Room::new().await;
        room.twin.fail_next(Endpoint::PostMessage, fault.clone());
        room.tell(&[approval()]).await.unwrap();
        assert_eq!(room.twin.messages().len(), copies, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failure_named_inside_a_success_is_a_failure() {
    for (code, kind) in [
        ("fatal_error", Kind::MaybeApplied),
        ("request_timeout", Kind::VendorUnavailable),
        ("ratelimited", Kind::RateLimited),
        (
            "restricted_action_read_only_channel",
            Kind::PermissionMissing,
        ),
        ("invalid_blocks", Kind::VendorRejected),
    ] {
        let room = Room::new().await;
        let message = code.to_owned();
        let fault = Fault::ErrorInBody { code: 0, message };
        room.twin
            .inject(FaultRule::next(Endpoint::PostMessage, fault).times(9));
        let error = room.tell(&[approval()]).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(error.vendor_code.as_deref(), Some(code));
    }
}

#[tokio::test]
async fn a_reply_that_is_no_reply_is_said_to_be_unreadable() {
    for fault in [
        Fault::WrongContentType,
        Fault::GarbageBody,
        Fault::TruncatedBody,
    ] {
        let room = Room::new().await;
        room.twin.fail_next(Endpoint::PostMessage, fault);
        let error = room.tell(&[approval()]).await.unwrap_err();
        assert_eq!(error.kind, Kind::ReplyUnreadable, "{error}");
    }
}

#[tokio::test]
async fn a_probe_posts_nothing_and_says_what_is_missing() {
    let verdicts = async |room: &Room| -> Vec<(String, Option<bool>)> {
        let checks = room.slack.probe(&call(&room.clock)).await;
        checks
            .into_iter()
            .map(|check| (check.name, check.ok))
            .collect()
    };
    let expected = |token, scope| {
        vec![
            ("token".to_owned(), token),
            ("chat:write".to_owned(), scope),
            ("channel".to_owned(), None),
        ]
    };
    let room = Room::new().await;
    assert_eq!(verdicts(&room).await, expected(Some(true), Some(true)));
    let room = Room::with("#soc-alerts", "xoxb-reader").await;
    room.twin.put_app(App::new("xoxb-reader", &["users:read"]));
    assert_eq!(verdicts(&room).await, expected(Some(true), Some(false)));
    let room = Room::with("#soc-alerts", "xoxb-unknown").await;
    assert_eq!(verdicts(&room).await, expected(Some(false), None));
    let room = Room::new().await;
    let down = Fault::StatusBeforeApply { status: 503 };
    room.twin
        .inject(FaultRule::next(Endpoint::AuthTest, down).times(9));
    assert_eq!(verdicts(&room).await, expected(None, None));
    assert_eq!(room.twin.count(Endpoint::PostMessage), 0);
}

#[tokio::test]
async fn a_channel_is_found_by_its_id_too() {
    let room = Room::with("C0NEW", TOKEN).await;
    room.twin.put_channel(Channel::joined("C0NEW", "new"));
    room.tell(&[approval()]).await.unwrap();
    assert_eq!(room.twin.messages()[0].channel, "C0NEW");
}

#[test]
fn a_token_that_is_none_is_refused_without_being_repeated() {
    let clock = Arc::new(SimClock::default());
    for token in [
        "xapp-1-secret",
        "https://hooks.slack.com/services/T/B/secret",
        "",
    ] {
        let built = Slack::build(config("c", None), plumbing(&clock, token));
        let error = built.err().unwrap();
        assert_eq!(error.key, "token");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let shown = format!("{:?}", config("c", None));
    assert!(!shown.contains("SLACK_TOKEN"), "{shown}");
}

async fn judged_by_the_sdk(messages: &[twin::Message]) -> Outcome {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/slack/blocks.py");
    let mut judge = Command::new(python().await?)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = judge.stdin.take().ok_or("no pipe")?;
    input.write_all(&serde_json::to_vec(messages)?).await?;
    drop(input);
    let verdict = judge.wait_with_output().await?;
    assert!(verdict.status.success(), "{}", said(&verdict));
    Ok(())
}
