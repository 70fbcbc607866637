//! Which account is meant, and that nobody else is ever taken for it.

use quell_connector::Kind;
use serde_json::{Value, json};

use crate::kit::{Connection, Lab, account, failed};

/// The name of the account that was found, by disabling it.
async fn found(connection: &Connection, lab: &Lab, who: Value, name: &str) {
    let who = account(who);
    connection.set(&who, "disabled").await.unwrap();
    assert_eq!(lab.samba.number(name, "userAccountControl"), 514, "{who:?}");
    connection.set(&who, "enabled").await.unwrap();
}

pub(crate) async fn every_way_to_name_an_account_finds_that_one() {
    let lab = Lab::start();
    let connection = lab.connect();
    let receipt = connection
        .set(&account(json!({ "name": "CORP\\bob" })), "enabled")
        .await;
    let guid = receipt.unwrap().evidence["guid"].clone();
    for (who, name) in [
        (json!({ "id": guid, "provider": "active_directory" }), "bob"),
        (json!({ "principal": "bob@corp.example.test" }), "bob"),
        (
            json!({ "principal": "BOB@CORP.EXAMPLE.TEST", "provider": "entra_id", "id": "7" }),
            "bob",
        ),
        (json!({ "principal": "robert@example.test" }), "bob"),
        (json!({ "name": "bob", "domain": "corp" }), "bob"),
        (
            json!({ "name": "bob", "domain": "Corp.Example.Test" }),
            "bob",
        ),
        (
            json!({ "name": "bob", "provider": "active_directory" }),
            "bob",
        ),
        // She has no principal name of her own.
        (json!({ "principal": "carol@corp.example.test" }), "carol"),
        (json!({ "name": "o'dd)(x", "domain": "CORP" }), "odd"),
        (
            json!({ "principal": "*)(\\odd@example.test", "provider": "active_directory" }),
            "odd",
        ),
    ] {
        if who["principal"]
            .as_str()
            .is_some_and(|text| text.contains('\\'))
        {
            // A backslash separates a domain, so this mail address is nobody's.
            let error = failed(connection.read(&account(who)).await);
            assert_eq!(error.kind, Kind::TargetNotFound);
        } else {
            found(&connection, &lab, who, name).await;
        }
    }
}

pub(crate) async fn a_security_identifier_finds_its_account_wherever_it_was_moved() {
    let lab = Lab::start();
    let connection = lab.connect();
    let sid = lab.sid("bob");
    let who = json!({ "sid": sid, "id": "42", "provider": "entra_id", "principal": "old@corp.example.test" });
    lab.samba.move_elsewhere("bob");
    connection.read(&account(who)).await.unwrap();
}

pub(crate) async fn what_does_not_name_exactly_one_account_of_the_domain_is_refused() {
    let lab = Lab::start();
    let connection = lab.connect();
    let no_such_sid = lab.sid("bob").rsplit_once('-').unwrap().0.to_owned() + "-99999";
    for (who, kind) in [
        (
            json!({ "principal": "twins@example.test" }),
            Kind::TargetAmbiguous,
        ),
        (
            json!({ "principal": "nobody@corp.example.test" }),
            Kind::TargetNotFound,
        ),
        (
            json!({ "principal": "*@corp.example.test" }),
            Kind::TargetNotFound,
        ),
        (
            json!({ "principal": "b*" , "provider": "active_directory" }),
            Kind::TargetNotFound,
        ),
        (
            json!({ "name": "bob)(objectClass=*", "domain": "CORP" }),
            Kind::TargetNotFound,
        ),
        (
            json!({ "name": "bob", "domain": "OTHER" }),
            Kind::TargetNotFound,
        ),
        (json!({ "name": "OTHER\\bob" }), Kind::TargetNotFound),
        (json!({ "name": "bob" }), Kind::TargetNotFound),
        (
            json!({ "sid": no_such_sid, "principal": "bob@corp.example.test" }),
            Kind::TargetNotFound,
        ),
        (
            json!({ "sid": "S-1-5-21-9-9-9-1104" }),
            Kind::TargetNotFound,
        ),
        // The group of administrators is there, and no account.
        (json!({ "sid": "S-1-5-32-544" }), Kind::Unsupported),
        (
            json!({ "name": "Bosses", "domain": "CORP" }),
            Kind::TargetNotFound,
        ),
    ] {
        let who = account(who);
        let error = failed(connection.read(&who).await);
        assert_eq!(error.kind, kind, "{who:?}: {error}");
    }
}
