//! Risk detections: what comes out of them, and that nothing in them does harm.

use proptest::prelude::*;
use quell_connector::{DocumentError, document};
use quell_connectors::catalog;
use quell_connectors::entra_id::{detection_id_in, normalise};
use quell_model::entity::Entity;
use quell_model::{Alert, AlertStatus, Severity};
use serde_json::value::RawValue;
use serde_json::{Value, json};

const FIXTURES: [(&str, &str); 3] = [
    ("sign_in", include_str!("../fixtures/entra_id/sign_in.json")),
    (
        "leaked_credentials",
        include_str!("../fixtures/entra_id/leaked_credentials.json"),
    ),
    (
        "exported",
        include_str!("../fixtures/entra_id/exported.json"),
    ),
];

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn changed(change: impl FnOnce(&mut Value)) -> Result<Alert, DocumentError> {
    let mut document: Value = serde_json::from_str(FIXTURES[0].1).unwrap();
    change(&mut document);
    normalise(&raw(&document.to_string()))
}

fn with(member: &str, value: Value) -> Alert {
    changed(|document| document[member] = value).unwrap()
}

#[test]
fn every_kind_of_document_gives_its_alert() {
    for (name, text) in FIXTURES {
        insta::assert_json_snapshot!(name, normalise(&raw(text)).unwrap());
    }
}

#[test]
fn a_list_and_an_export_are_taken_apart() {
    let envelope = catalog::find("entra-id").unwrap().envelope;
    for member in ["value", "records"] {
        let body = format!(
            r#"{{"@odata.context":"x","{member}":[{},{}]}}"#,
            FIXTURES[0].1, FIXTURES[1].1
        );
        let found = document::split(&body, envelope).unwrap();
        assert_eq!(found.len(), 2, "{member}");
    }
}

#[test]
fn two_detections_of_one_sign_in_share_its_occurrence_and_not_their_id() {
    let other = with("id", json!("other"));
    let first = normalise(&raw(FIXTURES[0].1)).unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(other.occurrence, first.occurrence);
    assert!(first.occurrence.is_some());
    assert_eq!(with("requestId", json!(null)).occurrence, None);
}

#[test]
fn severity_and_status_are_the_vendors_and_an_unknown_word_fails_nothing() {
    for (level, severity) in [
        ("low", Severity::Low),
        ("medium", Severity::Medium),
        ("high", Severity::High),
        ("hidden", Severity::Medium),
        ("somethingNew", Severity::Medium),
    ] {
        assert_eq!(
            with("riskLevel", json!(level)).severity,
            severity,
            "{level}"
        );
    }
    for (state, status) in [
        ("atRisk", AlertStatus::New),
        ("confirmedCompromised", AlertStatus::InProgress),
        ("remediated", AlertStatus::Closed),
        ("dismissed", AlertStatus::Closed),
        ("confirmedSafe", AlertStatus::Closed),
        ("none", AlertStatus::Closed),
        ("somethingNew", AlertStatus::Unknown),
    ] {
        assert_eq!(with("riskState", json!(state)).status, status, "{state}");
    }
}

#[test]
fn a_user_that_somebody_confirmed_as_compromised_starts_nothing() {
    let alert = with("riskEventType", json!("adminConfirmedUserCompromised"));
    assert_eq!(alert.severity, Severity::Informational);
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_path() {
    let path = |change: fn(&mut Value)| changed(change).unwrap_err().path;
    assert_eq!(path(|d| d["id"] = json!(null)), "$.id");
    assert_eq!(path(|d| d["id"] = json!("../riskyUsers")), "$.id");
    assert_eq!(
        path(|d| d["riskEventType"] = json!(null)),
        "$.riskEventType"
    );
    assert_eq!(path(|d| d["userId"] = json!(7)), "$.userId");
    assert_eq!(path(|d| d["location"] = json!("x")), "$.location");
    let untimed = |d: &mut Value| {
        d["activityDateTime"] = json!("soon");
        d["detectedDateTime"] = json!(null);
    };
    assert_eq!(path(untimed), "$.activityDateTime");
    let inside = normalise(&raw(r#"{"properties":{"id":"a"}}"#)).unwrap_err();
    assert_eq!(inside.path, "$.properties.riskEventType");
    assert_eq!(
        normalise(&raw(r#"{"access_token":"x"}"#)).unwrap_err().path,
        "$.id"
    );
    assert_eq!(normalise(&raw("[]")).unwrap_err().path, "$");
}

#[test]
fn what_cannot_be_used_is_left_out_and_said() {
    let noted = |alert: &Alert, field: &str| alert.notes.iter().any(|note| note.field == field);
    let alert = with("ipAddress", json!("123.456.7.89"));
    assert!(noted(&alert, "ipAddress"));
    assert_eq!(alert.entities.len(), 1);
    let alert = with("additionalInfo", json!("not json"));
    assert!(noted(&alert, "additionalInfo"));
    let alert = changed(|document| {
        document["userId"] = json!("");
        document["userPrincipalName"] = json!(null);
    });
    let alert = alert.unwrap();
    assert!(noted(&alert, "userId"));
    assert!(
        !alert
            .entities
            .iter()
            .any(|entity| matches!(entity, Entity::Account(_)))
    );
}

#[test]
fn an_id_is_found_in_a_push_of_any_shape_and_never_one_that_is_a_path() {
    assert_eq!(
        detection_id_in(&raw(FIXTURES[2].1)).as_deref(),
        Some("1a2b3c4d5e6f47089a1b2c3d4e5f6071")
    );
    assert_eq!(
        detection_id_in(&raw(r#"{"id":"a-1"}"#)).as_deref(),
        Some("a-1")
    );
    for bad in [
        r#"{"id":"a/b"}"#,
        r#"{"id":""}"#,
        r#"{"id":7}"#,
        r#"{"properties":3}"#,
        "{}",
        "[]",
    ] {
        assert_eq!(detection_id_in(&raw(bad)), None, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_stays_one_bounded_line(text in any::<String>()) {
        for member in ["userPrincipalName", "userDisplayName", "riskEventType", "requestId", "ipAddress", "additionalInfo"] {
            let Ok(alert) = changed(|document| document[member] = json!(text)) else { continue };
            let lines = [Some(&alert.title), Some(&alert.detection), alert.occurrence.as_ref()];
            for line in lines.into_iter().flatten() {
                prop_assert!(line.chars().count() <= 512 && !line.contains(char::is_control));
            }
        }
    }
}
