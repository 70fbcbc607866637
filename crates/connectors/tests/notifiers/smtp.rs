//! Mail against an independent server, read by an independent parser.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::clock::SimClock;
use quell_connector::{Kind, Vendor};
use quell_connectors::smtp::{Config, Smtp};
use quell_model::{Notice, NoticeKind};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::mail_server::{PASSWORD, Post, Server};
use crate::python::Outcome;
use crate::support::{approval, hostile, notice, plumbing};

#[test]
fn the_server_and_the_senders_domain_are_what_mail_goes_through() {
    let post = Post::new(
        json!({ "host": "mail.example.com", "from": "Quell <quell@soc.example.com>", "to": ["b@example.com"] }),
        PASSWORD,
    );
    let lifelines = &post.smtp.lifelines;
    assert_eq!(lifelines.hosts, ["mail.example.com"]);
    assert_eq!(lifelines.senders, ["soc.example.com"]);
    assert_eq!(lifelines.accounts, ["quell@soc.example.com"]);
}

#[tokio::test]
async fn a_notice_about_no_incident_belongs_to_no_conversation() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let ours = Notice {
        incident: None,
        action: None,
        ..notice(
            NoticeKind::Failed,
            "The inventory of falcon is not believed",
            &[],
        )
    };
    server.connect(json!({})).tell("stock/1", &[ours]).await?;
    let [mail] = server.messages().await?.try_into().map_err(|_| "not one")?;
    let threading = ["In-Reply-To", "References"];
    assert!(
        mail.headers
            .iter()
            .all(|(name, _)| !threading.contains(&name.as_str()))
    );
    let text = mail.part("text/plain");
    assert!(
        text.contains("Sent by Quell (connection soc-mail). Replies are not read."),
        "{text}"
    );
    assert!(!text.contains("action"), "{text}");
    Ok(())
}

#[tokio::test]
async fn an_approval_request_says_what_why_and_how_to_answer() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({}));
    post.tell("act_1/approval", &[approval()]).await?;
    let [mail] = server.messages().await?.try_into().map_err(|_| "not one")?;
    assert!(mail.encrypted && mail.authenticated && mail.ascii);
    assert_eq!(mail.defects, [""; 0]);
    assert_eq!(mail.from, "quell@example.com");
    assert_eq!(mail.to, ["ann@example.com", "bob@example.com"]);
    assert_eq!(
        mail.recipients[0],
        ("Ann, SOC".into(), "ann@example.com".into())
    );
    assert_eq!(
        mail.header("Subject"),
        "[Quell] Approval needed: contain the server SRV-FILES-01"
    );
    assert_eq!(mail.header("Message-ID"), "<act_1=2Fapproval@example.com>");
    let incident = "<inc_01930000000070008000000000000009@example.com>";
    assert_eq!(mail.header("References"), incident);
    assert_eq!(mail.header("In-Reply-To"), incident);
    assert_eq!(mail.header("Date"), "Mon, 21 Sep 2026 14:13:20 +0000");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert_eq!(mail.header("X-Auto-Response-Suppress"), "All");
    assert_eq!(mail.header("List-Id"), "Quell <soc-mail.quell.example.com>");
    assert_eq!(mail.header("Importance"), "high");
    let kinds: Vec<&str> = mail.parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    assert_eq!(
        mail.part("text/plain").replace("\r\n", "\n"),
        "\
Approval needed: contain the server SRV-FILES-01

Why: CrowdStrike saw ransomware (severity critical, confidence 91) started by invoice.exe from hxxps://evil[.]example[.]com/a.
Why a person: SRV-FILES-01 is a critical server; policy `critical-servers-ask`.
If approved, the host loses its network. It can be taken back.
Without an answer by 14:43 UTC it is not done, and the on-call lead is told.

To answer, run:

    quell approve act_01930000000070008000000000000001

The alert at falcon.crowdstrike.com:
https://falcon.crowdstrike.com/activity-v2/detections/abc?x=1&y=2

2026-09-21 14:13:20 UTC · action act_01930000000070008000000000000001

-- 
Sent by Quell (connection soc-mail) about incident inc_01930000000070008000000000000009. Replies are not read.
"
    );
    Ok(())
}

#[tokio::test]
async fn nothing_an_attacker_writes_reaches_a_header_or_the_markup() -> Outcome {
    let mut server = Server::start("none", false).await?;
    let clear = json!({ "tls": "none", "username": null, "password": null, "ca_file": null });
    let post = server.connect(clear);
    let texts = hostile();
    for (number, text) in texts.iter().enumerate() {
        let hostile = Notice {
            answer: Some(text.clone()),
            console_url: Some(text.clone()),
            lines: vec![text.clone(), text.clone()],
            ..notice(NoticeKind::Failed, text, &[])
        };
        let key = format!("{number}\r\nBcc: x@example.com");
        post.tell(&key, &[hostile, approval()]).await?;
    }
    let expected = [
        "From",
        "Subject",
        "Date",
        "Message-ID",
        "In-Reply-To",
        "References",
        "To",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "List-Id",
        "Importance",
        "MIME-Version",
        "Content-Type",
    ];
    let messages = server.messages().await?;
    assert_eq!(messages.len(), texts.len());
    for mail in &messages {
        let mut names: Vec<&str> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
        let mut expected = expected.to_vec();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(mail.to, ["ann@example.com", "bob@example.com"]);
        assert_eq!(mail.defects, [""; 0]);
        assert_eq!(mail.parts.len(), 2);
        assert!(
            mail.longest_line <= 998 && mail.ascii,
            "{}",
            mail.longest_line
        );
        assert_eq!(
            mail.markup.tags,
            [
                "a", "body", "code", "h1", "head", "hr", "html", "meta", "p", "pre", "small",
                "style", "title"
            ]
        );
        let attributes = ["charset", "content", "href", "lang", "name"];
        assert_eq!(mail.markup.attributes, attributes);
        for link in &mail.markup.links {
            let ours = [
                "https://falcon.crowdstrike.com/",
                "https://evil.example.com/login",
            ];
            assert!(ours.iter().any(|known| link.starts_with(known)), "{link}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_bad_address_costs_the_others_nothing_and_nobody_gets_it_twice() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let to = json!({ "to": ["ann@example.com", "gone@example.com", "bob@example.com"] });
    let post = server.connect(to);
    let error = post.tell("k", &[approval()]).await.unwrap_err();
    assert_eq!(error.kind, Kind::VendorRejected);
    assert!(
        !error.kind.passes(),
        "a refusal for good is not tried again by itself"
    );
    assert_eq!(
        error.to_string(),
        "smtp.send: 2 of 3 recipients have the message; `gone@example.com` refused (550 5.1.1 no such user here) (vendor code 550 5.1.1)"
    );
    let again = post.tell("k", &[approval()]).await.unwrap_err();
    assert_eq!(again.kind, Kind::VendorRejected);
    let messages = server.messages().await?;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].to, ["ann@example.com", "bob@example.com"]);
    Ok(())
}

#[tokio::test]
async fn a_full_mailbox_is_tried_again_alone() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let to = json!({ "to": ["ann@example.com", "later@example.com", "gone@example.com"] });
    let post = server.connect(to);
    for _ in 0..2 {
        let error = post.tell("k", &[approval()]).await.unwrap_err();
        assert_eq!(error.kind, Kind::VendorUnavailable);
        let shown = error.to_string();
        assert!(
            shown.contains("`later@example.com` not yet taken (452 4.2.2 mailbox full)"),
            "{shown}"
        );
        assert!(shown.contains("`gone@example.com` refused"), "{shown}");
    }
    assert_eq!(server.messages().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_repeat_after_success_is_not_sent() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({}));
    post.tell("k", &[approval()]).await?;
    post.tell("k", &[approval()]).await?;
    post.tell("other", &[approval()]).await?;
    assert_eq!(server.messages().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_mail_whose_fate_is_unknown_is_sent_again_under_the_same_id() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({}));
    let order = json!({ "op": "drop_after_data", "times": 1 });
    assert!(server.order::<bool>(order).await?);
    let error = post.tell("k", &[approval()]).await.unwrap_err();
    assert_eq!(error.kind, Kind::MaybeApplied, "{error}");
    assert!(error.kind.passes());
    post.tell("k", &[approval()]).await?;
    let messages = server.messages().await?;
    assert_eq!(messages.len(), 2);
    assert_eq!(
        messages[0].header("Message-ID"),
        messages[1].header("Message-ID")
    );
    assert_eq!(messages[0].parts, messages[1].parts);
    Ok(())
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_when_it_died() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({}));
    post.tell("1", &[approval()]).await?;
    post.tell("2", &[approval()]).await?;
    assert!(server.order::<bool>(json!({ "op": "close_all" })).await?);
    post.tell("3", &[approval()]).await?;
    post.clock.advance(Duration::from_secs(3600));
    post.tell("4", &[approval()]).await?;
    let peers: Vec<u16> = server
        .messages()
        .await?
        .iter()
        .map(|mail| mail.peer)
        .collect();
    assert_eq!(
        peers[0], peers[1],
        "the second message used the first one's connection"
    );
    assert_ne!(peers[1], peers[2], "a dead connection was replaced");
    assert_ne!(peers[2], peers[3], "an old connection was not trusted");
    Ok(())
}

#[tokio::test]
async fn the_servers_no_is_of_a_kind() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    for (command, reply, kind, words) in [
        (
            "MAIL",
            "451 4.3.0 try later",
            Kind::VendorUnavailable,
            "4.3.0 try later",
        ),
        (
            "MAIL",
            "421 4.3.2 shutting down",
            Kind::VendorUnavailable,
            "shutting down",
        ),
        ("MAIL", "550 5.7.1 not yours", Kind::ConfigInvalid, "`from`"),
        (
            "DATA",
            "451 4.3.0 try later",
            Kind::VendorUnavailable,
            "0 of 2 recipients",
        ),
        (
            "DATA",
            "552 5.3.4 too big",
            Kind::VendorRejected,
            "`ann@example.com` refused",
        ),
    ] {
        let post = server.connect(json!({}));
        server.reply_once(command, reply).await?;
        let error = post.tell("k", &[approval()]).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        // The same connection, or a new one, takes the next message.
        post.tell("k", &[approval()]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = Post::new(server.config(json!({})), "hunter2");
    let error = post.tell("k", &[approval()]).await.unwrap_err();
    assert_eq!(error.kind, Kind::AuthRejected, "{error}");
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(
            !shown.contains("hunter2") && !shown.contains("aHVudGVyMg"),
            "{shown}"
        );
    }
    let anonymous = server.connect(json!({ "username": null, "password": null }));
    let error = anonymous.tell("k", &[approval()]).await.unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid, "{error}");
    assert!(
        error.to_string().contains("set username and password"),
        "{error}"
    );
    assert!(server.messages().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_does_not_encrypt_or_is_not_trusted() -> Outcome {
    let mut clear = Server::start("none", true).await?;
    let error = clear
        .connect(json!({}))
        .tell("k", &[approval()])
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid);
    assert!(error.to_string().contains("no STARTTLS"), "{error}");
    assert!(clear.messages().await?.is_empty());
    for tls in ["starttls", "implicit"] {
        let mut server = Server::start(tls, true).await?;
        for wrong in [
            json!({ "tls": tls, "ca_file": server.other_ca_file }),
            json!({ "tls": tls, "host": "127.0.0.1" }),
        ] {
            let error = server
                .connect(wrong)
                .tell("k", &[approval()])
                .await
                .unwrap_err();
            assert_eq!(error.kind, Kind::ConfigInvalid, "{tls}: {error:?}");
            assert!(error.to_string().contains("`ca_file`"), "{error}");
        }
        assert!(server.messages().await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn implicit_tls_delivers_too() -> Outcome {
    let mut server = Server::start("implicit", true).await?;
    let post = server.connect(json!({ "tls": "implicit" }));
    post.tell("k", &[approval()]).await?;
    let [mail] = server.messages().await?.try_into().map_err(|_| "not one")?;
    assert!(mail.encrypted && mail.authenticated);
    Ok(())
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_no_more_than_the_deadline() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({ "timeout": "30s" }));
    assert!(
        server
            .order::<bool>(json!({ "op": "stall", "times": 1 }))
            .await?
    );
    let notices = [approval()];
    let told = post.tell("k", &notices);
    let passes = async {
        let line = server.answers.next_line().await.unwrap().unwrap();
        assert!(line.contains("stalled"));
        post.clock.advance(Duration::from_secs(30));
    };
    let (told, ()) = tokio::join!(told, passes);
    let error = told.unwrap_err();
    assert_eq!(error.kind, Kind::MaybeApplied, "{error}");

    // A listener that never greets.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = silent.local_addr()?.port();
    let post = server.connect(json!({ "port": port, "timeout": "30s" }));
    let told = post.tell("k", &notices);
    let passes = async {
        let accepted = silent.accept().await.unwrap();
        post.clock.advance(Duration::from_secs(30));
        accepted
    };
    let (told, _accepted) = tokio::join!(told, passes);
    let error = told.unwrap_err();
    assert_eq!(error.kind, Kind::VendorUnavailable, "{error}");
    assert_eq!(error.operation, "smtp.connect");
    Ok(())
}

#[tokio::test]
async fn answers_out_of_step_are_not_taken_for_a_delivery() -> Outcome {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let table = json!({
        "host": "127.0.0.1", "port": listener.local_addr()?.port(), "tls": "none",
        "from": "quell@example.com", "to": ["ann@example.com"],
    });
    let post = Post::new(table, PASSWORD);
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 here\r\n").await.unwrap();
        // The answer to EHLO comes twice, so every later one is read a command too early.
        let mut said = vec!["250 yes\r\n250 yes\r\n", "250 ok\r\n", "250 ok\r\n"].into_iter();
        while let Ok(Some(line)) = lines.next_line().await {
            assert!(
                line.starts_with("DATA") || said.len() > 0,
                "the message was sent: {line}"
            );
            let reply = said.next().unwrap_or("354 go\r\n");
            writer.write_all(reply.as_bytes()).await.unwrap();
        }
    };
    let notices = [approval()];
    let (told, ()) = tokio::join!(post.tell("k", &notices), serve);
    assert_eq!(told.unwrap_err().kind, Kind::ReplyUnreadable);
    Ok(())
}

#[tokio::test]
async fn no_approval_is_lost_among_other_notices() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({}));
    let mut notices = vec![notice(NoticeKind::Completed, "contain a host", &["It is."]); 80];
    notices.push(approval());
    post.tell("k", &notices).await?;
    let [mail] = server.messages().await?.try_into().map_err(|_| "not one")?;
    for kind in ["text/plain", "text/html"] {
        let part = mail.part(kind);
        assert!(part.contains("quell approve act_0193"), "{part}");
        assert!(
            part.contains("and 31 more, which the incident shows."),
            "{part}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_probe_sends_nothing_and_names_the_step_that_failed() -> Outcome {
    let expected = |connection, encryption, sign_in| {
        vec![
            ("connection".to_owned(), connection),
            ("encryption".to_owned(), encryption),
            ("sign-in".to_owned(), sign_in),
            ("addresses".to_owned(), None),
        ]
    };
    let (yes, no) = (Some(true), Some(false));
    let mut server = Server::start("starttls", true).await?;
    let good = server.connect(json!({}));
    assert_eq!(good.verdicts().await, expected(yes, yes, yes));
    let password = Post::new(server.config(json!({})), "wrong");
    assert_eq!(password.verdicts().await, expected(yes, yes, no));
    let untrusted = server.connect(json!({ "ca_file": server.other_ca_file }));
    assert_eq!(untrusted.verdicts().await, expected(yes, no, None));
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = nobody.local_addr()?.port();
    drop(nobody);
    let closed = server.connect(json!({ "port": port }));
    assert_eq!(closed.verdicts().await, expected(no, None, None));
    assert!(server.messages().await?.is_empty());
    Ok(())
}

#[test]
fn a_password_without_a_user_is_refused_and_neither_is_shown() {
    let clock = Arc::new(SimClock::default());
    let table = json!({
        "host": "localhost", "tls": "none", "from": "a@example.com", "to": ["b@example.com"],
        "password": "env:SMTP_PASSWORD",
    });
    let config: Config = serde_json::from_value(table).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("SMTP_PASSWORD"), "{shown}");
    let error = Smtp::build(config, plumbing(&clock, PASSWORD))
        .err()
        .unwrap();
    assert_eq!(error.key, "username");
}
