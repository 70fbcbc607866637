//! Faults strike where they are told to, and say truthfully whether something was applied.

use quell_twins::okta::{Config, Endpoint, Status};
use quell_twins::{Fault, Pace};
use reqwest::Method;

use crate::support::{Api, Outcome};

const SUSPEND: &str = "/lifecycle/suspend";

#[tokio::test]
async fn a_fault_applies_what_it_says_it_applies() -> Outcome {
    let cases = [
        (Fault::DropAfterApply, None, true),
        (Fault::ResetBeforeApply, None, false),
        (Fault::StatusBeforeApply { status: 500 }, Some(500), false),
        (Fault::StatusAfterApply { status: 503 }, Some(503), true),
        (Fault::ScopeMissing, Some(403), false),
        (Fault::TokenRevoked, Some(401), false),
        (Fault::GarbageBody, Some(200), true),
    ];
    for (fault, status, applied) in cases {
        let api = Api::manual().await?;
        api.twin.fail_next(Endpoint::Suspend, fault.clone());
        let got = api
            .change(Method::POST, SUSPEND)
            .await
            .ok()
            .map(|got| got.status);
        assert_eq!(got, status, "{fault:?}");
        let user = api.twin.user(&api.id).ok_or("there is no such user")?;
        assert_eq!(user.status == Status::Suspended, applied, "{fault:?}");
        let again = api.twin.pending_faults();
        assert!(again.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_throttled_request_says_when_to_come_back_on_the_vendor_s_clock() -> Outcome {
    let api = Api::start(Config {
        pace: Pace::Manual,
        skew_seconds: 100,
        ..Config::manual()
    })
    .await?;
    let wait = Fault::Throttled {
        retry_after_seconds: Some(7),
    };
    api.twin.fail_next(Endpoint::UserRead, wait);
    let got = api.change(Method::GET, "").await?;
    let reset: i64 = got
        .header("x-rate-limit-reset")
        .ok_or("no reset")?
        .parse()?;
    assert_eq!((got.status, got.code()), (429, "E0000047"));
    assert_eq!(reset - api.twin.now().as_second(), 107);
    assert_eq!(got.header("x-rate-limit-remaining"), Some("0"));
    assert_eq!(got.header("retry-after"), None);
    Ok(())
}
