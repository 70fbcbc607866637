//! Who is meant, what must not be done to them, and what each product makes of it.

use quell_connector::contract::Instead;
use quell_connector::{Kind, Reading};
use quell_model::Setting;
use quell_twins::github::{
    Credential, Endpoint, ManagedUser, Membership, OWNER, Right, TOKEN, User,
};
use serde_json::json;

use crate::{foreign, lab, login, read, set};

#[tokio::test]
async fn a_person_is_found_by_what_github_calls_them_and_by_nothing_else() {
    let lab = lab([User::member("hubert")]).await;
    let connected = lab.connect("org");
    assert!(read(&lab, &connected, &login("HUBERT")).await.is_ok());
    for unknown in [
        login("nobody"),
        foreign("hubert"),
        foreign("hubert@corp.example"),
    ] {
        let kind = read(&lab, &connected, &unknown).await.unwrap_err().kind;
        assert_eq!(kind, Kind::TargetNotFound, "{unknown:?}");
    }
}

#[tokio::test]
async fn what_must_not_be_done_is_found_before_it_is_tried() {
    let bot = User {
        r#type: "Bot".into(),
        ..User::member("deploy-bot")
    };
    for (others, target, rule, instead) in [
        (vec![], OWNER, "own-account", Instead::Nothing),
        (vec![bot], "deploy-bot", "service-account", Instead::Person),
        (
            vec![User::owner("olga")],
            "olga",
            "not-in-this-state",
            Instead::Person,
        ),
    ] {
        let lab = lab(others).await;
        let connected = lab.connect("org");
        let obstacle = read(&lab, &connected, &login(target))
            .await
            .unwrap()
            .obstacle
            .unwrap();
        assert_eq!((obstacle.rule, obstacle.instead), (rule, instead));
        let error = set(&lab, &connected, &login(target), "disabled")
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Unsupported, "{rule}");
        assert_eq!(lab.twin.count(Endpoint::RemoveMembership), 0);
    }
}

#[tokio::test]
async fn the_only_owner_is_never_removed_not_even_by_an_app() {
    let lab = lab([]).await;
    let connected = lab.connect_app();
    let observed = read(&lab, &connected, &login(OWNER)).await.unwrap();
    let obstacle = observed.obstacle.unwrap();
    assert_eq!(
        (obstacle.rule, obstacle.instead),
        ("last-administrator", Instead::Nothing)
    );
    assert!(observed.asset.labels.contains("privileged"));
    assert!(
        set(&lab, &connected, &login(OWNER), "disabled")
            .await
            .is_err()
    );
    assert!(lab.twin.user(OWNER).unwrap().membership.is_some());
}

#[tokio::test]
async fn undoing_a_removal_invites_and_is_not_done_before_the_person_accepts() {
    let lab = lab([User::member("hubert")]).await;
    let connected = lab.connect("org");
    set(&lab, &connected, &login("hubert"), "disabled")
        .await
        .unwrap();
    assert_eq!(lab.twin.user("hubert").unwrap().membership, None);
    let receipt = set(&lab, &connected, &login("hubert"), "enabled")
        .await
        .unwrap();
    assert!(
        receipt.evidence["note"]
            .as_str()
            .unwrap()
            .contains("must accept")
    );
    let to = Setting::named("enabled");
    let observed = read(&lab, &connected, &login("hubert")).await.unwrap();
    assert_eq!(observed.reading, Reading::Moving { to });
    let again = set(&lab, &connected, &login("hubert"), "enabled")
        .await
        .unwrap();
    assert!(again.unchanged);
    let invited = Membership {
        role: "member".into(),
        pending: true,
    };
    assert_eq!(lab.twin.user("hubert").unwrap().membership, Some(invited));
}

#[tokio::test]
async fn not_seeing_a_membership_is_not_taken_for_there_being_none() {
    let lab = lab([User::outside("stranger"), User::member("reader")]).await;
    let disabled = Reading::Settled(Setting::named("disabled"));
    let observed = read(&lab, &lab.connect("org"), &login("stranger"))
        .await
        .unwrap();
    assert_eq!(observed.reading, disabled);
    // The same answer to a member's token proves nothing.
    lab.twin
        .put_credential(Credential::personal("ghp_other", "reader", &Right::ALL));
    let connected = lab.connect_with("org", json!({ "token": "env:OTHER_TOKEN" }));
    let error = read(&lab, &connected, &login("stranger"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
}

#[tokio::test]
async fn a_server_that_hides_suspensions_is_said_to_lack_the_scope() {
    let lab = lab([User::member("susan")]).await;
    let rights = [Right::Members];
    lab.twin
        .put_credential(Credential::personal(TOKEN, OWNER, &rights));
    let error = read(&lab, &lab.connect("ghes"), &login("susan"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
    assert!(error.detail.contains("site_admin"), "{error}");
}

#[tokio::test]
async fn a_suspension_says_whose_it_is_and_never_hits_the_tokens_own_user() {
    let lab = lab([User::member("susan")]).await;
    let connected = lab.connect("ghes");
    set(&lab, &connected, &login("susan"), "disabled")
        .await
        .unwrap();
    assert!(lab.twin.user("susan").unwrap().suspended);
    let sent = lab.twin.requests();
    let body = sent.iter().find_map(|record| record.body.clone()).unwrap();
    assert_eq!(body, r#"{"reason":"Quell act_test"}"#);
    let own = read(&lab, &connected, &login(OWNER)).await.unwrap();
    assert_eq!(own.obstacle.unwrap().rule, "own-account");
    assert!(own.asset.labels.contains("privileged"));
}

#[tokio::test]
async fn a_managed_user_is_found_by_the_name_at_the_identity_provider() {
    let lab = lab([User::member("mia_acme")]).await;
    let connected = lab.connect("emu");
    for found in [foreign("mia@corp.example"), foreign("MIA@corp.example")] {
        assert!(read(&lab, &connected, &found).await.is_ok(), "{found:?}");
    }
    for unknown in [
        login("mia_acme"),
        foreign("mia"),
        foreign("x\" or userName eq \"mia@corp.example"),
    ] {
        let kind = read(&lab, &connected, &unknown).await.unwrap_err().kind;
        assert_eq!(kind, Kind::TargetNotFound, "{unknown:?}");
    }
    set(&lab, &connected, &foreign("mia@corp.example"), "disabled")
        .await
        .unwrap();
    let expected = ManagedUser {
        active: false,
        ..ManagedUser::active("mia@corp.example")
    };
    assert_eq!(lab.twin.managed("mia@corp.example"), Some(expected));
}

#[tokio::test]
async fn no_token_is_in_what_is_kept_or_said() {
    let lab = lab([User::member("hubert")]).await;
    let connected = lab.connect_app();
    let receipt = set(&lab, &connected, &login("hubert"), "disabled")
        .await
        .unwrap();
    lab.twin.grant_app(&[]);
    lab.clock.advance(std::time::Duration::from_secs(3600));
    let error = read(&lab, &connected, &login("hubert")).await.unwrap_err();
    let said = format!("{receipt:?} {error:?}");
    assert!(!said.contains("ghs_") && !said.contains("ghp_"), "{said}");
}
