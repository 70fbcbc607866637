use std::time::Duration;

use quell_twins::crowdstrike::Ioc;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Got, Outcome, with_query};

const ENTITIES: &str = "/iocs/entities/indicators/v1";
const COMBINED: &str = "/iocs/combined/indicator/v1";
const QUERY: &str = "/iocs/queries/indicators/v1";

fn ban(hash: &str) -> Value {
    json!({"type": "sha256", "value": hash, "action": "prevent", "severity": "high", "source": "check",
        "platforms": ["windows", "mac", "linux"], "applied_globally": true, "tags": ["quell"]})
}

async fn create(api: &Api, indicators: &[Value]) -> Outcome<Got> {
    api.post(
        ENTITIES,
        json!({"comment": "check", "indicators": indicators}),
    )
    .await
}

async fn delete(api: &Api, ids: &[&str]) -> Outcome<Got> {
    let query: Vec<(&str, &str)> = ids.iter().map(|id| ("ids", *id)).collect();
    api.call(Method::DELETE, &with_query(ENTITIES, &query), None)
        .await
}

#[tokio::test]
async fn a_ban_can_be_created_found_changed_and_deleted() -> Outcome {
    let api = Api::start().await?;
    let hash = "AB".repeat(32);
    let made = create(&api, &[ban(&hash)]).await?;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.each("id")[0].to_owned();
    assert_eq!(
        (id.len(), made.each("value")),
        (64, vec!["ab".repeat(32).as_str()])
    );
    assert_eq!(
        (
            &made.resources()[0]["expired"],
            &made.resources()[0]["deleted"]
        ),
        (&json!(false), &json!(false))
    );

    let filter = format!("type:'sha256'+value:'{}'", "ab".repeat(32));
    assert_eq!(
        api.get(QUERY, &[("filter", &filter)]).await?.texts(),
        [id.as_str()]
    );
    assert_eq!(
        api.get(COMBINED, &[("filter", &filter)])
            .await?
            .each("action"),
        ["prevent"]
    );
    assert_eq!(
        api.get(ENTITIES, &[("ids", &id)]).await?.each("source"),
        ["check"]
    );
    let none = format!("type:'sha256'+value:'{}'", "cd".repeat(32));
    assert_eq!(
        api.get(QUERY, &[("filter", &none)]).await?.texts(),
        Vec::<&str>::new()
    );

    let change = json!({"indicators": [{"id": id, "action": "detect", "severity": "low"}]});
    let changed = api.call(Method::PATCH, ENTITIES, Some(change)).await?;
    assert_eq!(
        (
            changed.status,
            changed.each("action"),
            changed.each("severity")
        ),
        (200, vec!["detect"], vec!["low"])
    );
    assert_eq!(changed.each("value"), ["ab".repeat(32)]);

    let gone = delete(&api, &[&id, "unknown"]).await?;
    assert_eq!(
        (gone.status, gone.texts(), gone.error_code()),
        (200, vec![id.as_str()], Some(404))
    );
    assert_eq!(delete(&api, &[&id]).await?.status, 404);
    assert!(api.twin.iocs().is_empty());
    assert_eq!(
        create(&api, &[ban(&hash)]).await?.status,
        201,
        "a deleted indicator does not stand in the way"
    );
    Ok(())
}

#[tokio::test]
async fn a_duplicate_is_refused_in_the_resources_and_nothing_is_created() -> Outcome {
    let api = Api::start().await?;
    let (first, second) = (ban(&"a".repeat(64)), ban(&"b".repeat(64)));
    create(&api, std::slice::from_ref(&first)).await?;
    let got = create(&api, &[second.clone(), first]).await?;
    assert_eq!((got.status, got.resources().len()), (400, 1));
    assert!(
        got.each("message")[0].starts_with("Duplicate type"),
        "{}",
        got.text
    );
    assert_eq!(got.each("value"), ["a".repeat(64)]);
    assert_eq!(api.twin.iocs().len(), 1);
    assert_eq!(create(&api, &[second.clone(), second]).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn refuses_what_the_vendor_refuses() -> Outcome {
    let api = Api::start().await?;
    let hash = "c".repeat(64);
    for change in [
        json!({"type": "sha1", "value": "a".repeat(40)}),
        json!({"value": "abc"}),
        json!({"value": "z".repeat(64)}),
        json!({"type": "md5"}),
        json!({"action": "explode"}),
        json!({"severity": ""}),
        json!({"severity": "dreadful"}),
        json!({"platforms": []}),
        json!({"platforms": ["amiga"]}),
        json!({"applied_globally": false}),
        json!({"source": "x".repeat(257)}),
        json!({"expiration": "next week"}),
        json!({"type": "domain", "value": "bad.example"}),
        json!({"type": "ipv4", "value": "bad.example", "action": "detect"}),
    ] {
        let mut wanted = ban(&hash);
        for (name, value) in change.as_object().ok_or("object")? {
            wanted[name] = value.clone();
        }
        assert_eq!(create(&api, &[wanted]).await?.status, 400, "{change}");
    }
    assert_eq!(create(&api, &[]).await?.status, 400);
    assert_eq!(create(&api, &vec![ban(&hash); 2001]).await?.status, 400);
    assert!(api.twin.iocs().is_empty());
    let mut grouped = ban(&hash);
    grouped["applied_globally"] = json!(false);
    grouped["host_groups"] = json!(["g1"]);
    let domain = json!({"type": "domain", "value": "bad.example", "action": "detect", "severity": "low",
        "platforms": ["windows"], "applied_globally": true});
    assert_eq!(create(&api, &[grouped, domain]).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn searches_page_by_cursor_and_offsets_end_at_ten_thousand() -> Outcome {
    let api = Api::start().await?;
    let all: Vec<Value> = (0..25)
        .map(|number| ban(&format!("{number:064x}")))
        .collect();
    create(&api, &all).await?;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(QUERY, &[("limit", "10"), ("after", &after)])
            .await?;
        assert_eq!(page.body["meta"]["pagination"]["total"], 25);
        seen.extend(page.texts().into_iter().map(str::to_owned));
        match page.body["meta"]["pagination"]["after"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let wanted: Vec<String> = api.twin.iocs().into_iter().map(|ioc| ioc.id).collect();
    assert_eq!(seen, wanted);
    assert_eq!(
        api.get(COMBINED, &[("limit", "10"), ("offset", "20")])
            .await?
            .resources()
            .len(),
        5
    );
    assert_eq!(api.get(QUERY, &[("limit", "2001")]).await?.status, 400);
    assert_eq!(
        api.get(QUERY, &[("limit", "2000"), ("offset", "9000")])
            .await?
            .status,
        400
    );
    assert_eq!(
        api.get(QUERY, &[("filter", "tags:'quell'+action:'prevent'")])
            .await?
            .body["meta"]["pagination"]["total"],
        25
    );
    assert_eq!(
        api.get(QUERY, &[("filter", "colour:'red'")]).await?.status,
        400
    );
    Ok(())
}

#[tokio::test]
async fn an_expired_indicator_stays_and_does_nothing() -> Outcome {
    let api = Api::start().await?;
    let mut wanted = ban(&"d".repeat(64));
    wanted["expiration"] = json!((api.twin.now() + Duration::from_secs(60)).to_string());
    create(&api, &[wanted]).await?;
    assert!(!api.twin.iocs()[0].expired);
    api.twin.advance(Duration::from_secs(60));
    let found = api.get(COMBINED, &[]).await?;
    assert_eq!(
        (found.each("action"), &found.resources()[0]["expired"]),
        (vec!["no_action"], &json!(true))
    );
    Ok(())
}

#[tokio::test]
async fn somebody_elses_indicator_is_found_too() -> Outcome {
    let api = Api::start().await?;
    let allowed = Ioc {
        kind: "sha256".into(),
        value: "e".repeat(64),
        action: "allow".into(),
        ..Ioc::default()
    };
    let id = api.twin.add_ioc(allowed);
    let got = create(&api, &[ban(&"e".repeat(64))]).await?;
    assert_eq!(got.status, 400);
    let found = api.get(ENTITIES, &[("ids", &id)]).await?;
    assert_eq!(
        (found.each("action"), found.each("created_by")),
        (vec!["allow"], vec!["console"])
    );
    Ok(())
}

#[tokio::test]
async fn a_filter_on_delete_overrides_the_ids() -> Outcome {
    let api = Api::start().await?;
    let made = create(&api, &[ban(&"1".repeat(64)), ban(&"2".repeat(64))]).await?;
    let keep = made.each("id")[0].to_owned();
    let filter = format!("value:'{}'", "2".repeat(64));
    let got = api
        .call(
            Method::DELETE,
            &with_query(ENTITIES, &[("ids", &keep), ("filter", &filter)]),
            None,
        )
        .await?;
    assert_eq!(got.status, 200);
    assert_eq!(
        api.twin
            .iocs()
            .into_iter()
            .map(|ioc| ioc.id)
            .collect::<Vec<_>>(),
        [keep]
    );
    Ok(())
}
