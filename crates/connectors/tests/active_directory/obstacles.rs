//! Whom Quell leaves alone, and what it says of the others.

use quell_connector::Instead;
use serde_json::json;

use crate::kit::{Connection, Lab, named};
use crate::samba::people::{DOMAIN, STAFF};

async fn rule(connection: &Connection, name: &str) -> Option<&'static str> {
    let who = named(name);
    let obstacle = connection.look(&who).await.unwrap().obstacle;
    // Both rows look the same way.
    assert_eq!(connection.read(&who).await.unwrap().obstacle, obstacle);
    if let Some(obstacle) = &obstacle {
        assert_eq!(obstacle.instead, Instead::Nothing, "{}", obstacle.text);
    }
    obstacle.map(|obstacle| obstacle.rule)
}

async fn labels(connection: &Connection, name: &str) -> Vec<String> {
    let sight = connection.look(&named(name)).await.unwrap();
    sight.asset.labels.into_iter().collect()
}

pub(crate) async fn nobody_touches_what_windows_needs_or_quell_itself_through_quell() {
    let lab = Lab::start();
    let connection = lab.connect();
    for (name, wanted) in [
        ("Administrator", Some("built-in-account")),
        ("Guest", Some("built-in-account")),
        ("krbtgt", Some("built-in-account")),
        ("WS-07$", Some("built-in-account")),
        ("DC1$", Some("built-in-account")),
        ("quell", Some("own-account")),
        ("bob", None),
        ("boss", None),
    ] {
        assert_eq!(rule(&connection, name).await, wanted, "{name}");
    }
    // Whatever name it signs in by.
    let by_name = lab.connect_with(json!({ "username": format!("CN=quell,CN=Users,{DOMAIN}") }));
    assert_eq!(rule(&by_name, "quell").await, Some("own-account"));
}

pub(crate) async fn the_last_enabled_domain_administrator_is_left_alone() {
    let lab = Lab::start();
    let connection = lab.connect();
    // Two are administrators through a group in a group, and one is built in.
    lab.samba.change(&format!(
        "dn: CN=Bosses,{STAFF}\nchangetype: modify\nadd: member\nmember: CN=carol,{STAFF}\n"
    ));
    let administrator = format!("CN=Administrator,CN=Users,{DOMAIN}");
    lab.samba.set(&administrator, "userAccountControl", "514");
    assert_eq!(rule(&connection, "boss").await, None);
    connection.set(&named("carol"), "disabled").await.unwrap();
    assert_eq!(rule(&connection, "boss").await, Some("last-administrator"));
    assert_eq!(rule(&connection, "carol").await, None);
    assert_eq!(rule(&connection, "bob").await, None);
}

pub(crate) async fn rights_and_services_are_read_from_the_live_record() {
    let lab = Lab::start();
    let connection = lab.connect();
    assert_eq!(labels(&connection, "bob").await, [""; 0]);
    // Through a group in a group.
    assert_eq!(labels(&connection, "boss").await, ["privileged"]);
    assert_eq!(labels(&connection, "web").await, ["service-account"]);
    // Was an administrator once; Windows still treats it as one.
    lab.samba.set(&format!("CN=bob,{STAFF}"), "adminCount", "1");
    assert_eq!(labels(&connection, "bob").await, ["privileged"]);
    lab.samba
        .set(&format!("CN=carol,{STAFF}"), "primaryGroupID", "513");
    let operators = format!("CN=Backup Operators,CN=Builtin,{DOMAIN}");
    lab.samba.change(&format!(
        "dn: {operators}\nchangetype: modify\nadd: member\nmember: CN=carol,{STAFF}\n"
    ));
    assert_eq!(labels(&connection, "carol").await, ["privileged"]);
}

pub(crate) async fn the_domain_and_the_account_of_the_connection_are_known_without_asking() {
    let lab = Lab::start();
    let connection = lab.connect().connected;
    assert_eq!(connection.realm.as_deref(), Some("corp.example.test"));
    assert_eq!(connection.lifelines.accounts, ["quell@corp.example.test"]);
    assert_eq!(connection.lifelines.hosts, [lab.samba.address.to_string()]);
}
