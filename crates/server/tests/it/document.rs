//! The OpenAPI document.

use std::collections::BTreeSet;

use quell_server::{openapi, routes};
use serde_json::Value;

use crate::app::TestApp;

#[tokio::test]
async fn anybody_may_read_the_document_and_it_is_the_one_that_is_generated() {
    let answer = TestApp::new().get("", "/api/openapi.json").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.ok(), openapi());
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let document = openapi();
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for verb in operations.as_object().unwrap().keys() {
            documented.insert(format!("{} {path}", verb.to_uppercase()));
        }
    }
    let served: BTreeSet<_> = routes()
        .iter()
        .map(|r| format!("{} {}", r.verb.as_str(), r.path))
        .collect();
    assert_eq!(documented, served);
}

#[test]
fn every_reference_resolves_and_every_schema_is_referred_to() {
    let document = openapi();
    let mut referred = BTreeSet::new();
    references(&document, &mut referred);
    for reference in &referred {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        // Named in a sentence only: a route can refer to one schema of a stream.
        let spoken_of = name == "LaggedView";
        assert!(
            spoken_of || referred.contains(&format!("#/components/schemas/{name}")),
            "{name} is not used"
        );
    }
}

fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => _ = into.insert(text.clone()),
                    _ => references(member, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

#[test]
fn operations_are_complete() {
    let document = openapi();
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (verb, operation) in operations.as_object().unwrap() {
            let at = format!("{verb} {path}");
            assert!(
                names.insert(operation["operationId"].as_str().unwrap()),
                "{at}: name is taken"
            );
            assert!(
                operation["summary"].as_str().unwrap().ends_with('.'),
                "{at}: summary is no sentence"
            );
            let in_path: BTreeSet<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let documented: BTreeSet<_> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|p| p["in"] == "path")
                .map(|p| p["name"].as_str().unwrap())
                .collect();
            assert_eq!(in_path, documented, "{at}");
            for scheme in operation["security"].as_array().unwrap() {
                assert!(
                    scheme
                        .as_object()
                        .unwrap()
                        .keys()
                        .all(|name| schemes.contains_key(name)),
                    "{at}"
                );
            }
            assert_eq!(
                operation.get("requestBody").is_some(),
                verb != "get",
                "{at}"
            );
            assert!(
                operation["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .any(|status| status.starts_with('2')),
                "{at}"
            );
        }
    }
}

#[test]
fn what_is_sent_and_what_is_answered_agree_on_the_types_they_share() {
    // One name for two schemas would let one silently replace the other.
    let document = openapi();
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    assert_eq!(
        schema("RevertRequest")["required"],
        serde_json::json!(["reason"])
    );
    assert_eq!(schema("AnswerRequest")["additionalProperties"], false);
    assert!(schema("PageOfActionView")["properties"]["items"].is_object());
    assert!(schema("ActionId")["pattern"].is_string());
}
