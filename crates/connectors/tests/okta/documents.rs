//! Events of every kind: what comes out of them, and that nothing in them does harm.

use proptest::prelude::*;
use quell_connector::DocumentError;
use quell_connectors::okta::normalise;
use quell_model::entity::{Account, Entity};
use quell_model::{Alert, AlertKind, AlertStatus, Severity};
use serde_json::value::RawValue;
use serde_json::{Value, json};

macro_rules! fixtures {
    ($($name:ident),* $(,)?) => {
        const FIXTURES: &[(&str, &str)] = &[$((
            stringify!($name),
            include_str!(concat!("../fixtures/okta/", stringify!($name), ".json")),
        )),*];
    };
}

fixtures!(
    sign_in,
    risk_change,
    reported_by_user,
    threat,
    session_clear
);

fn fixture(name: &str) -> Value {
    let (_, text) = FIXTURES.iter().find(|(known, _)| *known == name).unwrap();
    serde_json::from_str(text).unwrap()
}

fn read(document: &Value) -> Result<Alert, DocumentError> {
    normalise(&RawValue::from_string(document.to_string()).unwrap())
}

/// An alert from a fixture with these members laid over it.
fn with(name: &str, members: Value) -> Alert {
    let mut document = fixture(name);
    let (Value::Object(document), Value::Object(members)) = (&mut document, members) else {
        panic!("both are objects");
    };
    document.extend(members);
    read(&Value::Object(document.clone())).unwrap()
}

fn account(alert: &Alert) -> Option<&Account> {
    alert.entities.iter().find_map(|entity| match entity {
        Entity::Account(account) => Some(account),
        _ => None,
    })
}

#[test]
fn every_kind_of_event_gives_its_alert() {
    for (name, _) in FIXTURES {
        insta::assert_json_snapshot!(*name, read(&fixture(name)).unwrap());
    }
}

#[test]
fn the_log_level_says_nothing_of_how_bad_it_is() {
    for level in ["DEBUG", "INFO", "WARN", "ERROR"] {
        let alert = with("sign_in", json!({ "severity": level }));
        assert_eq!(alert.severity, Severity::High);
    }
}

#[test]
fn a_sign_in_is_as_bad_as_its_risk() {
    let cases = [
        (
            json!({ "level": "HIGH" }),
            Severity::High,
            AlertKind::RiskySignIn,
        ),
        (
            json!({ "level": "medium" }),
            Severity::Medium,
            AlertKind::RiskySignIn,
        ),
        (
            json!({ "level": "LOW" }),
            Severity::Informational,
            AlertKind::IdentityActivity,
        ),
        (
            json!({ "level": "EXTREME" }),
            Severity::Informational,
            AlertKind::IdentityActivity,
        ),
        (
            Value::Null,
            Severity::Informational,
            AlertKind::IdentityActivity,
        ),
    ];
    for (risk, severity, kind) in cases {
        let alert = with("sign_in", json!({ "securityContext": { "risk": risk } }));
        assert_eq!((alert.severity, alert.kind), (severity, kind), "{risk}");
    }
    let old = json!({
        "securityContext": {},
        "debugContext": { "debugData": { "risk": "{reasons=Anomalous Device, level=HIGH}" } },
    });
    assert_eq!(with("sign_in", old).severity, Severity::High);
}

#[test]
fn who_does_not_get_in_does_not_cost_the_user_anything() {
    for result in ["FAILURE", "DENY", "RATE_LIMIT", "ABANDONED"] {
        let alert = with("sign_in", json!({ "outcome": { "result": result } }));
        assert_eq!(alert.severity, Severity::Low, "{result}");
        assert!(
            alert
                .notes
                .iter()
                .any(|note| note.field == "outcome.result")
        );
    }
}

#[test]
fn without_a_named_risk_the_type_of_event_says_how_bad_it_is() {
    use AlertKind::{IdentityActivity, NetworkActivity, Other, RiskySignIn};
    let cases = [
        (
            "user.account.report_suspicious_activity_by_enduser",
            RiskySignIn,
            Severity::High,
        ),
        (
            "security.breached_credential.detected",
            RiskySignIn,
            Severity::High,
        ),
        (
            "user.mfa.okta_verify.deny_push",
            RiskySignIn,
            Severity::Medium,
        ),
        ("user.risk.detect", RiskySignIn, Severity::Medium),
        ("user.session.context.change", RiskySignIn, Severity::Low),
        ("security.threat.detected", NetworkActivity, Severity::High),
        ("security.attack.start", Other, Severity::High),
        ("security.attack.end", Other, Severity::Informational),
        (
            "user.lifecycle.suspend",
            IdentityActivity,
            Severity::Informational,
        ),
        (
            "user.lifecycle.unsuspend",
            IdentityActivity,
            Severity::Informational,
        ),
        (
            "user.session.clear",
            IdentityActivity,
            Severity::Informational,
        ),
        (
            "user.authentication.universal_logout",
            IdentityActivity,
            Severity::Informational,
        ),
        (
            "policy.entity_risk.action",
            IdentityActivity,
            Severity::Informational,
        ),
        ("system.something.new", IdentityActivity, Severity::Medium),
    ];
    for (event_type, kind, severity) in cases {
        let members = json!({ "eventType": event_type, "securityContext": null });
        let alert = with("risk_change", members);
        assert_eq!(
            (alert.kind, alert.severity),
            (kind, severity),
            "{event_type}"
        );
        assert_eq!(alert.detection, event_type);
    }
}

#[test]
fn a_low_risk_takes_nothing_from_what_a_person_reported() {
    let low = json!({ "securityContext": { "risk": { "level": "LOW" } } });
    assert_eq!(with("reported_by_user", low).severity, Severity::High);
    let proof = with("session_clear", json!({}));
    assert_eq!(proof.severity, Severity::Informational);
}

#[test]
fn a_risk_that_okta_took_back_is_closed() {
    let risk = |now: &str, before: &str| {
        let risk = json!({ "level": now, "previousLevel": before });
        with(
            "risk_change",
            json!({ "securityContext": { "risk": risk } }),
        )
        .status
    };
    assert_eq!(risk("LOW", "HIGH"), AlertStatus::Closed);
    assert_eq!(risk("LOW", ""), AlertStatus::Closed);
    assert_eq!(risk("HIGH", "LOW"), AlertStatus::Unknown);
    assert_eq!(risk("MEDIUM", "HIGH"), AlertStatus::Unknown);
}

#[test]
fn several_alerts_about_one_sign_in_or_one_finding_are_one_occurrence() {
    let occurrence = |name: &str, debug: Value, transaction: &str| {
        let debug = json!({ "debugData": debug });
        let transaction = json!({ "id": transaction });
        with(
            name,
            json!({ "debugContext": debug, "transaction": transaction }),
        )
        .occurrence
    };
    // By the request, where Okta traces nothing.
    let sign_in = occurrence("sign_in", json!({}), "t1");
    assert_eq!(sign_in.as_deref(), Some("t1"));
    assert_eq!(occurrence("reported_by_user", json!({}), "t1"), sign_in);
    assert_ne!(occurrence("sign_in", json!({}), "t2"), sign_in);
    // What comes of one finding later is no request of its own.
    let detected = occurrence("risk_change", json!({ "traceId": "f1" }), "t1");
    assert_eq!(detected.as_deref(), Some("f1"));
    assert_eq!(
        occurrence("risk_change", json!({ "traceId": "f1" }), "t3"),
        detected
    );
    assert_eq!(occurrence("threat", json!({}), "unknown"), None);
}

#[test]
fn risk_is_understood_in_the_older_spelling_too() {
    let text = "{previousLevel=HIGH, level=LOW, detectionName=Session Influenced User Risk, reasons=a, b, issuer=OKTA}";
    let alert = with(
        "risk_change",
        json!({ "securityContext": {}, "debugContext": { "debugData": { "risk": text } } }),
    );
    assert_eq!(
        (alert.severity, alert.status),
        (Severity::Low, AlertStatus::Closed)
    );
    assert_eq!(
        alert.detection,
        "user.risk.change: Session Influenced User Risk"
    );
}

#[test]
fn the_victims_of_an_attacking_address_are_no_targets() {
    let alert = with("threat", json!({}));
    assert_eq!(account(&alert), None);
    assert_eq!(alert.entities.len(), 1);
}

#[test]
fn an_event_is_about_whom_it_was_done_to() {
    let admin = json!({ "actor": {
        "id": "00uadmin", "type": "User", "alternateId": "admin@northwind.example",
    }});
    let alert = with("session_clear", admin);
    assert_eq!(
        account(&alert).unwrap().id.as_deref(),
        Some("00u7k2mara0lind05d7")
    );
    let nobody = json!({ "target": [
        { "id": "unknown", "type": "User", "alternateId": "unknown" },
    ]});
    let alert = with("risk_change", nobody);
    assert_eq!(account(&alert), None);
    assert!(alert.notes.iter().any(|note| note.field == "target"));
}

#[test]
fn what_is_no_event_is_refused_with_its_place() {
    let user = json!({ "id": "00u1", "status": "ACTIVE", "profile": { "login": "a@b.example" } });
    assert_eq!(read(&user).unwrap_err().path, "$.eventType");
    let path = |change: fn(&mut Value)| {
        let mut document = fixture("sign_in");
        change(&mut document);
        read(&document).unwrap_err().path
    };
    assert_eq!(path(|event| event["uuid"] = Value::Null), "$.uuid");
    assert_eq!(path(|event| event["uuid"] = "a\nb".into()), "$.uuid");
    assert_eq!(
        path(|event| event["published"] = "soon".into()),
        "$.published"
    );
    assert_eq!(
        path(|event| event["published"] = Value::Null),
        "$.published"
    );
    assert_eq!(path(|event| event["target"] = json!([7])), "$.target[0]");
    assert_eq!(path(|event| event["actor"] = "me".into()), "$.actor");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_in_an_event_forges_a_line_or_grows_without_end(
        which in 0..FIXTURES.len(),
        hostile in "[\\PC\\n\\r\\x1b\u{202e}]{0,700}",
    ) {
        let mut document = fixture(FIXTURES[which].0);
        fn spoil(value: &mut Value, hostile: &str) {
            match value {
                Value::String(text) => *text = hostile.to_owned(),
                Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, hostile)),
                Value::Object(members) => {
                    for (name, member) in members {
                        if !matches!(name.as_str(), "uuid" | "published" | "type" | "eventType") {
                            spoil(member, hostile);
                        }
                    }
                }
                _ => {}
            }
        }
        spoil(&mut document, &hostile);
        let alert = read(&document).unwrap();
        let shown = [Some(alert.title.clone()), Some(alert.detection.clone()), alert.description.clone()];
        let entities = alert.entities.iter().map(|entity| Some(entity.to_string()));
        for text in shown.into_iter().chain(entities).flatten() {
            let plain = |c: char| !c.is_control() && c != '\u{202e}';
            prop_assert!(text.chars().all(plain) && text.chars().count() <= 4096, "{text:?}");
        }
    }

    #[test]
    fn members_of_the_wrong_type_are_an_error_and_never_a_panic(
        which in 0..FIXTURES.len(),
        at in any::<prop::sample::Index>(),
        wrong in prop_oneof![Just(json!(7)), Just(json!([[]])), Just(json!({"a": {}})), Just(json!(true)), Just(Value::Null)],
    ) {
        let mut document = fixture(FIXTURES[which].0);
        let Value::Object(members) = &mut document else { return Ok(()) };
        let name = members.keys().nth(at.index(members.len())).cloned().unwrap();
        members.insert(name, wrong);
        if let Err(error) = read(&document) {
            prop_assert!(error.path.starts_with('$'));
        }
    }
}
