//! Disabling, ending sessions and resetting passwords.

use std::time::Duration;

use quell_connector::{Kind, Progress, Reading};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Clock as _, Setting};
use quell_twins::Fault;
use quell_twins::entra_id::{Endpoint, UserSpec};

use crate::kit::{
    NOOR, PASSWORD, by_name, call, lab, look, perform, progress, read, set, synchronised,
};

const REVOKE: ActionType = ActionType::RevokeSessions;
const RESET: ActionType = ActionType::ResetPassword;

#[tokio::test]
async fn a_user_is_disabled_and_enabled_by_name_or_object_id() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let by_id: Entity = Account {
        id: lab.twin.id_of(NOOR),
        ..Account::default()
    }
    .into();
    set(
        &lab,
        &connected,
        ActionType::DisableAccount,
        &by_name("NOOR@northwind.example"),
    )
    .await
    .unwrap();
    assert_eq!(lab.twin.is_enabled(NOOR), Some(false));
    let observed = read(&lab, &connected, &by_id).await.unwrap();
    assert_eq!(
        observed.reading,
        Reading::Settled(Setting::named("disabled"))
    );
    set(&lab, &connected, ActionType::EnableAccount, &by_id)
        .await
        .unwrap();
    assert_eq!(lab.twin.is_enabled(NOOR), Some(true));
}

#[tokio::test]
async fn a_read_that_lags_is_not_taken_for_an_undo_that_is_done() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    lab.twin.set_settle(Duration::from_secs(60));
    let noor = by_name(NOOR);
    set(&lab, &connected, ActionType::DisableAccount, &noor)
        .await
        .unwrap();
    let moving = |to| Reading::Moving {
        to: Setting::named(to),
    };
    let observed = read(&lab, &connected, &noor).await.unwrap();
    assert_eq!(observed.reading, moving("disabled"));
    let receipt = set(&lab, &connected, ActionType::EnableAccount, &noor)
        .await
        .unwrap();
    assert!(!receipt.unchanged);
    assert_eq!(lab.twin.is_enabled(NOOR), Some(true));
    // What somebody does in the portal counts again once reads do not lag any more.
    lab.clock.advance(Duration::from_secs(120));
    lab.twin.set_enabled(NOOR, false);
    let observed = read(&lab, &connected, &noor).await.unwrap();
    assert_eq!(
        observed.reading,
        Reading::Settled(Setting::named("disabled"))
    );
}

#[tokio::test]
async fn a_name_that_several_users_answer_to_is_nobody() {
    let shared = UserSpec {
        mail: Some(NOOR.to_owned()),
        ..UserSpec::new("other@northwind.example")
    };
    let alias = UserSpec {
        proxy_addresses: vec!["smtp:desk@northwind.example".into()],
        ..UserSpec::new("third@northwind.example")
    };
    let lab = lab(&[shared, alias]).await;
    let connected = lab.connect();
    let kind = |who: Entity| {
        let (lab, connected) = (&lab, &connected);
        async move {
            read(lab, connected, &who)
                .await
                .map(|_| ())
                .map_err(|error| error.kind)
        }
    };
    assert_eq!(kind(by_name(NOOR)).await, Err(Kind::TargetAmbiguous));
    assert_eq!(kind(by_name("desk@northwind.example")).await, Ok(()));
    assert_eq!(
        kind(by_name("nobody@northwind.example")).await,
        Err(Kind::TargetNotFound)
    );
    assert_eq!(
        kind(by_name("x' or userType eq 'Member")).await,
        Err(Kind::TargetNotFound)
    );
    assert_eq!(
        kind(Account::default().into()).await,
        Err(Kind::TargetNotFound)
    );
}

#[tokio::test]
async fn an_id_of_another_directory_is_not_used_and_a_sid_finds_the_synchronised_user() {
    let lab = lab(&[synchronised("sam@northwind.example")]).await;
    let connected = lab.connect();
    let of_ad = |id: Option<String>, sid: Option<&str>| -> Entity {
        Account {
            id,
            sid: sid.map(str::to_owned),
            provider: Some("active_directory".into()),
            ..Account::default()
        }
        .into()
    };
    let error = read(&lab, &connected, &of_ad(lab.twin.id_of(NOOR), None))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::TargetNotFound);
    let sid = of_ad(None, Some("S-1-5-21-11-22-33-1104"));
    perform(&lab, &connected, REVOKE, &sid).await.unwrap();
    assert_eq!(lab.twin.calls("sam@northwind.example").sessions_revoked, 1);
}

#[tokio::test]
async fn ended_sessions_are_proved_and_people_are_told_until_when_tokens_live() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    lab.twin.set_settle(Duration::from_secs(20));
    let receipt = perform(&lab, &connected, REVOKE, &by_name(NOOR))
        .await
        .unwrap();
    let early = progress(&lab, &connected, REVOKE, &receipt).await.unwrap();
    assert_eq!(early, Progress::Pending);
    lab.clock.advance(Duration::from_secs(20));
    let Progress::Done { note } = progress(&lab, &connected, REVOKE, &receipt).await.unwrap()
    else {
        panic!("not done")
    };
    let until = lab.clock.now() - Duration::from_secs(20) + Duration::from_secs(90 * 60);
    let until = until.strftime("%H:%M UTC").to_string();
    assert!(note.contains(&format!("may work until {until}")), "{note}");
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_what_the_record_proves() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    lab.twin
        .fail_next(Endpoint::RevokeSessions, Fault::DropAfterApply);
    let receipt = perform(&lab, &connected, REVOKE, &by_name(NOOR))
        .await
        .unwrap();
    let found = progress(&lab, &connected, REVOKE, &receipt).await.unwrap();
    assert!(matches!(found, Progress::Done { .. }), "{found:?}");
    lab.twin.fail_next(
        Endpoint::UserUpdate,
        Fault::StatusBeforeApply { status: 500 },
    );
    let receipt = perform(&lab, &connected, RESET, &by_name(NOOR))
        .await
        .unwrap();
    assert_eq!(
        progress(&lab, &connected, RESET, &receipt).await.unwrap(),
        Progress::Pending
    );
    lab.clock.advance(Duration::from_secs(60));
    assert_eq!(
        progress(&lab, &connected, RESET, &receipt).await.unwrap(),
        Progress::Lost
    );
    assert_eq!(lab.twin.calls(NOOR).password_set, 0);
}

#[tokio::test]
async fn a_reset_sets_the_sealed_password_asks_for_a_new_one_and_says_nothing_of_it() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let sight = look(&lab, &connected, RESET, &by_name(NOOR)).await.unwrap();
    assert_eq!(sight.obstacle, None);
    let receipt = perform(&lab, &connected, RESET, &by_name(NOOR))
        .await
        .unwrap();
    assert_eq!(lab.twin.password(NOOR).as_deref(), Some(PASSWORD));
    assert_eq!(lab.twin.must_change_password(NOOR), Some(true));
    let done = progress(&lab, &connected, RESET, &receipt).await.unwrap();
    assert!(matches!(done, Progress::Done { .. }), "{done:?}");
    assert!(!format!("{receipt:?}{done:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_password_the_tenant_refuses_is_no_doubt_and_no_secret_in_the_error() {
    let lab = lab(&[synchronised("sam@northwind.example")]).await;
    let connected = lab.connect();
    let error = perform(&lab, &connected, RESET, &by_name("sam@northwind.example"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorRejected);
    assert!(!format!("{error:?}").contains(PASSWORD));
    // Without a place for the password nothing is sent.
    let cx = quell_connector::Call::new(lab.clock.clone(), Duration::from_secs(9), "act_test");
    let row = connected.perform(RESET.effect()).unwrap();
    let error = row.perform(&cx, &by_name(NOOR)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
    assert_eq!(lab.twin.calls(NOOR).password_set, 0);
}

#[tokio::test]
async fn a_receipt_of_somebody_elses_is_not_followed() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    let row = connected.perform(REVOKE.effect()).unwrap();
    for evidence in [
        serde_json::json!(null),
        serde_json::json!({ "user": "../me", "at": "2026-01-01T00:00:00Z" }),
    ] {
        let receipt = quell_connector::Receipt::of(evidence);
        let found = row.progress(&call(&lab), &by_name(NOOR), &receipt).await;
        assert_eq!(found.unwrap_err().kind, Kind::Unsupported);
    }
}
