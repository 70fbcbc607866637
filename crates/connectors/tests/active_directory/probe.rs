//! What a connection check says.

use serde_json::{Value, json};

use crate::kit::Lab;

async fn checks(lab: &Lab, settings: Value) -> Vec<(String, Option<bool>)> {
    let connection = lab.connect_with(settings);
    let checks = connection.connected.probe(&connection.call()).await;
    checks
        .into_iter()
        .map(|check| (check.name, check.ok))
        .collect()
}

fn row(name: &str, ok: Option<bool>) -> (String, Option<bool>) {
    (name.to_owned(), ok)
}

pub(crate) async fn each_controller_and_each_delegation_has_a_line() {
    let lab = Lab::start();
    let here = lab.samba.address.to_string();
    let sign_in = row(&format!("Sign-in at {here}"), Some(true));
    let delegated = |ok| {
        vec![
            sign_in.clone(),
            row("Read all properties", Some(true)),
            row("Write userAccountControl", Some(ok)),
            row("Write pwdLastSet", Some(ok)),
            row("Reset password", None),
        ]
    };
    assert_eq!(checks(&lab, json!({})).await, delegated(true));
    let powerless = json!({ "username": "powerless@corp.example.test" });
    assert_eq!(checks(&lab, powerless).await, delegated(false));

    let dead = format!("{here}:1");
    let lines = checks(&lab, json!({ "servers": [dead, here], "probe_user": null })).await;
    assert_eq!(lines[0], row(&format!("Sign-in at {dead}"), None));
    assert_eq!(lines[1], sign_in);
    assert!(lines[2..].iter().all(|(_, ok)| ok.is_none()), "{lines:?}");
    let nobody = checks(&lab, json!({ "probe_user": "nobody" })).await;
    assert_eq!(nobody[1], row("Read all properties", Some(false)));
}

pub(crate) async fn a_wrong_password_is_tried_at_one_controller_only() {
    let lab = Lab::start();
    let here = lab.samba.address.to_string();
    let settings = json!({ "servers": [here, here], "password": "wrong" });
    let lines = checks(&lab, settings).await;
    assert_eq!(lines, [row(&format!("Sign-in at {here}"), Some(false))]);
}
