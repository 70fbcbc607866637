use std::time::Duration;

use quell_twins::crowdstrike::{Containment, Endpoint};
use quell_twins::{Fault, FaultRule};
use serde_json::json;

use crate::support::{Api, DEVICES, Outcome};

const QUERY: &str = "/devices/queries/devices/v1";

/// Arms a fault on the next contain call and makes the call. What came back, and whether it was applied.
async fn strike(fault: Fault) -> Outcome<(Option<crate::support::Got>, bool)> {
    let api = Api::start().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    api.twin.fail_next(Endpoint::Contain, fault);
    let got = api.contain(&aid).await.ok();
    assert!(api.twin.pending_faults().is_empty());
    let applied = api.twin.containment(&aid) == Some(Containment::Contained);
    assert_eq!(
        api.get(DEVICES, &[("ids", &aid)]).await?.status,
        200,
        "the next request is not struck"
    );
    Ok((got, applied))
}

#[tokio::test]
async fn a_dropped_connection_loses_the_reply_but_not_the_change() -> Outcome {
    let (got, applied) = strike(Fault::DropAfterApply).await?;
    assert!(got.is_none() && applied);
    Ok(())
}

#[tokio::test]
async fn a_reset_connection_changes_nothing() -> Outcome {
    let (got, applied) = strike(Fault::ResetBeforeApply).await?;
    assert!(got.is_none() && !applied);
    Ok(())
}

#[tokio::test]
async fn a_torn_body_is_a_transport_error_after_the_change() -> Outcome {
    let (got, applied) = strike(Fault::TornBody).await?;
    assert!(got.is_none() && applied);
    Ok(())
}

#[tokio::test]
async fn a_status_can_come_before_or_after_the_change() -> Outcome {
    let (got, applied) = strike(Fault::StatusBeforeApply { status: 503 }).await?;
    assert_eq!(
        (got.map(|got| (got.status, got.error_code())), applied),
        (Some((503, Some(503))), false)
    );
    let (got, applied) = strike(Fault::StatusAfterApply { status: 500 }).await?;
    assert_eq!((got.map(|got| got.status), applied), (Some(500), true));
    Ok(())
}

#[tokio::test]
async fn throttling_comes_with_or_without_the_time_to_come_back() -> Outcome {
    let (got, applied) = strike(Fault::Throttled {
        retry_after_seconds: Some(30),
    })
    .await?;
    let got = got.ok_or("a reply")?;
    assert_eq!((got.status, applied), (429, false));
    let until: i64 = got
        .header("x-ratelimit-retryafter")
        .ok_or("header")?
        .parse()?;
    assert!(
        until > 1_700_000_000 && until < 100_000_000_000,
        "epoch seconds: {until}"
    );
    assert_eq!(got.header("x-ratelimit-remaining"), Some("0"));
    let (got, _) = strike(Fault::Throttled {
        retry_after_seconds: None,
    })
    .await?;
    let got = got.ok_or("a reply")?;
    assert_eq!(
        (got.status, got.header("x-ratelimit-retryafter")),
        (429, None)
    );
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_stays_revoked() -> Outcome {
    let api = Api::start().await?;
    api.twin.inject(FaultRule::anywhere(Fault::TokenRevoked));
    assert_eq!(api.get(QUERY, &[]).await?.status, 401);
    assert_eq!(api.get(QUERY, &[]).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_missing_scope_is_403_once() -> Outcome {
    let (got, applied) = strike(Fault::ScopeMissing).await?;
    assert_eq!((got.map(|got| got.status), applied), (Some(403), false));
    Ok(())
}

#[tokio::test]
async fn success_can_carry_an_error_inside() -> Outcome {
    let (got, applied) = strike(Fault::ErrorInBody {
        code: 500,
        message: "half of us is down".into(),
    })
    .await?;
    let got = got.ok_or("a reply")?;
    assert_eq!(
        (got.status, got.error_code(), got.resources().len(), applied),
        (202, Some(500), 0, false)
    );
    Ok(())
}

#[tokio::test]
async fn bodies_can_be_garbage_truncated_oversized_or_of_another_type() -> Outcome {
    for fault in [Fault::GarbageBody, Fault::TruncatedBody] {
        let (got, applied) = strike(fault.clone()).await?;
        let got = got.ok_or("a reply")?;
        assert_eq!(
            (got.status, got.body.is_null(), applied),
            (202, true, true),
            "{fault:?}"
        );
        assert_eq!(got.header("content-type"), Some("application/json"));
    }
    let (got, _) = strike(Fault::OversizedBody { bytes: 3_000_000 }).await?;
    let got = got.ok_or("a reply")?;
    assert!(got.text.len() > 3_000_000 && got.resources().len() == 1);
    let (got, _) = strike(Fault::WrongContentType).await?;
    let got = got.ok_or("a reply")?;
    assert_eq!(
        (got.status, got.header("content-type")),
        (202, Some("text/html; charset=utf-8"))
    );
    Ok(())
}

#[tokio::test]
async fn a_slow_request_waits_for_the_twins_clock() -> Outcome {
    let api = Api::start().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    api.twin
        .fail_next(Endpoint::Contain, Fault::Slow { millis: 60_000 });
    let call = api.contain(&aid);
    tokio::pin!(call);
    let mut waiting = 0_u32;
    let got = loop {
        tokio::select! {
            biased;
            got = &mut call => break got?,
            () = tokio::task::yield_now() => {
                waiting += u32::from(api.twin.count(Endpoint::Contain) == 1);
                // Given ample turns after it arrived, the request is still waiting.
                if waiting == 500 {
                    assert_eq!(api.twin.containment(&aid), Some(Containment::Normal));
                    api.twin.advance(Duration::from_secs(60));
                }
            }
        }
    };
    assert_eq!(got.status, 202);
    Ok(())
}

#[tokio::test]
async fn a_rule_counts_its_strikes_and_lets_others_pass() -> Outcome {
    let api = Api::start().await?;
    let rule = FaultRule::next(
        Endpoint::DeviceQuery,
        Fault::StatusBeforeApply { status: 502 },
    );
    api.twin.inject(rule.times(2).after(1));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(api.get(QUERY, &[]).await?.status);
    }
    assert_eq!(statuses, [200, 502, 502, 200]);
    api.twin
        .inject(FaultRule::anywhere(Fault::DropAfterApply).times(9));
    api.twin.clear_faults();
    assert_eq!(api.get(QUERY, &[]).await?.status, 200);
    assert_eq!(
        api.ask_token(&[("client_id", "x")]).await?.body["errors"][0]["code"],
        json!(400)
    );
    Ok(())
}
