//! Ending sessions and replacing passwords: what proves them, and what is never said of them.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::{Kind, Progress};
use quell_model::ActionType;
use quell_twins::Fault;
use quell_twins::okta::{Endpoint, EventSpec, Settle, Status, UserSpec};

use crate::kit::{
    MARA, Safe, by_id, call, call_with, lab, lab_with, mara, perform, progress, write,
};

const REVOKE: ActionType = ActionType::RevokeSessions;
const RESET: ActionType = ActionType::ResetPassword;

#[tokio::test]
async fn sessions_end_with_their_tokens_and_the_system_log_proves_it() {
    let lab = lab().await;
    lab.twin.set_settle(Settle {
        log_millis: 20_000,
        ..Settle::default()
    });
    let connected = lab.connect();
    let receipt = perform(&call(&lab), &connected, REVOKE, &mara(&lab))
        .await
        .unwrap();
    assert_eq!(lab.twin.user(MARA).unwrap().sessions, 0);
    let target = lab
        .twin
        .requests()
        .into_iter()
        .find(|request| request.method == "DELETE");
    assert!(
        target
            .unwrap()
            .target
            .ends_with("?oauthTokens=true&forgetDevices=true")
    );
    let early = progress(&lab, &connected, REVOKE, &mara(&lab), &receipt)
        .await
        .unwrap();
    assert_eq!(early, Progress::Pending);
    lab.clock.advance(Duration::from_secs(21));
    let outcome = progress(&lab, &connected, REVOKE, &mara(&lab), &receipt)
        .await
        .unwrap();
    let Progress::Done { note } = outcome else {
        panic!("{outcome:?}");
    };
    // The simulated clock starts at 14:13:20 UTC.
    assert!(note.contains("may work until 15:13 UTC"), "{note}");
}

#[tokio::test]
async fn somebody_else_s_ended_sessions_prove_nothing() {
    let (lab, other) = lab_with(UserSpec::active("noor.vos@acme.example")).await;
    let connected = lab.connect();
    // Long before, and of somebody else.
    lab.twin
        .add_event(&EventSpec::about("user.session.clear", MARA));
    lab.clock.advance(Duration::from_secs(60));
    lab.twin.set_settle(Settle {
        log_millis: 3_600_000,
        ..Settle::default()
    });
    let receipt = perform(&call(&lab), &connected, REVOKE, &mara(&lab))
        .await
        .unwrap();
    lab.twin.set_settle(Settle::default());
    perform(&call(&lab), &connected, REVOKE, &by_id(&other))
        .await
        .unwrap();
    let early = progress(&lab, &connected, REVOKE, &mara(&lab), &receipt)
        .await
        .unwrap();
    assert_eq!(early, Progress::Pending);
    lab.clock.advance(Duration::from_secs(120));
    let late = progress(&lab, &connected, REVOKE, &mara(&lab), &receipt)
        .await
        .unwrap();
    assert!(matches!(late, Progress::Unconfirmed { .. }), "{late:?}");
}

#[tokio::test]
async fn a_vendor_s_clock_that_is_off_hides_no_proof() {
    for skew_seconds in [-240, 240] {
        let lab = crate::lab::Lab::start(quell_twins::okta::Config {
            skew_seconds,
            ..quell_twins::okta::Config::manual().with(UserSpec::active(MARA))
        })
        .await;
        let connected = lab.connect();
        let receipt = perform(&call(&lab), &connected, REVOKE, &mara(&lab))
            .await
            .unwrap();
        let outcome = progress(&lab, &connected, REVOKE, &mara(&lab), &receipt)
            .await
            .unwrap();
        assert!(
            matches!(outcome, Progress::Done { .. }),
            "{skew_seconds}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn without_the_system_log_it_is_done_and_unconfirmed() {
    let lab = lab().await;
    lab.twin.put_app(lab.twin.app().without("okta.logs.read"));
    let connected = lab.connect();
    let receipt = perform(&call(&lab), &connected, REVOKE, &mara(&lab))
        .await
        .unwrap();
    let outcome = progress(&lab, &connected, REVOKE, &mara(&lab), &receipt)
        .await
        .unwrap();
    let Progress::Unconfirmed { note } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(note.contains("okta.logs.read"), "{note}");
}

#[tokio::test]
async fn the_temporary_password_goes_to_the_safe_and_nowhere_else() {
    let lab = lab().await;
    let (connected, safe) = (lab.connect(), Arc::new(Safe::default()));
    let receipt = perform(&call_with(&lab, &safe), &connected, RESET, &mara(&lab))
        .await
        .unwrap();
    let user = lab.twin.user(MARA).unwrap();
    let password = user.temporary_password.unwrap();
    assert_eq!((user.status, user.sessions), (Status::PasswordExpired, 0));
    assert_eq!(
        safe.kept.lock().unwrap().as_slice(),
        std::slice::from_ref(&password)
    );
    let outcome = progress(&lab, &connected, RESET, &mara(&lab), &receipt)
        .await
        .unwrap();
    assert!(matches!(outcome, Progress::Done { .. }), "{outcome:?}");
    assert!(!format!("{receipt:?} {outcome:?}").contains(&password));
}

#[tokio::test]
async fn a_password_that_could_not_be_kept_was_replaced_all_the_same() {
    let lab = lab().await;
    let full = Arc::new(Safe {
        is_full: true,
        ..Safe::default()
    });
    let error = perform(&call_with(&lab, &full), &lab.connect(), RESET, &mara(&lab)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind, Kind::MaybeApplied);
    let password = lab.twin.user(MARA).unwrap().temporary_password.unwrap();
    assert!(!format!("{error:?}").contains(&password), "{error:?}");
}

#[tokio::test]
async fn a_reply_without_a_password_leaves_the_outcome_open() {
    for fault in [
        Fault::GarbageBody,
        Fault::TruncatedBody,
        Fault::WrongContentType,
    ] {
        let lab = lab().await;
        let safe = Arc::new(Safe::default());
        lab.twin.fail_next(Endpoint::PasswordReplace, fault.clone());
        let error = perform(&call_with(&lab, &safe), &lab.connect(), RESET, &mara(&lab)).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind, Kind::MaybeApplied, "{fault:?}");
        let password = lab.twin.user(MARA).unwrap().temporary_password.unwrap();
        assert!(!format!("{error:?}").contains(&password), "{error:?}");
        assert_eq!(lab.twin.count(Endpoint::PasswordReplace), 1);
    }
}

#[tokio::test]
async fn a_password_that_moved_to_another_directory_meanwhile_is_left_alone() {
    let user = UserSpec::active("noor.vos@acme.example").sourced("ACTIVE_DIRECTORY", "corp");
    let (lab, id) = lab_with(user).await;
    let safe = Arc::new(Safe::default());
    let error = perform(&call_with(&lab, &safe), &lab.connect(), RESET, &by_id(&id)).await;
    assert_eq!(error.unwrap_err().kind, Kind::Unsupported);
    assert_eq!(lab.twin.count(Endpoint::PasswordReplace), 0);
}

#[tokio::test]
async fn a_user_who_was_quicker_than_the_check_counts_as_reset() {
    let lab = lab().await;
    let (connected, safe) = (lab.connect(), Arc::new(Safe::default()));
    lab.clock.advance(Duration::from_secs(5));
    let receipt = perform(&call_with(&lab, &safe), &connected, RESET, &mara(&lab))
        .await
        .unwrap();
    lab.twin.set_status(MARA, Status::Active);
    let early = progress(&lab, &connected, RESET, &mara(&lab), &receipt)
        .await
        .unwrap();
    assert_eq!(early, Progress::Pending);
    lab.clock.advance(Duration::from_secs(50));
    let late = progress(&lab, &connected, RESET, &mara(&lab), &receipt)
        .await
        .unwrap();
    assert!(
        matches!(late, Progress::Unconfirmed { .. } | Progress::Done { .. }),
        "{late:?}"
    );
}

#[tokio::test]
async fn suspending_whom_somebody_else_suspended_is_not_quell_s_doing() {
    let lab = lab().await;
    lab.twin.set_status(MARA, Status::Suspended);
    let disable = ActionType::DisableAccount;
    let receipt = write(&lab, &lab.connect(), disable, &mara(&lab))
        .await
        .unwrap();
    assert!(receipt.unchanged);
}
