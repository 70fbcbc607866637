use quell_twins::Pace;
use quell_twins::crowdstrike::{Config, CrowdStrike, Endpoint, Fleet};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Api, DEVICES, Outcome};

async fn control(api: &Api, method: Method, path: &str, body: Value) -> Outcome<Value> {
    let got = api
        .call(method, &format!("/_twin/{path}"), Some(body))
        .await?;
    assert_eq!(got.status, 200, "{path}: {}", got.text);
    Ok(got.body)
}

#[tokio::test]
async fn another_process_can_do_over_http_what_a_handle_can() -> Outcome {
    let api = Api::start().await?;
    let post = Method::POST;
    let aid = control(
        &api,
        post.clone(),
        "hosts",
        json!({"hostname": "WS-NEW", "class": "server"}),
    )
    .await?["aid"]
        .clone();
    let aid = aid.as_str().ok_or("aid")?.to_owned();
    let settle = json!({"containment_millis": 5000, "lift_millis": 0, "command_millis": 0});
    control(
        &api,
        Method::PATCH,
        "config",
        json!({"settle": settle, "rate_limit": null}),
    )
    .await?;
    let id = control(
        &api,
        post.clone(),
        "alerts",
        json!({"aid": aid, "severity": 55}),
    )
    .await?["composite_id"]
        .clone();
    api.contain(&aid).await?;
    control(&api, post.clone(), "clock/advance", json!({"millis": 4999})).await?;
    assert_eq!(api.status(&aid).await?, "containment_pending");
    control(&api, post.clone(), "clock/advance", json!({"millis": 1})).await?;

    let state = control(&api, Method::GET, "state", Value::Null).await?;
    let host = state["hosts"]
        .as_array()
        .and_then(|hosts| hosts.iter().find(|host| host["aid"] == json!(aid)))
        .ok_or("host")?;
    assert_eq!(
        (&host["containment"], &host["class"]),
        (&json!("contained"), &json!("server"))
    );
    assert_eq!(host["calls"]["contain_applied"], 1);
    assert_eq!(
        (
            &state["alerts"][0]["composite_id"],
            &state["alerts"][0]["severity"]
        ),
        (&id, &json!(55))
    );
    assert_eq!(state["counters"]["contain"], 1);

    control(
        &api,
        Method::PATCH,
        &format!("hosts/{aid}"),
        json!({"connectivity": "offline", "tags": ["x"]}),
    )
    .await?;
    let host = control(&api, Method::GET, &format!("hosts/{aid}"), Value::Null).await?;
    assert_eq!(
        (&host["connectivity"], &host["tags"]),
        (&json!("offline"), &json!(["x"]))
    );

    let fault = json!({"endpoint": "contain", "fault": "status_before_apply", "status": 503, "count": 1, "skip": 0});
    control(&api, post.clone(), "faults", fault.clone()).await?;
    assert_eq!(
        control(&api, Method::GET, "faults", Value::Null).await?,
        json!([fault])
    );
    assert_eq!(api.contain(&aid).await?.status, 503);
    control(
        &api,
        post.clone(),
        "faults",
        json!({"fault": "drop_after_apply"}),
    )
    .await?;
    control(&api, Method::DELETE, "faults", Value::Null).await?;

    let requests = control(&api, Method::GET, "requests", Value::Null).await?;
    let last = requests
        .as_array()
        .and_then(|all| all.last())
        .ok_or("a request")?
        .clone();
    assert_eq!(
        (&last["endpoint"], &last["status"], &last["method"]),
        (&json!("contain"), &json!(503), &json!("POST"))
    );
    control(&api, post.clone(), "counters/reset", Value::Null).await?;
    assert_eq!(
        (api.twin.total_requests(), api.twin.requests().len()),
        (0, 0)
    );
    assert_eq!(api.twin.host(&aid).ok_or("host")?.calls.contain_received, 0);

    control(
        &api,
        post.clone(),
        "clients",
        json!({"id": "n", "secret": "s", "scopes": ["hosts_read"]}),
    )
    .await?;
    assert!(!api.login("n", "s").await?.is_empty());
    control(&api, post, "tokens/revoke", Value::Null).await?;
    assert_eq!(api.get(DEVICES, &[("ids", &aid)]).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn control_refuses_what_it_cannot_do() -> Outcome {
    let api = Api::start().await?;
    for (method, path, body, status) in [
        (Method::GET, "nothing", Value::Null, 404),
        (Method::POST, "alerts", json!({"aid": "unknown"}), 404),
        (
            Method::POST,
            "alerts/raw",
            json!({"composite_id": "x"}),
            400,
        ),
        (
            Method::POST,
            "faults",
            json!({"endpoint": "no_such", "fault": "torn_body"}),
            400,
        ),
        (
            Method::POST,
            "faults",
            json!({"endpoint": "contain", "fault": "no_such"}),
            400,
        ),
        (
            Method::PATCH,
            "hosts/unknown",
            json!({"connectivity": "online"}),
            404,
        ),
        (Method::POST, "hosts/bulk", json!({"count": 1_000_001}), 400),
    ] {
        let got = api
            .call(method, &format!("/_twin/{path}"), Some(body))
            .await?;
        assert_eq!(got.status, status, "{path}: {}", got.text);
        assert!(got.body["error"].is_string());
    }
    Ok(())
}

#[tokio::test]
async fn many_hosts_are_made_at_once() -> Outcome {
    let api = Api::start().await?;
    let made = control(
        &api,
        Method::POST,
        "hosts/bulk",
        json!({"count": 500, "prefix": "LOAD", "class": "server"}),
    )
    .await?;
    assert_eq!(made["aids"].as_array().map(Vec::len), Some(500));
    assert_eq!(
        Some(made["aids"][41].as_str().ok_or("aid")?.to_owned()),
        api.twin.aid_of("LOAD-00042")
    );
    assert_eq!(api.twin.hosts().len(), 508);
    Ok(())
}

#[tokio::test]
async fn the_listing_is_bounded_and_can_be_off() -> Outcome {
    for (kept, wanted) in [(0, 0), (3, 3)] {
        let api = Api::with(Config {
            request_log: kept,
            ..Config::manual()
        })
        .await?;
        for number in 0..5 {
            api.get(
                "/devices/queries/devices/v1",
                &[("limit", &number.to_string())],
            )
            .await?;
        }
        assert_eq!(
            (
                api.twin.requests().len(),
                api.twin.count(Endpoint::DeviceQuery)
            ),
            (wanted, 5)
        );
        if let Some(last) = api.twin.requests().last() {
            assert_eq!(last.target, "/devices/queries/devices/v1?limit=4");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_path_gets_404_and_is_counted() -> Outcome {
    let api = Api::start().await?;
    let got = api.get("/detects/queries/detects/v1", &[]).await?;
    assert_eq!(
        (
            got.status,
            got.error_code(),
            api.twin.count(Endpoint::Unknown)
        ),
        (404, Some(404), 1)
    );
    Ok(())
}

#[tokio::test]
async fn the_same_seed_makes_the_same_fleet() -> Outcome {
    let config = Config {
        seed: Some(7),
        start_at: Some("2026-01-01T00:00:00Z".parse()?),
        ..Config::manual().with_fleet(Fleet::small())
    };
    let (one, two) = (
        CrowdStrike::start(config.clone()).await?,
        CrowdStrike::start(config).await?,
    );
    assert_eq!(one.hosts(), two.hosts());
    assert_ne!(one.base_url(), two.base_url());
    Ok(())
}

#[tokio::test]
async fn real_time_passes_by_itself_and_manual_time_stands_still() -> Outcome {
    let twin = CrowdStrike::start(Config {
        pace: Pace::RealTime,
        ..Config::default()
    })
    .await?;
    let before = twin.now();
    while twin.now() == before {
        tokio::task::yield_now().await;
    }
    let twin = CrowdStrike::start(Config::manual()).await?;
    let before = twin.now();
    tokio::task::yield_now().await;
    assert_eq!(twin.now(), before);
    Ok(())
}

#[tokio::test]
async fn dropping_the_handle_stops_the_server_and_its_connections() -> Outcome {
    let api = Api::start().await?;
    let Api { twin, http, .. } = api;
    let (address, url) = (twin.address(), format!("{}/_twin/clock", twin.base_url()));
    assert!(http.get(&url).send().await?.status().is_success());
    drop(twin);
    let mut tries = 0;
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
        tries += 1;
        assert!(tries < 10_000, "still listening");
    }
    assert!(http.get(&url).send().await.is_err());
    Ok(())
}
