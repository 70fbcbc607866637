use std::collections::BTreeSet;
use std::time::Duration;

use quell_twins::crowdstrike::{AlertSpec, Company, Config, Disposition, Fleet, Process};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Api, Outcome};

const COMBINED: &str = "/alerts/combined/alerts/v1";
const QUERY: &str = "/alerts/queries/alerts/v2";
const READ: &str = "/alerts/entities/alerts/v2";
const UPDATE: &str = "/alerts/entities/alerts/v3";

fn spec(aid: &str) -> AlertSpec {
    AlertSpec::on(aid, Process::new(5260, "credgrab.exe"))
}

#[tokio::test]
async fn an_alert_tells_host_process_hash_and_what_the_sensor_did() -> Outcome {
    let api = Api::start().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    let process = Process::new(5260, "credgrab.exe").with_sha256("AB".repeat(32));
    let alert = AlertSpec::on(&aid, process)
        .titled("A title")
        .rated(72, 64)
        .after(Disposition::WouldHaveKilled);
    let id = api.twin.add_alert(&alert)?;
    let got = api.post(READ, json!({"composite_ids": [id]})).await?;
    let found = &got.resources()[0];
    for (pointer, wanted) in [
        ("/composite_id", json!(id)),
        ("/agent_id", json!(aid)),
        ("/device/device_id", json!(aid)),
        ("/device/hostname", json!("WS-FINANCE-01")),
        ("/device/product_type_desc", json!("Workstation")),
        ("/display_name", json!("A title")),
        ("/severity", json!(72)),
        ("/severity_name", json!("High")),
        ("/confidence", json!(64)),
        ("/local_process_id", json!("5260")),
        ("/filename", json!("credgrab.exe")),
        (
            "/filepath",
            json!("\\Device\\HarddiskVolume3\\Windows\\System32\\credgrab.exe"),
        ),
        ("/sha256", json!("ab".repeat(32))),
        ("/sha1", json!("0".repeat(40))),
        ("/pattern_disposition_details/kill_process", json!(true)),
        ("/pattern_disposition_details/policy_disabled", json!(true)),
        ("/cloud_indicator", json!("false")),
        ("/product", json!("epp")),
        ("/status", json!("new")),
    ] {
        assert_eq!(found.pointer(pointer), Some(&wanted), "{pointer}");
    }
    assert_ne!(found["process_id"], found["local_process_id"]);
    assert!(found["parent_details"]["filename"].is_string());
    assert!(id.starts_with(found["cid"].as_str().unwrap_or("no cid")));
    Ok(())
}

#[tokio::test]
async fn a_raw_document_is_served_as_it_is() -> Outcome {
    let api = Api::start().await?;
    let raw = json!({"composite_id": "c:ngsiem:1", "cid": "c", "product": "ngsiem", "updated_timestamp": "2026-01-01T00:00:00Z",
        "odd": {"nested": [1, "two", null]}});
    // Another account's alert is invisible; this twin's own is `cid` of the configuration.
    assert_eq!(api.twin.add_raw_alert(raw.clone())?, "c:ngsiem:1");
    assert_eq!(
        api.post(READ, json!({"composite_ids": ["c:ngsiem:1"]}))
            .await?
            .resources(),
        [] as [Value; 0]
    );
    let mut own = raw;
    own["cid"] = json!(Config::default().cid);
    api.twin.add_raw_alert(own.clone())?;
    assert_eq!(
        api.post(READ, json!({"composite_ids": ["c:ngsiem:1", "unknown"]}))
            .await?
            .resources(),
        [own]
    );
    assert!(
        api.twin
            .add_raw_alert(json!({"composite_id": "x", "cid": "c"}))
            .is_err()
    );
    Ok(())
}

async fn walk(api: &Api, mut body: Value) -> Outcome<Vec<String>> {
    let mut ids = Vec::new();
    loop {
        let page = api.post(COMBINED, body.clone()).await?;
        assert_eq!(page.status, 200, "{}", page.text);
        ids.extend(page.each("composite_id").into_iter().map(str::to_owned));
        match &page.body["meta"]["pagination"]["after"] {
            Value::String(after) => body["after"] = json!(after),
            _ => return Ok(ids),
        }
    }
}

#[tokio::test]
async fn paging_by_cursor_shows_every_alert_once_even_those_of_one_instant() -> Outcome {
    let api = Api::start().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    let instant: jiff::Timestamp = "2026-03-01T12:00:00.123456789Z".parse()?;
    for number in 0..25_u64 {
        let at = instant + Duration::from_secs(number / 10);
        api.twin.add_alert(&AlertSpec {
            created_at: Some(at),
            ..spec(&aid)
        })?;
    }
    for sort in [
        "updated_timestamp|asc",
        "updated_timestamp|desc",
        "created_timestamp.asc",
        "severity|desc",
    ] {
        let ids = walk(&api, json!({"limit": 4, "sort": sort})).await?;
        assert_eq!(
            (ids.len(), ids.iter().collect::<BTreeSet<_>>().len()),
            (25, 25),
            "{sort}"
        );
    }
    let rising = walk(
        &api,
        json!({"limit": 1000, "sort": "updated_timestamp|asc"}),
    )
    .await?;
    let mut falling = walk(&api, json!({"limit": 7, "sort": "updated_timestamp|desc"})).await?;
    falling.reverse();
    assert_eq!(rising, falling);
    Ok(())
}

#[tokio::test]
async fn a_company_s_alerts_are_served_page_by_page_oldest_first() -> Outcome {
    let config = Config::manual();
    let now = jiff::Timestamp::constant(1_790_000_000, 0);
    let Company { fleet, alerts } = Company::made_up(300, 2500, 7, now);
    let api = Api::with(Config {
        start_at: Some(now),
        fleet,
        ..config
    })
    .await?;
    api.twin.add_alerts(&alerts)?;
    let body = json!({"sort": "updated_timestamp|asc", "limit": 1000});
    let walked = walk(&api, body).await?;
    assert_eq!(walked.len(), 2500);
    assert_eq!(walked.iter().collect::<BTreeSet<_>>().len(), 2500);
    for (id, alert) in walked.iter().zip(&alerts) {
        assert!(id.contains(&alert.aid), "{id}");
    }
    Ok(())
}

#[tokio::test]
async fn an_alert_that_changes_during_paging_is_not_lost() -> Outcome {
    let api = Api::start().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    let ids: Vec<String> = (0..4)
        .map(|_| api.twin.add_alert(&spec(&aid)))
        .collect::<Result<_, _>>()?;
    let first = api
        .post(
            COMBINED,
            json!({"limit": 2, "sort": "updated_timestamp|asc"}),
        )
        .await?;
    let body = json!({"composite_ids": [ids[2]], "action_parameters": [{"name": "update_status", "value": "closed"}]});
    api.call(Method::PATCH, UPDATE, Some(body)).await?;
    let after = first.body["meta"]["pagination"]["after"].clone();
    let rest = walk(
        &api,
        json!({"limit": 2, "sort": "updated_timestamp|asc", "after": after}),
    )
    .await?;
    assert_eq!(rest, [ids[3].clone(), ids[2].clone()]);
    Ok(())
}

#[tokio::test]
async fn filters_by_time_product_severity_and_status() -> Outcome {
    let start_at = Some("2026-03-01T12:00:00Z".parse()?);
    let api = Api::with(Config {
        start_at,
        ..Config::manual().with_fleet(Fleet::small())
    })
    .await?;
    let aid = api.aid("WS-FINANCE-01")?;
    let mut ids = Vec::new();
    for (severity, status) in [(30, "new"), (60, "in_progress"), (90, "reopened")] {
        ids.push(
            api.twin.add_alert(
                &AlertSpec {
                    status: status.into(),
                    ..spec(&aid)
                }
                .rated(severity, 90),
            )?,
        );
        api.twin.advance(Duration::from_secs(60));
    }
    let check = async |filter: &str, wanted: &[usize]| -> Outcome {
        let found = walk(
            &api,
            json!({"filter": filter, "sort": "updated_timestamp|asc"}),
        )
        .await?;
        let wanted: Vec<String> = wanted.iter().map(|place| ids[*place].clone()).collect();
        assert_eq!(found, wanted, "{filter}");
        Ok(())
    };
    check("updated_timestamp:>'2026-03-01T12:00:00.000Z'", &[1, 2]).await?;
    check("updated_timestamp:>='2026-03-01T12:00:00.000Z'", &[0, 1, 2]).await?;
    check("created_timestamp:<'2026-03-01T12:01:00Z'", &[0]).await?;
    check(
        "updated_timestamp:<='2026-03-01T12:01:00Z'+severity:>=60",
        &[1],
    )
    .await?;
    check(
        "product:'epp'+severity:>=60+status:['new','reopened']",
        &[2],
    )
    .await?;
    check("product:'idp'", &[]).await?;
    check("status:'new',status:'in_progress'", &[0, 1]).await?;
    check(
        "device.hostname:'WS-FINANCE-01'+severity_name:'Critical'",
        &[2],
    )
    .await?;
    check("updated_timestamp:>'now-90s'", &[2]).await?;
    check(&format!("composite_id:'{}'", ids[1]), &[1]).await?;
    Ok(())
}

#[tokio::test]
async fn refuses_what_the_vendor_refuses() -> Outcome {
    let api = Api::start().await?;
    for body in [
        json!({"limit": 1001}),
        json!({"filter": "severity>60"}),
        json!({"after": "???"}),
        json!({"sort": "updated_timestamp|up"}),
    ] {
        assert_eq!(
            api.post(COMBINED, body.clone()).await?.status,
            400,
            "{body}"
        );
    }
    assert_eq!(
        api.get(QUERY, &[("limit", "10000"), ("offset", "1")])
            .await?
            .status,
        400
    );
    assert_eq!(
        api.post(READ, json!({"composite_ids": []})).await?.status,
        400
    );
    assert_eq!(
        api.post(READ, json!({"composite_ids": vec!["x"; 1001]}))
            .await?
            .status,
        400
    );
    let broken = api
        .http
        .post(format!("{}{READ}", api.twin.base_url()))
        .header("authorization", format!("Bearer {}", api.token));
    assert_eq!(
        broken
            .body("{\"composite_ids\": [")
            .send()
            .await?
            .status()
            .as_u16(),
        400
    );
    Ok(())
}

/// As a time: the texts have as many fraction digits as needed and do not sort.
fn updated(api: &Api, id: &str) -> Outcome<jiff::Timestamp> {
    let alert = api.twin.alert(id).ok_or("alert")?;
    Ok(alert["updated_timestamp"]
        .as_str()
        .ok_or("no time")?
        .parse()?)
}

#[tokio::test]
async fn an_update_changes_status_tags_and_comments_and_moves_the_time() -> Outcome {
    let api = Api::start().await?;
    let id = api.twin.add_alert(&spec(&api.aid("WS-FINANCE-01")?))?;
    let before = updated(&api, &id)?;
    let actions = json!([
        {"name": "update_status", "value": "closed"}, {"name": "append_comment", "value": "host contained"},
        {"name": "append_comment", "value": "and released"}, {"name": "add_tag", "value": "quell"},
        {"name": "add_tag", "value": "true_positive"}, {"name": "add_tag", "value": "quell"}
    ]);
    let got = api
        .call(
            Method::PATCH,
            UPDATE,
            Some(json!({"composite_ids": [id, "unknown"], "action_parameters": actions})),
        )
        .await?;
    assert_eq!(
        (
            got.status,
            &got.body["meta"]["writes"]["resources_affected"]
        ),
        (200, &json!(1))
    );
    assert_eq!(api.twin.alert_status(&id).as_deref(), Some("closed"));
    assert_eq!(
        api.twin.alert_comments(&id),
        ["host contained", "and released"]
    );
    assert_eq!(api.twin.alert_tags(&id), ["quell", "true_positive"]);
    assert!(updated(&api, &id)? > before);
    let newer = format!("updated_timestamp:>'{before}'");
    assert_eq!(
        walk(&api, json!({"filter": newer})).await?,
        std::slice::from_ref(&id)
    );

    let actions = json!([{"name": "remove_tags_by_prefix", "value": "true"}, {"name": "show_in_ui", "value": "false"}]);
    api.call(
        Method::PATCH,
        UPDATE,
        Some(json!({"composite_ids": [id], "action_parameters": actions})),
    )
    .await?;
    assert_eq!(api.twin.alert_tags(&id), ["quell"]);
    assert_eq!(
        api.get(QUERY, &[("include_hidden", "false")])
            .await?
            .texts(),
        Vec::<&str>::new()
    );
    assert_eq!(api.get(QUERY, &[]).await?.texts(), [id.as_str()]);
    Ok(())
}

#[tokio::test]
async fn an_update_with_one_bad_action_does_none() -> Outcome {
    let api = Api::start().await?;
    let id = api.twin.add_alert(&spec(&api.aid("WS-FINANCE-01")?))?;
    for bad in [
        json!({"name": "update_status", "value": "done"}),
        json!({"name": "show_in_ui", "value": true}),
        json!({"name": "explode", "value": "x"}),
    ] {
        let body = json!({"composite_ids": [id], "action_parameters": [{"name": "add_tag", "value": "t"}, bad]});
        assert_eq!(
            api.call(Method::PATCH, UPDATE, Some(body)).await?.status,
            400,
            "{bad}"
        );
    }
    assert_eq!(api.twin.alert_tags(&id), Vec::<String>::new());
    let nothing = json!({"composite_ids": ["unknown"], "action_parameters": [{"name": "add_tag", "value": "t"}]});
    let got = api.call(Method::PATCH, UPDATE, Some(nothing)).await?;
    assert_eq!(
        (
            got.status,
            &got.body["meta"]["writes"]["resources_affected"]
        ),
        (200, &json!(0))
    );
    Ok(())
}
