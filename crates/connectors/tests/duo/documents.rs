//! Documents as alerts.

use quell_connector::{DocumentError, document};
use quell_connectors::catalog;
use quell_model::Alert;
use quell_model::entity::Entity;

fn alerts(body: &str) -> Result<Vec<Alert>, DocumentError> {
    let connector = catalog::find("duo").expect("the catalog lists it");
    let normalise = connector.normalise.expect("it reads documents");
    let documents = document::split(body, connector.envelope)?;
    let read = |d: document::Document<'_>| normalise(d.json).map_err(|e| e.inside(&d.path));
    documents.into_iter().map(read).collect()
}

#[test]
fn trust_monitor_events_are_alerts_about_the_account_and_where_it_was() {
    let body = include_str!("../fixtures/duo/trust_monitor.json");
    insta::assert_json_snapshot!("trust_monitor", alerts(body).unwrap());
}

#[test]
fn records_of_the_authentication_log_are_alerts_as_bad_as_they_say() {
    let body = include_str!("../fixtures/duo/authentication_log.json");
    insta::assert_json_snapshot!("authentication_log", alerts(body).unwrap());
}

#[test]
fn both_sources_tell_of_one_sign_in_by_one_transaction() {
    let surfaced = alerts(include_str!("../fixtures/duo/trust_monitor.json")).unwrap();
    let logged = alerts(include_str!("../fixtures/duo/authentication_log.json")).unwrap();
    assert_eq!(surfaced[0].occurrence, logged[0].occurrence);
    assert_ne!(surfaced[0].id, logged[0].id);
}

#[test]
fn what_is_no_alert_is_refused_with_its_place() {
    for (body, path) in [
        (
            r#"{"stat":"OK","response":[{"user_id":"DU1","username":"a","status":"active"}]}"#,
            "$.response[0].sekey",
        ),
        (
            r#"{"response":[{"action":"user_update","username":"Admin"}]}"#,
            "$.response[0].sekey",
        ),
        (
            r#"{"response":{"user_id":"DU1","status":"active"}}"#,
            "$.response",
        ),
        (r#"{"stat":"FAIL","code":40103,"message":"x"}"#, "$.sekey"),
        (r#"{"sekey":"SE1","type":"auth"}"#, "$.surfaced_timestamp"),
        (r#"{"txid":"t1","result":"fraud"}"#, "$.timestamp"),
        (r#"{"sekey":"SE1","surfaced_auth":"x"}"#, "$.surfaced_auth"),
    ] {
        let error = alerts(body).unwrap_err();
        assert_eq!(error.path, path, "{body}: {error}");
    }
}

#[test]
fn hostile_texts_become_harmless_lines_and_no_other_targets() {
    let name = "eve\\r\\n\\u001b[31m\\u202e".repeat(200);
    let body = format!(
        r#"{{"sekey":"SE1","type":"{name}","surfaced_timestamp":1789990000123,
        "triage_event_uri":"javascript:alert(1)","explanations":[{{"summary":"{name}"}}],
        "surfaced_auth":{{"user":{{"key":"{name}","name":"{name}"}},"access_device":{{"ip":"{name}"}}}}}}"#
    );
    let alert = alerts(&body).unwrap().remove(0);
    assert!(alert.console_url.is_none());
    let printed = serde_json::to_string(&alert).unwrap();
    assert!(
        !printed.contains("\\u001b") && !printed.contains('\u{202e}'),
        "{printed}"
    );
    assert!(printed.len() < 20_000);
    let addresses = alert
        .entities
        .iter()
        .filter(|e| matches!(e, Entity::NetworkIndicator(_)));
    assert_eq!(addresses.count(), 0);
}
