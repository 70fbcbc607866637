//! The System Log: polling without an end, and questions with one.

use std::time::Duration;

use quell_twins::okta::{EventSpec, Settle};

use crate::support::{Api, MARA, Outcome};

fn risk() -> EventSpec {
    EventSpec::about("user.risk.detect", MARA)
}

#[tokio::test]
async fn polling_always_leads_on_and_brings_each_record_once() -> Outcome {
    let api = Api::manual().await?;
    let first = api.get("/api/v1/logs?limit=2&sortOrder=ASCENDING").await?;
    assert_eq!(first.text, "[]");
    let mut next = first.next().ok_or("there is always a next page")?;
    let written: Vec<String> = (0..5).map(|_| api.twin.add_event(&risk())).collect();
    let mut found = Vec::new();
    for _ in 0..4 {
        let page = api.get(&next).await?;
        found.extend(page.each("uuid").into_iter().map(str::to_owned));
        next = page.next().ok_or("there is always a next page")?;
    }
    assert_eq!(found, written);
    Ok(())
}

#[tokio::test]
async fn a_record_that_is_stored_late_comes_after_what_was_stored_before_it() -> Outcome {
    let api = Api::manual().await?;
    api.twin.set_settle(Settle {
        log_millis: 60_000,
        ..Settle::default()
    });
    let late = api.twin.add_event(&risk());
    api.twin.set_settle(Settle::default());
    api.twin.advance(Duration::from_secs(10));
    let early = api.twin.add_event(&risk());
    let page = api.get("/api/v1/logs").await?;
    assert_eq!(page.each("uuid"), [early]);
    let next = page.next().ok_or("there is always a next page")?;
    api.twin.advance(Duration::from_secs(60));
    assert_eq!(api.get(&next).await?.each("uuid"), [late]);
    Ok(())
}

#[tokio::test]
async fn a_question_with_an_end_has_a_last_page() -> Outcome {
    let api = Api::manual().await?;
    for _ in 0..3 {
        api.twin.add_event(&risk());
    }
    api.twin.advance(Duration::from_secs(1));
    let until = api.twin.now();
    let page = api
        .get(&format!("/api/v1/logs?until={until}&limit=2"))
        .await?;
    let next = page.next().ok_or("there is one more")?;
    let page = api.get(&next).await?;
    assert_eq!((page.each("uuid").len(), page.next()), (1, None));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() -> Outcome {
    let api = Api::manual().await?;
    let cases = [
        ("filter=eventType+is+x", "E0000053"),
        ("limit=1001", "E0000001"),
        ("since=yesterday", "E0000001"),
        ("since=2001-01-01T00:00:00Z", "E0000001"),
        ("after=nowhere", "E0000001"),
    ];
    for (query, code) in cases {
        let got = api.get(&format!("/api/v1/logs?{query}")).await?;
        assert_eq!((got.status, got.code()), (400, code), "{query}");
    }
    Ok(())
}
