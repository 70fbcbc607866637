//! Alert documents of every kind: what comes out of them, and that nothing in them does harm.

use proptest::prelude::*;
use quell_connector::DocumentError;
use quell_connectors::crowdstrike::{composite_id_in, normalise};
use quell_model::entity::{Entity, ProcessRole};
use quell_model::{Alert, AlertKind, AlertStatus, AssetClass, Severity};
use serde_json::value::RawValue;
use serde_json::{Value, json};

macro_rules! fixtures {
    ($($name:ident),* $(,)?) => {
        const FIXTURES: &[(&str, &str)] = &[$((
            stringify!($name),
            include_str!(concat!("../fixtures/crowdstrike/", stringify!($name), ".json")),
        )),*];
    };
}

fixtures!(
    endpoint,
    on_demand_scan,
    identity_sign_in,
    identity_privileges,
    cloud_instance,
    cloud_posture,
    mobile,
    correlation,
    legacy,
    stream_endpoint,
    stream_identity,
    stream_legacy,
    stream_lead,
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

#[test]
fn every_kind_of_document_gives_its_alert() {
    for (name, text) in FIXTURES {
        let alert = normalise(&RawValue::from_string((*text).to_owned()).unwrap()).unwrap();
        insta::assert_json_snapshot!(*name, alert);
    }
}

#[test]
fn only_the_subject_s_own_pid_can_be_killed_and_never_a_graph_id() {
    for (name, _) in FIXTURES {
        for entity in alert(name).entities {
            let Entity::Process(process) = entity else {
                continue;
            };
            match (*name, process.role) {
                ("endpoint", ProcessRole::Subject) => assert_eq!(process.pid, Some(7412)),
                ("endpoint", ProcessRole::Parent) => assert_eq!(process.pid, Some(5120)),
                ("endpoint", ProcessRole::Grandparent) => assert_eq!(process.pid, Some(4012)),
                _ => assert_eq!(process.pid, None, "{name}"),
            }
        }
    }
    for nonsense in [
        json!("0"),
        json!("-1"),
        json!("99999999999"),
        json!("12a"),
        json!(7.5),
    ] {
        let alert = changed("endpoint", |document| {
            document["local_process_id"] = nonsense.clone()
        })
        .unwrap();
        let Some(Entity::Process(process)) = alert.entities.get(2) else {
            panic!("{:?}", alert.entities)
        };
        assert_eq!(
            (process.role, process.pid),
            (ProcessRole::Subject, None),
            "{nonsense}"
        );
        assert!(noted(&alert, "local_process_id"), "{nonsense}");
    }
}

#[test]
fn what_would_have_been_stopped_was_not_stopped() {
    let stopped = |details: Value| {
        changed("endpoint", |document| {
            document["pattern_disposition_details"] = details;
            document["quarantined_files"] = json!([]);
        })
        .unwrap()
    };
    let killed = stopped(json!({ "kill_process": true })).prevention;
    assert!(killed.process_stopped && !killed.kill_failed);
    let would_have =
        stopped(json!({ "kill_process": true, "quarantine_file": true, "policy_disabled": true }));
    assert!(!would_have.prevention.process_stopped && !would_have.prevention.file_quarantined);
    assert!(noted(&would_have, "pattern_disposition_details"));
    let failed = stopped(json!({ "kill_process": true, "kill_action_failed": "true" })).prevention;
    assert!(failed.kill_failed && !failed.process_stopped);
    let blocked = stopped(json!({ "process_blocked": true, "quarantine_file": true })).prevention;
    assert!(blocked.process_stopped && blocked.file_quarantined);
}

#[test]
fn severities_are_read_on_the_scale_they_are_on() {
    let severity = |name: &str, number: Value, word: Value| {
        let mut document = fixture(name);
        let at = if name.starts_with("stream") {
            &mut document["event"]
        } else {
            &mut document
        };
        let (number_at, word_at) = if name.starts_with("stream") {
            ("Severity", "SeverityName")
        } else {
            ("severity", "severity_name")
        };
        at[number_at] = number;
        at[word_at] = word;
        read(&document).unwrap().severity
    };
    assert_eq!(
        severity("identity_privileges", json!(2), Value::Null),
        Severity::Low
    );
    assert_eq!(
        severity("identity_privileges", json!(4), Value::Null),
        Severity::High
    );
    assert_eq!(
        severity("identity_privileges", json!(31), Value::Null),
        Severity::Low
    );
    assert_eq!(
        severity("identity_privileges", json!(4), json!("Low")),
        Severity::Low
    );
    assert_eq!(
        severity("stream_legacy", json!(5), Value::Null),
        Severity::Critical
    );
    assert_eq!(
        severity("endpoint", json!(4), Value::Null),
        Severity::Informational
    );
    assert_eq!(
        severity("endpoint", json!("90"), json!("")),
        Severity::Critical
    );
    let contradiction = changed("endpoint", |document| document["severity"] = json!(10)).unwrap();
    assert_eq!(contradiction.severity, Severity::High);
    assert!(noted(&contradiction, "severity"));
}

#[test]
fn ids_that_disagree_inside_one_document_are_said() {
    let device = changed("endpoint", |d| {
        d["device"]["device_id"] = json!("99999999999999999999999999999999")
    });
    assert!(noted(&device.unwrap(), "device.device_id"));
    let agent = changed("endpoint", |d| {
        d["agent_id"] = json!("99999999999999999999999999999999")
    });
    assert!(noted(&agent.unwrap(), "agent_id"));
    let customer = changed("endpoint", |d| {
        d["cid"] = json!("99999999999999999999999999999999")
    })
    .unwrap();
    assert!(noted(&customer, "cid") && noted(&customer, "device.cid"));
    let legacy = alert("legacy");
    assert!(noted(&legacy, "behaviors.device_id") && noted(&legacy, "device.cid"));
}

#[test]
fn spellings_of_nothing_become_nothing() {
    for nothing in [json!("0".repeat(64)), json!(""), json!("N/A"), Value::Null] {
        let alert = changed("endpoint", |document| {
            document["sha256"] = nothing.clone();
            document["md5"] = nothing.clone();
            document["user_name"] = nothing.clone();
            document["user_id"] = nothing.clone();
            document["user_principal"] = nothing.clone();
            document["ioc_context"] = Value::Null;
            document["quarantined_files"] = Value::Null;
        })
        .unwrap();
        let hashed = alert.entities.iter().any(|entity| matches!(entity, Entity::File(file) if file.sha256.is_some() || file.md5.is_some()));
        assert!(!hashed, "{nothing}");
        assert!(noted(&alert, "sha256"), "{nothing}");
    }
    let nobody = changed("endpoint", |document| {
        for member in ["user_name", "user_id", "user_principal"] {
            document[member] = json!("N/A");
        }
    });
    assert!(
        !nobody
            .unwrap()
            .entities
            .iter()
            .any(|entity| matches!(entity, Entity::Account(_)))
    );
}

#[test]
fn a_document_without_a_device_has_no_host_to_act_on() {
    let alert = changed("endpoint", |document| {
        document.as_object_mut().unwrap().remove("device");
        document.as_object_mut().unwrap().remove("agent_id");
    })
    .unwrap();
    assert!(
        !alert
            .entities
            .iter()
            .any(|entity| matches!(entity, Entity::Host(_)))
    );
    assert!(noted(&alert, "device"));
    assert_eq!(alert.asset.class, AssetClass::Unknown);
}

#[test]
fn the_word_for_the_status_is_understood_in_both_apis() {
    let status = |word: &str| {
        changed("endpoint", |d| d["status"] = json!(word))
            .unwrap()
            .status
    };
    assert_eq!(status("New"), AlertStatus::New);
    assert_eq!(status("in_progress"), AlertStatus::InProgress);
    assert_eq!(status("false_positive"), AlertStatus::Closed);
    assert_eq!(status("on_fire"), AlertStatus::Unknown);
}

#[test]
fn an_address_that_is_not_https_is_no_link() {
    for link in [
        "http://falcon.crowdstrike.com/x",
        "javascript:alert(1)",
        "https://a b",
        "https://x\"onclick=",
        "",
    ] {
        let alert = changed("endpoint", |d| d["falcon_host_link"] = json!(link)).unwrap();
        assert_eq!(alert.console_url, None, "{link}");
    }
}

#[test]
fn what_cannot_be_read_is_named_by_its_path() {
    let path = |name: &str, change: fn(&mut Value)| changed(name, change).unwrap_err().path;
    assert_eq!(
        path("endpoint", |d| d["device"]["device_id"] = json!({})),
        "$.device.device_id"
    );
    assert_eq!(path("endpoint", |d| d["device"] = json!("x")), "$.device");
    assert_eq!(
        path("endpoint", |d| d["severity"] = json!("very")),
        "$.severity"
    );
    assert_eq!(
        path("endpoint", |d| d["mitre_attack"][1]["tactic"] = json!([])),
        "$.mitre_attack[1].tactic"
    );
    assert_eq!(
        path("endpoint", |d| d["ioc_context"] = json!([7])),
        "$.ioc_context[0]"
    );
    assert_eq!(
        path("legacy", |d| d["behaviors"][0]["sha256"] = json!([1])),
        "$.behaviors[0].sha256"
    );
    assert_eq!(
        path("stream_endpoint", |d| d["event"]["Severity"] = json!(true)),
        "$.event.Severity"
    );
    let missing = changed("endpoint", |d| {
        d.as_object_mut().unwrap().remove("composite_id");
        d.as_object_mut().unwrap().remove("id");
    });
    assert_eq!(missing.unwrap_err().path, "$.composite_id");
    let both_parts = changed("endpoint", |d| {
        drop(d.as_object_mut().unwrap().remove("composite_id"))
    });
    assert_eq!(both_parts.unwrap().id, alert("endpoint").id);
    let odd_id = changed("endpoint", |d| d["composite_id"] = json!("a:\u{7}b"));
    assert_eq!(odd_id.unwrap_err().path, "$.composite_id");
    let timeless = changed("endpoint", |d| {
        for member in [
            "timestamp",
            "context_timestamp",
            "created_timestamp",
            "updated_timestamp",
        ] {
            d.as_object_mut().unwrap().remove(member);
        }
    });
    assert_eq!(timeless.unwrap_err().path, "$.timestamp");
    for root in ["[]", "7", "\"x\"", "null"] {
        let raw = RawValue::from_string(root.to_owned()).unwrap();
        assert_eq!(normalise(&raw).unwrap_err().path, "$");
    }
}

#[test]
fn an_audit_event_is_no_detection() {
    let event = json!({
        "metadata": { "eventType": "UserActivityAuditEvent", "eventCreationTime": 1_772_661_700_000_i64 },
        "event": { "UserId": "ana@corp.example", "OperationName": "userAuthenticate" }
    });
    let error = read(&event).unwrap_err();
    assert_eq!(error.path, "$.event.CompositeId");
    assert!(error.problem.contains("UserActivityAuditEvent"), "{error}");
}

#[test]
fn a_webhook_with_nothing_but_an_id_is_no_document_and_its_id_is_found() {
    let id = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1:ind:b2b2:1-2-3";
    let find = |body: Value| composite_id_in(&RawValue::from_string(body.to_string()).unwrap());
    let bare = json!({ "composite_id": id });
    assert_eq!(read(&bare).unwrap_err().path, "$.timestamp");
    assert_eq!(find(bare).as_deref(), Some(id));
    for body in [
        json!({ "data": { "alert": { "compositeId": id } } }),
        json!([{ "x": 1 }, { "Composite ID": format!(" {id} ") }]),
        json!({ "event": { "CompositeId": id }, "metadata": {} }),
        json!({ "composite_id": id, "related": [{ "composite_id": "c:ind:other" }] }),
    ] {
        assert_eq!(find(body.clone()).as_deref(), Some(id), "{body}");
    }
    for body in [
        json!({ "id": id }),
        json!({ "composite_id": 7 }),
        json!({ "composite_id": "no colon" }),
        json!({ "composite_id": format!("a:{}", "b".repeat(600)) }),
        json!({ "composite_id": "a:b\"} or 1=1" }),
        json!([{ "composite_id": id }, { "composite_id": "c:ind:other" }]),
        json!("text"),
    ] {
        assert_eq!(find(body.clone()), None, "{body}");
    }
}

#[test]
fn hostile_text_arrives_harmless() {
    let long = "A".repeat(10 << 20);
    let text = format!("<script>\u{202e}\"'`\u{0}\r\n{{{{7*7}}}} ${{x}} {long}");
    let alert = changed("endpoint", |document| {
        for member in [
            "display_name",
            "name",
            "description",
            "cmdline",
            "filename",
            "filepath",
            "user_name",
        ] {
            document[member] = json!(text);
        }
        document["device"]["hostname"] = json!(text);
        document["device"]["tags"] = json!(vec![text.clone(); 3]);
    })
    .unwrap();
    harmless(&alert);
    let start: String = alert.title.chars().take(40).collect();
    assert!(start.starts_with("<script> \"'`"), "{start}");
}

/// No text of an alert is long or holds a control character.
fn harmless(alert: &Alert) {
    fn check(value: &Value) {
        match value {
            Value::String(text) => {
                assert!(text.chars().count() <= quell_model::text::BLOCK_LIMIT);
                assert!(
                    !text.chars().any(|c| c.is_control() || c == '\u{202e}'),
                    "{text:?}"
                );
            }
            Value::Array(items) => items.iter().for_each(check),
            Value::Object(members) => members.values().for_each(check),
            _ => {}
        }
    }
    check(&serde_json::to_value(alert).unwrap());
    assert!(alert.entities.len() <= 200 && alert.notes.len() <= 200);
}

#[test]
fn an_identity_alert_is_told_by_what_it_is_about() {
    assert_eq!(alert("identity_sign_in").kind, AlertKind::RiskySignIn);
    assert_eq!(
        alert("identity_privileges").kind,
        AlertKind::IdentityActivity
    );
    assert_eq!(alert("stream_identity").kind, AlertKind::RiskySignIn);
}

/// Any JSON, and the texts that have hurt somebody.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(json!("\u{0}\u{202e}\u{feff}")),
        Just(json!("9".repeat(400))),
        Just(json!("1e999")),
        Just(json!("2026-13-40T99:99:99Z")),
        Just(json!("a".repeat(70_000))),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,12}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Every place in a document.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                places(
                    member,
                    &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    into,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), into);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mangled_document_is_refused_or_read_and_never_does_harm(
        which in 0..FIXTURES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), anything()), 1..6),
    ) {
        let mut document = fixture(FIXTURES[which].0);
        for (index, value) in changes {
            let mut all = Vec::new();
            places(&document, "", &mut all);
            let place: &String = index.get(&all);
            if let Some(place) = document.pointer_mut(place) {
                *place = value;
            }
        }
        let raw = RawValue::from_string(document.to_string()).unwrap();
        if let Ok(alert) = normalise(&raw) {
            harmless(&alert);
        }
        drop(composite_id_in(&raw));
    }

    #[test]
    fn any_json_at_all_is_refused_or_read(value in anything()) {
        let raw = RawValue::from_string(value.to_string()).unwrap();
        if let Ok(alert) = normalise(&raw) {
            harmless(&alert);
        }
        drop(composite_id_in(&raw));
    }
}
