//! Which user an account is, what is learnt of them, and what must not be done to whom.

use quell_connector::{Instead, Kind, Reading};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Setting};
use quell_twins::okta::{ADMIN, API_TOKEN, Config, Endpoint, Status, UserSpec};

use crate::kit::{
    Lab, MARA, by_id, by_login, by_token, lab, lab_with, look, mara, obstacle, read, write,
};

const DISABLE: ActionType = ActionType::DisableAccount;
const REVOKE: ActionType = ActionType::RevokeSessions;
const RESET: ActionType = ActionType::ResetPassword;

#[tokio::test]
async fn an_account_without_an_id_of_okta_s_is_found_by_its_login_or_mail_address() {
    let (lab, id) = lab_with(UserSpec {
        email: "Noor.Vos@mail.acme.example".to_owned(),
        ..UserSpec::active("noor.vos@acme.example")
    })
    .await;
    let connected = lab.connect();
    let elsewhere = Account {
        id: Some("S-1-5-21-1-2-3-1104".to_owned()),
        principal: Some("NOOR.vos@acme.example".to_owned()),
        provider: Some("active_directory".to_owned()),
        ..Account::default()
    };
    for target in [by_login("noor.vos@MAIL.acme.example"), elsewhere.into()] {
        write(&lab, &connected, DISABLE, &target).await.unwrap();
        assert_eq!(lab.twin.user(&id).unwrap().status, Status::Suspended);
        lab.twin.set_status(&id, Status::Active);
    }
}

#[tokio::test]
async fn nobody_is_acted_on_by_a_guess() {
    let (lab, _) = lab_with(UserSpec {
        email: MARA.to_owned(),
        ..UserSpec::active("mara.other@acme.example")
    })
    .await;
    let connected = lab.connect();
    let named: Entity = Account {
        name: Some("mara.lind".to_owned()),
        domain: Some("ACME".to_owned()),
        ..Account::default()
    }
    .into();
    let own_login: Entity = Account {
        id: Some(ADMIN.to_owned()),
        ..Account::default()
    }
    .into();
    let cases = [
        (by_login(MARA), Kind::TargetAmbiguous),
        (by_login("nobody@acme.example"), Kind::TargetNotFound),
        (by_login("mara"), Kind::TargetNotFound),
        (
            by_login("x\" or profile.login sw \"m"),
            Kind::TargetNotFound,
        ),
        (by_id("me"), Kind::TargetNotFound),
        (by_id(".."), Kind::TargetNotFound),
        (own_login, Kind::TargetNotFound),
        (named, Kind::Unsupported),
    ];
    for (target, kind) in cases {
        for connected in [&connected, &by_token(&lab, "env:OKTA_TOKEN")] {
            let error = write(&lab, connected, DISABLE, &target).await.unwrap_err();
            assert_eq!(error.kind, kind, "{target}: {error}");
        }
    }
    assert_eq!(lab.twin.count(Endpoint::Suspend), 0);
}

#[tokio::test]
async fn a_search_that_finds_who_had_the_name_before_finds_nobody() {
    let lab = lab().await;
    let id = lab.twin.id_of(MARA).unwrap();
    assert!(lab.twin.rename(&id, "mara.berg@acme.example"));
    let connected = lab.connect();
    let error = write(&lab, &connected, DISABLE, &by_login(MARA))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::TargetNotFound, "{error}");
    assert_eq!(lab.twin.count(Endpoint::Suspend), 0);
    write(&lab, &connected, DISABLE, &by_id(&id)).await.unwrap();
}

#[tokio::test]
async fn every_state_is_read_for_what_it_means() {
    let lab = lab().await;
    let connected = lab.connect();
    let cases = [
        (Status::Active, "enabled", None),
        (Status::Suspended, "disabled", None),
        (Status::Staged, "disabled", None),
        (Status::Deprovisioned, "disabled", None),
        (
            Status::LockedOut,
            "enabled",
            Some(("not-in-this-state", "person")),
        ),
        (
            Status::PasswordExpired,
            "enabled",
            Some(("not-in-this-state", "person")),
        ),
        (
            Status::Recovery,
            "enabled",
            Some(("not-in-this-state", "person")),
        ),
        (
            Status::Provisioned,
            "enabled",
            Some(("not-in-this-state", "person")),
        ),
    ];
    for (status, value, expected) in cases {
        lab.twin.set_status(MARA, status);
        let observed = read(&lab, &connected, &mara(&lab)).await.unwrap();
        let settled = Reading::Settled(Setting::named(value));
        assert_eq!(observed.reading, settled, "{status:?}");
        assert_eq!(obstacle(observed.obstacle.as_ref()), expected, "{status:?}");
    }
}

#[tokio::test]
async fn a_user_who_is_not_suspended_is_not_let_in_by_a_revert() {
    let lab = lab().await;
    lab.twin.set_status(MARA, Status::Deprovisioned);
    let enable = ActionType::EnableAccount;
    let error = write(&lab, &lab.connect(), enable, &mara(&lab))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorRejected);
    assert!(error.detail.contains("DEPROVISIONED"), "{error}");
}

#[tokio::test]
async fn administrators_are_privileged_whether_by_a_role_of_their_own_or_a_group_s() {
    let (lab, _) = lab_with(UserSpec::active("own@acme.example").role("HELP_DESK_ADMIN")).await;
    lab.twin.put_user(UserSpec {
        group_roles: vec!["ORG_ADMIN".to_owned()],
        ..UserSpec::active("group@acme.example")
    });
    let connected = lab.connect();
    let cases = [
        (MARA, false),
        ("own@acme.example", true),
        ("group@acme.example", true),
    ];
    for (login, privileged) in cases {
        let observed = read(&lab, &connected, &by_login(login)).await.unwrap();
        assert_eq!(
            observed.asset.labels.contains("privileged"),
            privileged,
            "{login}"
        );
        assert_eq!(observed.obstacle, None);
    }
}

#[tokio::test]
async fn where_roles_cannot_be_read_everybody_may_be_an_administrator() {
    let lab = lab().await;
    lab.twin.put_app(lab.twin.app().without("okta.roles.read"));
    let connected = lab.connect();
    let found = look(&lab, &connected, REVOKE, &mara(&lab)).await.unwrap();
    assert!(found.asset.labels.contains("privileged"));
    assert_eq!(found.obstacle, None);
    for error in [
        look(&lab, &connected, RESET, &mara(&lab))
            .await
            .unwrap_err(),
        read(&lab, &connected, &mara(&lab)).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, Kind::PermissionMissing);
        assert!(error.detail.contains("okta.roles.read"), "{error}");
    }
}

#[tokio::test]
async fn the_last_super_administrator_who_can_sign_in_is_never_shut_out() {
    let (lab, other) = lab_with(UserSpec::active("boss@acme.example").role("SUPER_ADMIN")).await;
    let connected = lab.connect();
    let root = by_login(ADMIN);
    let of = |rule| Some((rule, "nothing"));
    for status in [Status::Active, Status::Suspended, Status::Recovery] {
        lab.twin.set_status(&other, status);
        let expected = of("last-administrator").filter(|_| status != Status::Active);
        let disable = read(&lab, &connected, &root).await.unwrap().obstacle;
        assert_eq!(obstacle(disable.as_ref()), expected, "{status:?}");
        let reset = look(&lab, &connected, RESET, &root).await.unwrap().obstacle;
        assert_eq!(obstacle(reset.as_ref()), expected, "{status:?}");
        // Whoever signs in again is not shut out.
        let revoke = look(&lab, &connected, REVOKE, &root)
            .await
            .unwrap()
            .obstacle;
        assert_eq!(revoke, None);
    }
    // Who only has to set a new password could still do so.
    lab.twin.set_status(ADMIN, Status::PasswordExpired);
    let reset = look(&lab, &connected, RESET, &root).await.unwrap().obstacle;
    assert_eq!(obstacle(reset.as_ref()), of("last-administrator"));
}

#[tokio::test]
async fn another_administrator_is_looked_for_on_every_page_and_not_for_ever() {
    let crowd = |count: usize| {
        (0..count).fold(Config::manual(), |config, index| {
            config.with(
                UserSpec::active(&format!("help.{index}@acme.example")).role("HELP_DESK_ADMIN"),
            )
        })
    };
    let lab = Lab::start(crowd(49)).await;
    lab.twin
        .put_user(UserSpec::active("second@acme.example").role("SUPER_ADMIN"));
    let found = read(&lab, &lab.connect(), &by_login(ADMIN)).await.unwrap();
    assert_eq!(found.obstacle, None);

    let lab = Lab::start(crowd(60)).await;
    lab.twin
        .put_user(UserSpec::active("second@acme.example").role("SUPER_ADMIN"));
    let found = read(&lab, &lab.connect(), &by_login(ADMIN)).await.unwrap();
    let told = found.obstacle.unwrap();
    assert_eq!(
        obstacle(Some(&told)),
        Some(("last-administrator", "person"))
    );
    assert!(told.text.contains("first 50"), "{}", told.text);
}

#[tokio::test]
async fn whose_api_token_it_is_is_never_acted_on() {
    let lab = lab().await;
    lab.twin
        .put_user(UserSpec::active("boss@acme.example").role("SUPER_ADMIN"));
    let connected = by_token(&lab, "env:OKTA_TOKEN");
    let root = by_login(ADMIN);
    let disable = read(&lab, &connected, &root).await.unwrap().obstacle;
    assert_eq!(obstacle(disable.as_ref()), Some(("own-account", "nothing")));
    for action in [REVOKE, RESET] {
        let found = look(&lab, &connected, action, &root)
            .await
            .unwrap()
            .obstacle;
        assert_eq!(obstacle(found.as_ref()), Some(("own-account", "nothing")));
    }
    let mara = read(&lab, &connected, &mara(&lab)).await.unwrap();
    assert_eq!(mara.obstacle, None);
    assert!(!format!("{connected:?}", connected = connected.lifelines).contains(API_TOKEN));
}

#[tokio::test]
async fn a_super_administrator_is_above_credentials_that_are_none() {
    let lab = lab().await;
    lab.twin
        .put_user(UserSpec::active("boss@acme.example").role("SUPER_ADMIN"));
    lab.twin
        .put_user(UserSpec::active("desk@acme.example").role("HELP_DESK_ADMIN"));
    lab.twin.put_api_token("00other-token", "desk@acme.example");
    lab.twin.put_app(lab.twin.app().with_roles(&["ORG_ADMIN"]));
    for connected in [lab.connect(), by_token(&lab, "env:OTHER_TOKEN")] {
        let observed = read(&lab, &connected, &by_login(ADMIN)).await.unwrap();
        let found = obstacle(observed.obstacle.as_ref());
        assert_eq!(found, Some(("above-quell", "person")));
        let observed = read(&lab, &connected, &mara(&lab)).await.unwrap();
        assert_eq!(observed.obstacle, None);
    }
}

#[tokio::test]
async fn a_password_is_reset_where_it_belongs_and_in_a_state_that_allows_it() {
    let lab = lab().await;
    let connected = lab.connect();
    let sourced = [
        (
            "ACTIVE_DIRECTORY",
            Some(("synchronized-account", "active-directory")),
        ),
        ("LDAP", Some(("synchronized-account", "person"))),
        ("FEDERATION", Some(("federated-password", "person"))),
        ("SOCIAL", Some(("federated-password", "person"))),
        ("SOMETHING_NEW", Some(("federated-password", "person"))),
    ];
    for (provider, expected) in sourced {
        let login = format!("{}@acme.example", provider.to_lowercase());
        lab.twin
            .put_user(UserSpec::active(&login).sourced(provider, "corp.acme.example"));
        let found = look(&lab, &connected, RESET, &by_login(&login))
            .await
            .unwrap();
        assert_eq!(obstacle(found.obstacle.as_ref()), expected, "{provider}");
        // Sessions are Okta's own, wherever the password is.
        let found = look(&lab, &connected, REVOKE, &by_login(&login))
            .await
            .unwrap();
        assert_eq!(found.obstacle, None, "{provider}");
    }
    let states = [
        (Status::Active, true),
        (Status::PasswordExpired, true),
        (Status::LockedOut, true),
        (Status::Recovery, true),
        (Status::Suspended, false),
        (Status::Staged, false),
        (Status::Provisioned, false),
        (Status::Deprovisioned, false),
    ];
    for (status, allowed) in states {
        lab.twin.set_status(MARA, status);
        let found = look(&lab, &connected, RESET, &mara(&lab)).await.unwrap();
        let expected = Some(("not-in-this-state", "person")).filter(|_| !allowed);
        assert_eq!(obstacle(found.obstacle.as_ref()), expected, "{status:?}");
    }
}

#[tokio::test]
async fn active_directory_is_told_who_is_meant() {
    let user = UserSpec::active("noor.vos@acme.example");
    let (lab, _) = lab_with(user.sourced("ACTIVE_DIRECTORY", "corp.acme.example")).await;
    let target = by_login("noor.vos@acme.example");
    let found = look(&lab, &lab.connect(), RESET, &target).await.unwrap();
    assert!(found.asset.labels.contains("synchronized"));
    let Some(Instead::Other { connector, target }) = found.obstacle.map(|found| found.instead)
    else {
        panic!("there is another place to do it");
    };
    let expected = Account {
        principal: Some("noor.vos@acme.example".to_owned()),
        domain: Some("corp.acme.example".to_owned()),
        provider: Some("active_directory".to_owned()),
        ..Account::default()
    };
    assert_eq!((connector, *target), ("active-directory", expected.into()));
}
