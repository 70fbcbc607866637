//! Documents as alerts.

use quell_connector::{DocumentError, document};
use quell_connectors::catalog;
use quell_model::{Alert, Severity};

fn alerts(body: &str) -> Result<Vec<Alert>, DocumentError> {
    let connector = catalog::find("github").expect("the catalog lists it");
    let normalise = connector.normalise.expect("it reads documents");
    let documents = document::split(body, connector.envelope)?;
    let read = |d: document::Document<'_>| normalise(d.json).map_err(|e| e.inside(&d.path));
    documents.into_iter().map(read).collect()
}

macro_rules! snapshot {
    ($name:literal) => {
        let body = include_str!(concat!("../fixtures/github/", $name, ".json"));
        insta::assert_json_snapshot!($name, alerts(body).unwrap());
    };
}

#[test]
fn a_leaked_secret_is_an_alert_about_who_let_it_through() {
    snapshot!("secret_scanning_alert");
}

#[test]
fn vulnerable_code_and_dependencies_are_alerts_that_nothing_is_done_about() {
    snapshot!("code_scanning_alert");
    snapshot!("dependabot_alert");
}

#[test]
fn events_of_the_audit_log_are_for_the_record() {
    snapshot!("audit_log");
}

#[test]
fn a_listed_alert_is_the_same_as_a_pushed_one() {
    let pushed = include_str!("../fixtures/github/secret_scanning_alert.json");
    let document: serde_json::Value = serde_json::from_str(pushed).unwrap();
    let mut listed = document["alert"].clone();
    listed["repository"] = document["repository"].clone();
    assert_eq!(
        alerts(&listed.to_string()).unwrap(),
        alerts(pushed).unwrap()
    );
}

#[test]
fn a_document_with_the_secret_itself_is_refused_without_repeating_it() {
    for (body, path) in [
        (
            r#"{"alert":{"number":1,"secret_type":"x","secret":"hunter2"},"repository":{"full_name":"a/b"}}"#,
            "$.alert.secret",
        ),
        (
            r#"{"number":1,"secret_type":"x","secret":"hunter2","repository":{"full_name":"a/b"}}"#,
            "$.secret",
        ),
    ] {
        let error = alerts(body).unwrap_err();
        assert_eq!(error.path, path);
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[test]
fn what_leaked_and_still_works_is_worse_than_what_does_not() {
    let severity = |more: &str| {
        let body = format!(
            r#"{{"number":1,"secret_type":"x","created_at":"2026-01-01T00:00:00Z","repository":{{"full_name":"a/b"}}{more}}}"#
        );
        alerts(&body).unwrap()[0].severity
    };
    assert_eq!(severity(r#","validity":"active""#), Severity::High);
    assert_eq!(severity(r#","validity":"inactive""#), Severity::Low);
    assert_eq!(
        severity(r#","validity":"inactive","publicly_leaked":true"#),
        Severity::High
    );
    assert_eq!(
        severity(r#","validity":"never heard of""#),
        Severity::Medium
    );
    assert_eq!(severity(""), Severity::Medium);
}

#[test]
fn where_an_alert_stands_is_told_with_and_without_its_state() {
    let status = |more: &str| {
        let body = format!(
            r#"{{"alert":{{"number":1,"secret_type":"x","created_at":"2026-01-01T00:00:00Z"{more}}},"repository":{{"full_name":"a/b"}},"action":"ACTION"}}"#
        );
        ["created", "reopened"]
            .map(|action| alerts(&body.replace("ACTION", action)).unwrap()[0].status)
    };
    use quell_model::AlertStatus::{Closed, New, Reopened, Unknown};
    assert_eq!(status(""), [New, Reopened]);
    assert_eq!(status(r#","state":"open""#), [New, Reopened]);
    assert_eq!(status(r#","state":"resolved""#), [Closed, Closed]);
    assert_eq!(status(r#","resolution":"revoked""#), [Closed, Closed]);
    assert_eq!(
        status(r#","resolution":null,"resolved_at":null"#),
        [New, Reopened]
    );
    assert_eq!(status(r#","state":"pondered""#), [Unknown, Unknown]);
}

#[test]
fn what_is_no_alert_is_refused_with_its_place() {
    for (body, path) in [
        (
            r#"{"action":"member_added","membership":{"user":{"login":"x"}}}"#,
            "$.membership",
        ),
        (
            r#"{"action":"blocked","blocked_user":{"login":"x"}}"#,
            "$.blocked_user",
        ),
        (r#"{"action":"added","member":{"login":"x"}}"#, "$.member"),
        (r#"{"zen":"Design for failure.","hook_id":1}"#, "$.alert"),
        (
            r#"{"alert":{"number":1},"repository":{"full_name":"a/b"}}"#,
            "$.alert.secret_type",
        ),
        (
            r#"{"alert":{"secret_type":"x"},"repository":{"full_name":"a/b"}}"#,
            "$.alert.number",
        ),
        (
            r#"{"alert":{"number":1,"secret_type":"x"}}"#,
            "$.repository.full_name",
        ),
        (
            r#"{"alert":{"number":1,"secret_type":"x"},"repository":{"full_name":"a/b"}}"#,
            "$.alert.created_at",
        ),
        (r#"{"alert":"x"}"#, "$.alert"),
        (r#"{"_document_id":"a"}"#, "$.@timestamp"),
    ] {
        let error = alerts(body).unwrap_err();
        assert_eq!(error.path, path, "{body}: {error}");
    }
}

#[test]
fn hostile_texts_become_harmless_lines() {
    let name = "eve\\r\\n\\u001b[31m\\u202e".repeat(200);
    let body = format!(
        r#"{{"action":"{name}","alert":{{"number":1,"secret_type":"{name}","state":"{name}","validity":"{name}",
        "secret_type_display_name":"{name}","created_at":"2026-01-01T00:00:00Z","html_url":"javascript:alert(1)",
        "push_protection_bypassed_by":{{"login":"{name}","id":"{name}"}}}},"repository":{{"full_name":"a/b"}}}}"#
    );
    let alert = alerts(&body).unwrap().remove(0);
    assert!(alert.console_url.is_none());
    let printed = serde_json::to_string(&alert).unwrap();
    assert!(
        !printed.contains("\\u001b") && !printed.contains('\u{202e}'),
        "{printed}"
    );
    assert!(printed.len() < 20_000);
}
