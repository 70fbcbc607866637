//! What a look finds in the way, and what goes into the second decision.

use std::collections::BTreeSet;
use std::time::Duration;

use quell_connector::contract::{Instead, Obstacle};
use quell_connector::{Connected, Kind, Reading};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Setting};
use quell_twins::entra_id::{
    App, CLIENT_ID, CLIENT_SECRET, Config, DIRECTORY_READERS, DIRECTORY_SYNCHRONIZATION, Endpoint,
    GLOBAL_ADMINISTRATOR, PRIVILEGED_AUTHENTICATION_ADMINISTRATOR, Permission, USER_ADMINISTRATOR,
    UserSpec,
};

use crate::kit::{NOOR, app_with, by_name, lab, look, read, set, synchronised};
use crate::lab::Lab;

const ROOT: &str = "root@northwind.example";
const SAM: &str = "sam@northwind.example";

/// The obstacles to disabling, ending sessions and resetting, in this order.
async fn obstacles(lab: &Lab, connected: &Connected, who: &str) -> [Option<Obstacle>; 3] {
    let who = by_name(who);
    let sight = |action| look(lab, connected, action, &who);
    [
        read(lab, connected, &who).await.unwrap().obstacle,
        sight(ActionType::RevokeSessions).await.unwrap().obstacle,
        sight(ActionType::ResetPassword).await.unwrap().obstacle,
    ]
}

fn rules(found: &[Option<Obstacle>; 3]) -> [&str; 3] {
    found
        .each_ref()
        .map(|one| one.as_ref().map_or("", |one| one.rule))
}

async fn labels(lab: &Lab, connected: &Connected, who: &str) -> BTreeSet<String> {
    let observed = read(lab, connected, &by_name(who)).await.unwrap();
    observed.asset.labels
}

fn set_of(labels: &[&str]) -> BTreeSet<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

#[tokio::test]
async fn an_ordinary_user_has_nothing_in_the_way_and_no_label() {
    let reader = UserSpec::new("reader@northwind.example").with_role(DIRECTORY_READERS);
    let lab = lab(&[reader]).await;
    let connected = lab.connect();
    for who in [NOOR, "reader@northwind.example"] {
        assert_eq!(rules(&obstacles(&lab, &connected, who).await), ["", "", ""]);
        assert_eq!(labels(&lab, &connected, who).await, set_of(&[]));
    }
}

#[tokio::test]
async fn a_synchronised_user_is_disabled_and_reset_on_premises_and_signed_out_here() {
    let lab = lab(&[synchronised(SAM)]).await;
    let connected = lab.connect();
    let found = obstacles(&lab, &connected, SAM).await;
    assert_eq!(
        rules(&found),
        ["synchronized-account", "", "synchronized-account"]
    );
    let target: Entity = Account {
        sid: Some("S-1-5-21-11-22-33-1104".into()),
        name: Some("sam".into()),
        domain: Some("corp.northwind.example".into()),
        principal: Some(SAM.into()),
        provider: Some("active_directory".into()),
        id: None,
    }
    .into();
    let instead = Instead::Other {
        connector: "active-directory",
        target: Box::new(target),
    };
    assert_eq!(found[0].as_ref().unwrap().instead, instead);
    assert_eq!(
        labels(&lab, &connected, SAM).await,
        set_of(&["synchronized"])
    );
}

#[tokio::test]
async fn a_guest_is_a_persons_business() {
    let guest = UserSpec {
        guest: true,
        ..UserSpec::new("eve_out.example#EXT#@northwind.example")
    };
    let who = guest.principal.clone();
    let lab = lab(&[guest]).await;
    let connected = lab.connect();
    let found = obstacles(&lab, &connected, &who).await;
    assert_eq!(rules(&found), ["guest-account"; 3]);
    assert_eq!(found[1].as_ref().unwrap().instead, Instead::Person);
    assert_eq!(labels(&lab, &connected, &who).await, set_of(&["guest"]));
}

#[tokio::test]
async fn an_administrator_is_within_reach_only_of_an_app_with_the_role_for_it() {
    let boss = UserSpec::new(ROOT).with_role(USER_ADMINISTRATOR);
    let lab = lab(&[boss]).await;
    let found = obstacles(&lab, &lab.connect(), ROOT).await;
    assert_eq!(rules(&found), ["above-quell", "", "above-quell"]);
    assert_eq!(found[2].as_ref().unwrap().instead, Instead::Person);
    assert_eq!(
        labels(&lab, &lab.connect(), ROOT).await,
        set_of(&["privileged"])
    );
    lab.twin
        .put_app(app_with(PRIVILEGED_AUTHENTICATION_ADMINISTRATOR));
    let connected = lab.connect();
    assert_eq!(
        rules(&obstacles(&lab, &connected, ROOT).await),
        ["", "", ""]
    );
    set(&lab, &connected, ActionType::DisableAccount, &by_name(ROOT))
        .await
        .unwrap();
    assert_eq!(lab.twin.is_enabled(ROOT), Some(false));
}

#[tokio::test]
async fn the_last_global_administrator_who_can_sign_in_is_left_alone() {
    let chief = |name: &str| UserSpec::new(name).with_role(GLOBAL_ADMINISTRATOR);
    let guest = UserSpec {
        guest: true,
        ..chief("eve_out.example#EXT#@northwind.example")
    };
    let lab = lab(&[chief(ROOT), chief("second@northwind.example"), guest]).await;
    lab.twin.put_app(app_with(GLOBAL_ADMINISTRATOR));
    let connected = lab.connect();
    assert_eq!(
        rules(&obstacles(&lab, &connected, ROOT).await),
        ["", "", ""]
    );
    // Checked live: a moment later the other one is gone.
    lab.twin.set_enabled("second@northwind.example", false);
    let found = obstacles(&lab, &connected, ROOT).await;
    assert_eq!(
        rules(&found),
        ["last-administrator", "", "last-administrator"]
    );
    assert_eq!(found[0].as_ref().unwrap().instead, Instead::Nothing);
}

#[tokio::test]
async fn two_global_administrators_at_once_do_not_leave_the_tenant_without_one() {
    let second = "second@northwind.example";
    let chief = |name: &str| UserSpec::new(name).with_role(GLOBAL_ADMINISTRATOR);
    let lab = lab(&[chief(ROOT), chief(second)]).await;
    lab.twin.put_app(app_with(GLOBAL_ADMINISTRATOR));
    // Reads show the first one enabled long after the second one's turn.
    lab.twin.set_settle(Duration::from_secs(60));
    let connected = lab.connect();
    let disable = |who: &'static str| {
        let (lab, connected) = (&lab, &connected);
        async move { set(lab, connected, ActionType::DisableAccount, &by_name(who)).await }
    };
    let (one, other) = tokio::join!(disable(ROOT), disable(second));
    let failed = [one, other].into_iter().filter_map(Result::err);
    let kinds: Vec<_> = failed.map(|error| error.kind).collect();
    assert_eq!(kinds, [Kind::VendorRejected]);
    let left = [ROOT, second].map(|who| lab.twin.is_enabled(who));
    assert_eq!(
        left.iter()
            .filter(|enabled| **enabled == Some(true))
            .count(),
        1
    );
    // The way back is open, and whoever is back counts again.
    lab.clock.advance(Duration::from_secs(60));
    let (gone, there) = match left[0] {
        Some(false) => (ROOT, second),
        _ => (second, ROOT),
    };
    set(&lab, &connected, ActionType::EnableAccount, &by_name(gone))
        .await
        .unwrap();
    lab.clock.advance(Duration::from_secs(60));
    disable(there).await.unwrap();
    assert_eq!(lab.twin.is_enabled(there), Some(false));
}

#[tokio::test]
async fn the_account_that_synchronises_the_directory_is_left_alone() {
    let sync = UserSpec::new("sync_dc01@northwind.example").with_role(DIRECTORY_SYNCHRONIZATION);
    let who = sync.principal.clone();
    let lab = lab(&[sync]).await;
    let connected = lab.connect();
    let found = obstacles(&lab, &connected, &who).await;
    assert_eq!(rules(&found), ["built-in-account", "", "built-in-account"]);
    let labels = labels(&lab, &connected, &who).await;
    assert_eq!(labels, set_of(&["privileged", "service-account"]));
}

#[tokio::test]
async fn a_federated_password_is_somebody_elses_and_without_the_permission_the_vendor_refuses_it() {
    let config = Config {
        federated_domains: vec!["fed.example".into()],
        ..Config::manual().with_user(UserSpec::new("fay@fed.example"))
    };
    let lab = Lab::start(config).await;
    let connected = lab.connect();
    let found = obstacles(&lab, &connected, "fay@fed.example").await;
    assert_eq!(rules(&found), ["", "", "federated-password"]);
    lab.twin
        .put_app(App::new(CLIENT_ID, CLIENT_SECRET).without(Permission::DomainRead));
    let found = obstacles(&lab, &lab.connect(), "fay@fed.example").await;
    assert_eq!(rules(&found), ["", "", ""]);
}

#[tokio::test]
async fn roles_that_cannot_be_read_stop_what_could_do_harm_and_not_the_way_back() {
    let boss = UserSpec::new(ROOT).with_role(GLOBAL_ADMINISTRATOR);
    let lab = lab(&[boss]).await;
    lab.twin.set_enabled(ROOT, false);
    let app = app_with(GLOBAL_ADMINISTRATOR).without(Permission::RoleRead);
    lab.twin.put_app(app);
    let connected = lab.connect();
    // The role comes without its template, so it may be any.
    let observed = read(&lab, &connected, &by_name(ROOT)).await.unwrap();
    assert_eq!(
        observed.reading,
        Reading::Settled(Setting::named("disabled"))
    );
    assert_eq!(observed.asset.labels, set_of(&["privileged"]));
    assert_eq!(
        observed.obstacle.as_ref().map(|one| one.rule),
        Some("above-quell")
    );
    assert!(
        observed
            .obstacle
            .unwrap()
            .text
            .contains("RoleManagement.Read.Directory")
    );
    set(&lab, &connected, ActionType::EnableAccount, &by_name(ROOT))
        .await
        .unwrap();
    assert_eq!(lab.twin.is_enabled(ROOT), Some(true));
    assert_eq!(lab.twin.count(Endpoint::RoleMembers), 0);
}
