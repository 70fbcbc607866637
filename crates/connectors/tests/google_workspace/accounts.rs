//! Acting on accounts: who is meant, what stands in the way, and what is said of it afterwards.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::{Call, Instead, Kind, Progress, Reading};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Setting};
use quell_twins::google_workspace::{ADMIN, Config, Endpoint, User};

use crate::google_lab::{Lab, USER};
use crate::kit::{Safe, disable, enable, lab, lab_with, look, named, perform, progress, read};

const DEEDS: [ActionType; 2] = [ActionType::RevokeSessions, ActionType::ResetPassword];

fn rule(obstacle: Option<&quell_connector::Obstacle>) -> Option<(&'static str, bool)> {
    obstacle.map(|found| (found.rule, found.instead == Instead::Nothing))
}

async fn obstacles(lab: &Lab, target: &Entity) -> [Option<(&'static str, bool)>; 3] {
    let connected = lab.connect();
    let seen = read(lab, &connected, target).await.unwrap();
    let out = look(lab, &connected, DEEDS[0], target).await.unwrap();
    let reset = look(lab, &connected, DEEDS[1], target).await.unwrap();
    [
        rule(seen.obstacle.as_ref()),
        rule(out.obstacle.as_ref()),
        rule(reset.obstacle.as_ref()),
    ]
}

#[tokio::test]
async fn an_address_is_looked_up_and_the_number_acted_on() {
    let lab = lab().await;
    let id = lab.twin.user(USER).unwrap().id;
    let target = named("Ana@Northwind.example").into();
    disable(&lab, &lab.connect(), &target).await.unwrap();
    let written = lab.twin.requests().into_iter();
    let written: Vec<_> = written.filter(|r| r.method == "PUT").collect();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].target, format!("/admin/directory/v1/users/{id}"));
    assert!(lab.twin.user(USER).unwrap().suspended);
}

#[tokio::test]
async fn an_alias_is_its_owner_s_and_an_unknown_address_nobody_s() {
    let mut user = User::new("carl@northwind.example");
    user.aliases = vec!["c@northwind.example".to_owned()];
    let lab = lab_with(user).await;
    let connected = lab.connect();
    let alias = named("c@northwind.example").into();
    assert!(disable(&lab, &connected, &alias).await.is_ok());
    assert!(lab.twin.user("carl@northwind.example").unwrap().suspended);
    for nobody in ["nobody@northwind.example", "no address", "..", "a@b/../c"] {
        let target = named(nobody).into();
        let error = disable(&lab, &connected, &target).await.unwrap_err();
        assert_eq!(error.kind, Kind::TargetNotFound, "{nobody}: {error}");
    }
}

#[tokio::test]
async fn another_vendor_s_id_is_not_taken_for_google_s() {
    let lab = lab_with(User::new("bo@northwind.example")).await;
    let (connected, bo) = (
        lab.connect(),
        lab.twin.user("bo@northwind.example").unwrap(),
    );
    // Okta's account has Ana's address, and happens to have Bo's number.
    let okta = Account {
        id: Some(bo.id.clone()),
        provider: Some("okta".to_owned()),
        ..named(USER)
    };
    for deed in DEEDS {
        let target = okta.clone().into();
        perform(&lab, &connected, deed, &target).await.unwrap();
    }
    let ana = lab.twin.user(USER).unwrap();
    assert_eq!((ana.sign_outs, ana.password_sets), (1, 1));
    assert_eq!(lab.twin.user(&bo.id), Some(bo.clone()));
    // An id of nobody's in particular must agree with the address.
    let unsaid = Account {
        provider: None,
        ..okta
    };
    let error = disable(&lab, &connected, &unsaid.into()).await.unwrap_err();
    assert_eq!(error.kind, Kind::TargetAmbiguous);
    let nameless = Account {
        name: Some("ana".to_owned()),
        ..Account::default()
    };
    let error = disable(&lab, &connected, &nameless.into())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
}

#[tokio::test]
async fn an_ordinary_account_has_no_obstacle_and_no_label() {
    let lab = lab().await;
    let target = lab.account(USER);
    assert_eq!(obstacles(&lab, &target).await, [None; 3]);
    let seen = read(&lab, &lab.connect(), &target).await.unwrap();
    assert!(seen.asset.labels.is_empty());
}

#[tokio::test]
async fn quell_s_own_administrator_is_never_touched() {
    let lab = lab().await;
    lab.twin.change_user(ADMIN, |user| {
        user.aliases = vec!["q@northwind.example".into()]
    });
    for target in [lab.account(ADMIN), named("q@northwind.example").into()] {
        let own = Some(("own-account", true));
        assert_eq!(obstacles(&lab, &target).await, [own; 3]);
    }
    let lifelines = lab.connect().lifelines;
    assert!(lifelines.accounts.contains(&ADMIN.to_owned()));
    let service = quell_twins::google_workspace::CLIENT_EMAIL.to_owned();
    assert!(lifelines.accounts.contains(&service));
}

#[tokio::test]
async fn the_last_super_administrator_keeps_access_but_can_be_signed_out() {
    let lab = lab().await;
    let target = lab.account("root@northwind.example");
    let last = Some(("last-administrator", true));
    assert_eq!(obstacles(&lab, &target).await, [last, None, last]);
    // One who is suspended is no help; one who can sign in is.
    lab.twin.add_user(User {
        suspended: true,
        ..User::admin("gone@northwind.example")
    });
    assert_eq!(obstacles(&lab, &target).await, [last, None, last]);
    lab.twin.add_user(User::admin("zoe@northwind.example"));
    assert_eq!(obstacles(&lab, &target).await, [None; 3]);
    let seen = read(&lab, &lab.connect(), &target).await.unwrap();
    assert!(seen.asset.labels.contains("privileged"));
}

#[tokio::test]
async fn the_other_administrator_is_found_on_a_later_page() {
    let mut config = Config::manual();
    for number in 0..120 {
        config = config.with(User {
            suspended: true,
            ..User::admin(&format!("old-{number:03}@northwind.example"))
        });
    }
    let lab = Lab::start(config.with(User::admin("zoe@northwind.example"))).await;
    let target = lab.account("root@northwind.example");
    let seen = read(&lab, &lab.connect(), &target).await.unwrap();
    assert_eq!(seen.obstacle, None);
    assert_eq!(lab.twin.count(Endpoint::UserList), 2);
}

#[tokio::test]
async fn a_limited_role_cannot_reach_administrators_and_says_so_before_trying() {
    let helpdesk = "helpdesk@northwind.example";
    let lab = lab_with(User {
        is_delegated_admin: true,
        ..User::new(helpdesk)
    })
    .await;
    let connected = lab.connect_with(serde_json::json!({ "admin": helpdesk }));
    let target = lab.account("root@northwind.example");
    let seen = read(&lab, &connected, &target).await.unwrap();
    assert_eq!(rule(seen.obstacle.as_ref()), Some(("above-quell", false)));
    let user = lab.account(USER);
    assert_eq!(read(&lab, &connected, &user).await.unwrap().obstacle, None);
    assert!(disable(&lab, &connected, &user).await.is_ok());
    let error = disable(&lab, &connected, &target).await.unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
}

#[tokio::test]
async fn a_guest_s_password_is_for_whoever_invited() {
    let lab = lab_with(User {
        is_guest: true,
        ..User::new("guest@northwind.example")
    })
    .await;
    let target = lab.account("guest@northwind.example");
    let guest = Some(("guest-account", false));
    assert_eq!(obstacles(&lab, &target).await, [None, None, guest]);
}

#[tokio::test]
async fn what_somebody_else_suspended_is_left_as_it_is() {
    let lab = lab_with(User {
        suspended: true,
        suspension_reason: Some("ABUSE".to_owned()),
        ..User::new("abused@northwind.example")
    })
    .await;
    let (connected, target) = (lab.connect(), lab.account("abused@northwind.example"));
    let receipt = disable(&lab, &connected, &target).await.unwrap();
    assert!(receipt.unchanged);
    assert_eq!(receipt.evidence["reason_before"], "ABUSE");
    assert_eq!(lab.twin.count(Endpoint::UserUpdate), 0);
}

#[tokio::test]
async fn an_archived_user_may_not_sign_in_either() {
    let lab = lab_with(User {
        archived: true,
        ..User::new("left@northwind.example")
    })
    .await;
    let target = lab.account("left@northwind.example");
    let seen = read(&lab, &lab.connect(), &target).await.unwrap();
    assert_eq!(seen.reading, Reading::Settled(Setting::named("disabled")));
}

#[tokio::test]
async fn enabling_again_changes_nothing_else() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    let before = lab.twin.user(USER).unwrap();
    disable(&lab, &connected, &target).await.unwrap();
    enable(&lab, &connected, &target).await.unwrap();
    let after = lab.twin.user(USER).unwrap();
    assert_eq!((after.suspensions, after.restorations), (1, 1));
    let same = User {
        suspensions: 0,
        restorations: 0,
        ..after
    };
    assert_eq!(same, before);
}

#[tokio::test]
async fn a_sign_out_is_unconfirmed_and_says_what_works_on() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    let receipt = perform(&lab, &connected, DEEDS[0], &target).await.unwrap();
    let end = progress(&lab, &connected, DEEDS[0], &target, &receipt).await;
    let Progress::Unconfirmed { note } = end.unwrap() else {
        panic!("Google has nothing that would confirm it")
    };
    assert!(note.contains("Apps the account granted access"), "{note}");
    // No token for users was needed: the account already says who it is.
    assert_eq!(lab.twin.count(Endpoint::UserRead), 0);
}

#[tokio::test]
async fn a_reset_sets_the_issued_password_and_keeps_no_trace_of_it() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    let safe = Arc::new(Safe::default());
    let cx =
        Call::new(lab.clock.clone(), Duration::from_secs(90), "act_test").keeping(safe.clone());
    let reset = connected.perform(DEEDS[1].effect()).unwrap();
    let receipt = reset.perform(&cx, &target).await.unwrap();
    let issued = safe.0.lock().unwrap().clone();
    let user = lab.twin.user(USER).unwrap();
    assert_eq!(user.password.as_ref(), issued.last());
    assert!(user.change_password_at_next_login);
    assert!(!format!("{receipt:?}").contains(&issued[0]));
    let end = reset.progress(&cx, &target, &receipt).await.unwrap();
    assert!(matches!(end, Progress::Done { .. }), "{end:?}");
}

#[tokio::test]
async fn a_refused_password_is_not_in_the_error() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    for fault in [
        quell_twins::Fault::StatusBeforeApply { status: 400 },
        quell_twins::Fault::GarbageBody,
        quell_twins::Fault::DropAfterApply,
    ] {
        lab.twin.fail_next(Endpoint::UserUpdate, fault);
        let error = perform(&lab, &connected, DEEDS[1], &target).await;
        let error = error.unwrap_err();
        assert!(!format!("{error:?}").contains("Temporary-"), "{error:?}");
    }
}

#[tokio::test]
async fn a_reset_of_an_account_that_had_to_change_its_password_proves_nothing() {
    let lab = lab_with(User {
        change_password_at_next_login: true,
        ..User::new("new@northwind.example")
    })
    .await;
    let (connected, target) = (lab.connect(), lab.account("new@northwind.example"));
    let receipt = perform(&lab, &connected, DEEDS[1], &target).await.unwrap();
    let end = progress(&lab, &connected, DEEDS[1], &target, &receipt).await;
    assert!(matches!(end.unwrap(), Progress::Unconfirmed { .. }));
}

#[tokio::test]
async fn a_receipt_of_nothing_is_lost() {
    let lab = lab().await;
    let (connected, target) = (lab.connect(), lab.account(USER));
    for deed in DEEDS {
        let receipt = quell_connector::Receipt::default();
        let end = progress(&lab, &connected, deed, &target, &receipt).await;
        assert_eq!(end.unwrap(), Progress::Lost);
    }
}
