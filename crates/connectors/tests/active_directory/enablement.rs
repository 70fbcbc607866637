//! Disabling and enabling: one bit, and what the domain itself makes of it.

use serde_json::json;

use crate::kit::{Lab, named};
use crate::samba::PASSWORD;
use crate::samba::people::STAFF;

pub(crate) async fn a_disabled_account_cannot_sign_in_until_it_is_enabled() {
    let lab = Lab::start();
    let (connection, lasting) = (lab.connect(), named("lasting"));
    lab.samba.sign_in("CORP\\lasting", PASSWORD).unwrap();

    let receipt = connection.set(&lasting, "disabled").await.unwrap();
    assert_eq!(receipt.evidence["before"], json!(66048));
    assert_eq!(lab.samba.number("lasting", "userAccountControl"), 66050);
    let refused = lab.samba.sign_in("CORP\\lasting", PASSWORD).unwrap_err();
    assert!(refused.contains("data 533"), "{refused}");

    connection.set(&lasting, "enabled").await.unwrap();
    assert_eq!(lab.samba.number("lasting", "userAccountControl"), 66048);
    lab.samba.sign_in("CORP\\lasting", PASSWORD).unwrap();
}

pub(crate) async fn taking_back_keeps_what_others_changed_meanwhile() {
    let lab = Lab::start();
    let (connection, bob) = (lab.connect(), named("bob"));
    connection.set(&bob, "disabled").await.unwrap();
    let name = format!("CN=bob,{STAFF}");
    // The password never expires any more, and a smart card is wanted.
    let meanwhile = 514 | 0x1_0000 | 0x4_0000;
    lab.samba
        .set(&name, "userAccountControl", &meanwhile.to_string());

    connection.set(&bob, "enabled").await.unwrap();
    let now = lab.samba.number("bob", "userAccountControl");
    assert_eq!(now, meanwhile & !2);
}

pub(crate) async fn an_account_that_was_disabled_already_is_not_touched() {
    let lab = Lab::start();
    let before = lab.samba.number("gone", "uSNChanged");
    let receipt = lab.connect().set(&named("gone"), "disabled").await.unwrap();
    assert!(receipt.unchanged);
    assert_eq!(lab.samba.number("gone", "uSNChanged"), before);
}
