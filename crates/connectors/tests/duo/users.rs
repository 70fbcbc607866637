//! Finding the one user that is meant, and what each status means.

use quell_connector::contract::Instead;
use quell_connector::{Connected, Kind, Observed, Reading, Receipt, Result};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Setting};
use quell_twins::duo::{Endpoint, User};

use crate::lab::Lab;
use crate::{call, lab, principal};

async fn read(lab: &Lab, connected: &Connected, target: &Entity) -> Result<Observed<Setting>> {
    let control = connected
        .control(ActionType::DisableAccount.effect())
        .unwrap();
    control.read(&call(lab), target).await
}

async fn set(lab: &Lab, connected: &Connected, target: &Entity, want: &str) -> Result<Receipt> {
    let control = connected
        .control(ActionType::DisableAccount.effect())
        .unwrap();
    control
        .write(&call(lab), target, &Setting::named(want))
        .await
}

fn named(name: &str, domain: Option<&str>) -> Entity {
    let account = Account {
        name: Some(name.to_owned()),
        domain: domain.map(str::to_owned),
        provider: Some("active_directory".to_owned()),
        ..Account::default()
    };
    account.into()
}

#[tokio::test]
async fn a_user_is_found_by_name_alias_or_address_and_by_nothing_less() {
    let lab = lab([
        User {
            aliases: vec!["alice.smith@corp.example".into()],
            email: "as@corp.example".into(),
            ..User::active("alice")
        },
        User::active("bob"),
    ])
    .await;
    let connected = lab.connect();
    for found in [
        principal("alice"),
        principal("ALICE.smith@corp.example"),
        principal("AS@corp.example"),
        named("alice", None),
    ] {
        assert!(read(&lab, &connected, &found).await.is_ok(), "{found:?}");
    }
    for unknown in [
        principal("alice@other.example"),
        principal("ali"),
        named("carol", None),
    ] {
        let kind = read(&lab, &connected, &unknown).await.unwrap_err().kind;
        assert_eq!(kind, Kind::TargetNotFound, "{unknown:?}");
    }
    // A name of some directory's domain may be another person's than Duo's user of that name.
    let elsewhere = read(&lab, &connected, &named("alice", Some("LAB"))).await;
    assert_eq!(elsewhere.unwrap_err().kind, Kind::Unsupported);
}

#[tokio::test]
async fn two_users_with_one_address_are_ambiguous_and_neither_is_touched() {
    let shared = |name: &str| User {
        email: "shared@corp.example".into(),
        ..User::active(name)
    };
    let lab = lab([shared("alice"), shared("bob")]).await;
    let connected = lab.connect();
    let target = principal("shared@corp.example");
    let error = set(&lab, &connected, &target, "disabled")
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::TargetAmbiguous);
    assert_eq!(lab.twin.count(Endpoint::ModifyUser), 0);
}

#[tokio::test]
async fn an_id_of_another_vendor_is_never_taken_for_one_of_duo() {
    let lab = lab([User {
        user_id: "00u1abcd".into(),
        ..User::active("mallory")
    }])
    .await;
    let error = read(&lab, &lab.connect(), &principal("alice"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::TargetNotFound);
    assert_eq!(lab.twin.count(Endpoint::ReadUser), 0);
}

#[tokio::test]
async fn each_status_reads_as_what_it_means_for_signing_in() {
    for (status, reads, stops) in [
        ("active", "enabled", false),
        ("disabled", "disabled", false),
        ("bypass", "enabled", true),
        ("locked out", "enabled", true),
        ("pending deletion", "disabled", false),
    ] {
        let lab = lab([User::active("alice").in_status(status)]).await;
        let observed = read(&lab, &lab.connect(), &principal("alice"))
            .await
            .unwrap();
        assert_eq!(
            observed.reading,
            Reading::Settled(Setting::named(reads)),
            "{status}"
        );
        let rule = observed.obstacle.as_ref().map(|obstacle| obstacle.rule);
        assert_eq!(rule, stops.then_some("not-in-this-state"), "{status}");
        let for_a_person = observed
            .obstacle
            .is_none_or(|o| o.instead == Instead::Person);
        assert!(for_a_person, "{status}");
    }
    let lab = lab([User::active("alice").in_status("frozen")]).await;
    let error = read(&lab, &lab.connect(), &principal("alice"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::ReplyUnreadable);
}

#[tokio::test]
async fn a_status_that_could_not_be_restored_is_not_changed_even_when_told_to() {
    for (status, want) in [
        ("bypass", "disabled"),
        ("locked out", "disabled"),
        ("pending deletion", "enabled"),
    ] {
        let lab = lab([User::active("alice").in_status(status)]).await;
        let error = set(&lab, &lab.connect(), &principal("alice"), want)
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Unsupported, "{status}");
        assert_eq!(lab.twin.user("alice").unwrap().status, status);
    }
}

#[tokio::test]
async fn groups_and_synchronisation_become_labels() {
    let lab = lab([User {
        groups: vec!["Break-Glass".into(), "Staff".into()],
        synchronized: true,
        ..User::active("alice")
    }])
    .await;
    let observed = read(&lab, &lab.connect(), &principal("alice"))
        .await
        .unwrap();
    let labels: Vec<_> = observed.asset.labels.into_iter().collect();
    assert_eq!(labels, ["break-glass", "staff", "synchronized"]);
}

#[tokio::test]
async fn the_older_signature_does_the_same_jobs() {
    let lab = lab([User::active("alice smith+é")]).await;
    let connected = lab.connect_with(serde_json::json!({ "signature": "v2" }));
    let target = principal("alice smith+é");
    let receipt = set(&lab, &connected, &target, "disabled").await.unwrap();
    assert_eq!(receipt.evidence["was"], "active");
    assert_eq!(lab.twin.user("alice smith+é").unwrap().status, "disabled");
}

#[tokio::test]
async fn a_refused_signature_tells_to_look_at_the_clock() {
    let lab = lab([User::active("alice")]).await;
    lab.twin.advance(std::time::Duration::from_secs(600));
    let error = read(&lab, &lab.connect(), &principal("alice"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::AuthRejected);
    assert!(
        error.detail.contains("check this machine's clock"),
        "{error}"
    );
}
