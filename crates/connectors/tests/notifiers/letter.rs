//! Letters to single persons, as an independent mail server takes them.

use quell_connector::{Kind, Letter, Tell};
use serde_json::json;

use crate::mail_server::Server;
use crate::python::Outcome;
use crate::support::call;

fn letter() -> Letter {
    Letter {
        subject: "Was this you?\r\nBcc: all@example.com".to_owned(),
        lines: vec![
            "Somebody signed in from <b>203.0.113.7</b> & elsewhere.".to_owned(),
            "Opening the link answers nothing.".to_owned(),
        ],
        link: "https://quell.example.com/was-it-you/0123456789abcdef".to_owned(),
    }
}

#[tokio::test]
async fn a_letter_goes_to_its_person_alone_with_one_link_and_once() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({}));
    let tell = post
        .smtp
        .abilities
        .tell
        .as_deref()
        .ok_or("it writes letters")?;
    for _ in 0..2 {
        tell.tell(&call(&post.clock), "que_1", "ana@example.com", &letter())
            .await?;
    }
    let mails = server.messages().await?;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let mail = &mails[0];
    assert_eq!(mail.to, ["ana@example.com"]);
    assert_eq!(mail.header("To"), "ana@example.com");
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert!(!mail.headers.iter().any(|(name, _)| name == "Bcc"));
    assert_eq!(mail.markup.links, [letter().link]);
    assert!(!mail.markup.tags.iter().any(|tag| tag == "b"));
    for kind in ["text/plain", "text/html"] {
        let part = mail.part(kind);
        assert!(part.contains(&letter().link), "{part}");
        assert!(part.contains("Opening the link answers nothing."), "{part}");
    }
    assert!(mail.encrypted && mail.authenticated && mail.defects.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_is_no_address_is_not_written_to() -> Outcome {
    let mut server = Server::start("starttls", true).await?;
    let post = server.connect(json!({}));
    let tell: &dyn Tell = post
        .smtp
        .abilities
        .tell
        .as_deref()
        .ok_or("it writes letters")?;
    for to in [
        "ana",
        "",
        "a@example.com, b@example.com",
        "a@example.com>\r\nRCPT TO:<b@example.com",
    ] {
        let refused = tell.tell(&call(&post.clock), "que_1", to, &letter()).await;
        assert_eq!(
            refused.err().map(|error| error.kind),
            Some(Kind::Unsupported),
            "{to}"
        );
    }
    assert!(server.messages().await?.is_empty());
    Ok(())
}
