//! Alert documents of every kind: what comes out of them, and that nothing in them does harm.

use proptest::prelude::*;
use quell_connector::DocumentError;
use quell_connectors::google_workspace::{alert_id_in, normalise};
use quell_model::entity::Entity;
use quell_model::{Alert, AlertKind, AlertStatus, Severity};
use serde_json::value::RawValue;
use serde_json::{Value, json};

macro_rules! fixtures {
    ($($name:ident),* $(,)?) => {
        const FIXTURES: &[(&str, &str)] = &[$((
            stringify!($name),
            include_str!(concat!("../fixtures/google_workspace/", stringify!($name), ".json")),
        )),*];
    };
}

fixtures!(
    suspicious_login,
    leaked_password,
    state_sponsored_attack,
    user_suspended,
    device_compromised,
    user_reported_phishing,
    misconfigured_whitelist,
    sensitive_admin_action,
    login_suspicious,
    login_leaked_password,
    login_success,
);

fn fixture(name: &str) -> Value {
    let (_, text) = FIXTURES.iter().find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(text).unwrap()
}

fn read(document: &Value) -> Result<Alert, DocumentError> {
    normalise(&RawValue::from_string(document.to_string()).unwrap())
}

fn alert(name: &str) -> Alert {
    read(&fixture(name)).unwrap()
}

fn changed(name: &str, change: impl FnOnce(&mut Value)) -> Result<Alert, DocumentError> {
    let mut document = fixture(name);
    change(&mut document);
    read(&document)
}

fn noted(alert: &Alert, field: &str) -> bool {
    alert.notes.iter().any(|note| note.field == field)
}

fn principals(alert: &Alert) -> Vec<&str> {
    let accounts = alert.entities.iter().filter_map(|entity| match entity {
        Entity::Account(account) => account.principal.as_deref(),
        _ => None,
    });
    accounts.collect()
}

#[test]
fn every_kind_of_document_gives_its_alert() {
    for (name, text) in FIXTURES {
        let alert = normalise(&RawValue::from_string((*text).to_owned()).unwrap()).unwrap();
        insta::assert_json_snapshot!(*name, alert);
    }
}

#[test]
fn one_sign_in_is_recognised_in_the_alert_center_and_in_the_audit() {
    let (center, audit) = (alert("suspicious_login"), alert("login_suspicious"));
    assert!(center.occurrence.is_some());
    assert_eq!(center.occurrence, audit.occurrence);
    assert_ne!(center.id, audit.id);
    let keys = |alert: &Alert| alert.entities.iter().map(Entity::key).collect::<Vec<_>>();
    assert_eq!(keys(&center), keys(&audit));
    // The Alert Center leaves the C in front of the customer's id out.
    assert_eq!(center.tenant, audit.tenant);
    assert_eq!(alert("leaked_password").occurrence, None);
}

#[test]
fn the_severity_is_google_s_and_without_one_the_kind_s() {
    let with = |severity: Value| {
        let change = |document: &mut Value| document["metadata"]["severity"] = severity;
        changed("suspicious_login", change).unwrap().severity
    };
    assert_eq!(with(json!("LOW")), Severity::Low);
    assert_eq!(with(json!("medium")), Severity::Medium);
    assert_eq!(with(json!("HIGH")), Severity::High);
    for unknown in [json!(""), json!("APOCALYPTIC"), json!(null)] {
        assert_eq!(with(unknown), Severity::Medium);
    }
    assert_eq!(alert("leaked_password").severity, Severity::High);
    assert_eq!(alert("device_compromised").severity, Severity::High);
}

#[test]
fn words_are_compared_whatever_their_case_and_unknown_ones_fail_nothing() {
    let odd = changed("suspicious_login", |document| {
        document["type"] = json!("SUSPICIOUS LOGIN (new style)");
        document["metadata"]["status"] = json!("PONDERED");
    })
    .unwrap();
    assert_eq!(
        (odd.kind, odd.status),
        (AlertKind::RiskySignIn, AlertStatus::Unknown)
    );
    let bare = changed("suspicious_login", |document| {
        document["source"] = json!("GOOGLE IDENTITY");
        document["data"] = json!({ "email": "a@northwind.example" });
    })
    .unwrap();
    assert_eq!(bare.kind, AlertKind::RiskySignIn);
    let foreign = changed("suspicious_login", |document| {
        document["data"] = json!({ "@type": "type.googleapis.com/x.NewThing", "email": ["?"] });
    })
    .unwrap();
    assert_eq!(
        (foreign.kind, foreign.entities.len()),
        (AlertKind::Other, 0)
    );
}

#[test]
fn a_blocked_sign_in_and_one_google_answered_itself_are_noted() {
    let blocked = changed("suspicious_login", |document| {
        document["data"]["loginDetails"] = json!({ "ipAddress": "198.51.100.23" });
    })
    .unwrap();
    assert!(noted(&blocked, "data.loginDetails.loginTime"));
    let suspended = alert("user_suspended");
    assert_eq!(suspended.kind, AlertKind::RiskySignIn);
    assert!(noted(&suspended, "type"));
}

#[test]
fn a_device_that_is_well_again_is_only_recorded() {
    let well = changed("device_compromised", |document| {
        document["data"]["events"][0]["deviceCompromisedState"] = json!("Not Compromised");
    })
    .unwrap();
    assert_eq!(well.severity, Severity::Informational);
}

#[test]
fn messages_are_gathered_by_their_id_and_recipients_are_no_accounts() {
    let alert = alert("user_reported_phishing");
    let message = |entity: &Entity| match entity {
        Entity::EmailMessage(message) => Some((
            message.message_id.clone().unwrap(),
            message.recipients.len(),
        )),
        _ => None,
    };
    let messages: Vec<_> = alert.entities.iter().filter_map(message).collect();
    let expected = [
        ("<CAF1x9@mail.pay-roll.test>", 2),
        ("<CAF2y0@mail.pay-roll.test>", 1),
    ];
    assert_eq!(messages, expected.map(|(id, count)| (id.to_owned(), count)));
    assert!(principals(&alert).is_empty());
}

#[test]
fn an_inside_sender_and_mail_that_google_removed_are_noted_and_no_target() {
    let inside = changed("user_reported_phishing", |document| {
        document["data"]["isInternal"] = json!(true);
        document["data"]["systemActionType"] = json!("REMOVED_FROM_INBOX");
    })
    .unwrap();
    assert!(noted(&inside, "data.isInternal") && noted(&inside, "data.systemActionType"));
    let sender = |entity: &Entity| matches!(entity, Entity::Sender(_));
    assert!(!inside.entities.iter().any(sender));
    assert!(alert("user_reported_phishing").entities.iter().any(sender));
}

#[test]
fn an_endless_list_of_messages_is_cut_and_says_so() {
    let messages: Vec<_> = (0..5000)
        .map(|n| json!({ "messageId": format!("{n}@x.test"), "recipient": "a@northwind.example" }))
        .collect();
    let many = changed("user_reported_phishing", |document| {
        document["data"]["messages"] = messages.into();
    })
    .unwrap();
    assert!(many.entities.len() <= 200);
    assert!(noted(&many, "data.messages"));
}

#[test]
fn a_warning_is_about_the_affected_account_and_not_its_actor() {
    let other = changed("login_suspicious", |document| {
        document["actor"]["email"] = json!("helpdesk@northwind.example");
    })
    .unwrap();
    assert_eq!(principals(&other), ["mara.lind@northwind.example"]);
    let leak = alert("login_leaked_password");
    assert_eq!(principals(&leak), ["jo@northwind.example"]);
}

#[test]
fn what_is_no_alert_is_refused_with_the_path() {
    let path = |document: Value| read(&document).unwrap_err().path;
    let user = json!({ "kind": "admin#directory#user", "id": "1", "primaryEmail": "user@x.example", "suspended": true });
    assert_eq!(path(user), "$.alertId");
    assert_eq!(path(json!({})), "$.alertId");
    let lacks = |name: &str, change: fn(&mut Value)| changed(name, change).unwrap_err().path;
    let none = |document: &mut Value| {
        for member in ["createTime", "startTime", "updateTime"] {
            document[member] = Value::Null;
        }
    };
    assert_eq!(lacks("leaked_password", none), "$.createTime");
    let typed = |document: &mut Value| document["data"]["email"] = json!(7);
    assert_eq!(lacks("suspicious_login", typed), "$.data.email");
    let time = |document: &mut Value| document["id"]["time"] = json!("soon");
    assert_eq!(lacks("login_suspicious", time), "$.id.time");
    let events = |document: &mut Value| document["events"] = json!([]);
    assert_eq!(lacks("login_suspicious", events), "$.events");
    let id = |document: &mut Value| document["alertId"] = json!("a\nb");
    assert_eq!(lacks("suspicious_login", id), "$.alertId");
}

#[test]
fn hostile_text_is_only_text() {
    let hostile = changed("suspicious_login", |document| {
        document["type"] = json!("Suspicious\r\nlogin\u{202e}\u{1b}[31m");
        document["data"]["email"] = json!("ana@northwind.example/../admin");
        document["data"]["loginDetails"]["ipAddress"] = json!("10.0.0.1; rm -rf /");
        document["securityInvestigationToolLink"] = json!("javascript:alert(1)");
    })
    .unwrap();
    assert!(!hostile.title.contains(['\n', '\u{1b}', '\u{202e}']));
    assert!(hostile.entities.is_empty(), "{:?}", hostile.entities);
    assert!(noted(&hostile, "data.email") && noted(&hostile, "data.loginDetails.ipAddress"));
    assert_eq!(hostile.console_url, None);
    for id in ["<a> <b>", "a b@c", "", "\u{0}"] {
        let mail = changed("user_reported_phishing", |document| {
            document["data"]["messages"] = json!([{ "messageId": id }]);
        })
        .unwrap();
        let message = |entity: &Entity| matches!(entity, Entity::EmailMessage(_));
        assert!(!mail.entities.iter().any(message), "{id:?}");
        assert!(noted(&mail, "data.messages"));
    }
}

#[test]
fn the_id_is_found_in_a_pointer_and_never_one_that_could_lead_elsewhere() {
    let found =
        |document: Value| alert_id_in(&RawValue::from_string(document.to_string()).unwrap());
    let id = "0b5cfd6e-3a44-4f0e-9b1c-6d1f5a0c7e11";
    assert_eq!(found(json!({ "alertId": id })), Some(id.to_owned()));
    assert_eq!(found(fixture("suspicious_login")), Some(id.to_owned()));
    assert_eq!(found(fixture("login_suspicious")), None);
    for bad in ["../../users", "", "a", "x?y=zzzzzzzz"] {
        assert_eq!(found(json!({ "alertId": bad })), None, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_damaged_document_is_read_or_refused_and_never_more_than_that(
        which in 0..FIXTURES.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..8),
    ) {
        let mut bytes = FIXTURES[which].1.as_bytes().to_vec();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ => bytes.get_mut(at).into_iter().for_each(|place| *place = byte),
            }
        }
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        let Ok(json) = RawValue::from_string(text) else { return Ok(()) };
        if let Ok(alert) = normalise(&json) {
            prop_assert!(alert.entities.len() <= 200);
            prop_assert!(!alert.title.contains('\n'));
        }
    }
}
