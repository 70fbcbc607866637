use std::time::Duration;

use quell_twins::crowdstrike::{Config, Connectivity, Containment, Fleet, HostSpec, Settle};
use serde_json::json;

use crate::support::{Api, CONTAIN, DEVICES, Outcome};

const QUERY: &str = "/devices/queries/devices/v1";

fn slow() -> Settle {
    Settle {
        containment: Duration::from_secs(10),
        lift: Duration::from_secs(20),
        ..Settle::INSTANT
    }
}

async fn slow_api() -> Outcome<Api> {
    let config = Config::manual()
        .with_fleet(Fleet::small())
        .with_settle(slow());
    Api::with(Config {
        token_lifetime: Duration::from_secs(86_400),
        ..config
    })
    .await
}

#[tokio::test]
async fn containment_is_accepted_first_and_settles_after_its_delay() -> Outcome {
    let api = slow_api().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    assert_eq!(api.status(&aid).await?, "normal");
    let got = api.contain(&aid).await?;
    assert_eq!((got.status, got.each("id")), (202, vec![aid.as_str()]));
    assert_eq!(
        got.each("path"),
        [format!("/devices/entities/devices/v1?ids={aid}")]
    );
    assert_eq!(got.body["errors"], json!([]));
    assert_eq!(api.status(&aid).await?, "containment_pending");
    api.twin.advance(Duration::from_secs(9));
    assert_eq!(api.status(&aid).await?, "containment_pending");
    api.twin.advance(Duration::from_secs(1));
    assert_eq!(api.status(&aid).await?, "contained");

    assert_eq!(api.lift(&aid).await?.status, 202);
    assert_eq!(api.status(&aid).await?, "lift_containment_pending");
    api.twin.advance(Duration::from_secs(20));
    assert_eq!(api.status(&aid).await?, "normal");
    Ok(())
}

#[tokio::test]
async fn without_a_delay_the_next_read_shows_the_new_state() -> Outcome {
    let api = Api::start().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    api.contain(&aid).await?;
    assert_eq!(api.status(&aid).await?, "contained");
    assert_eq!(api.twin.containment(&aid), Some(Containment::Contained));
    Ok(())
}

#[tokio::test]
async fn repeating_a_call_gets_409_naming_the_host_and_changes_nothing() -> Outcome {
    let api = slow_api().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    api.contain(&aid).await?;
    for _ in 0..2 {
        let again = api.contain(&aid).await?;
        assert_eq!((again.status, again.error_code()), (409, Some(409)));
        assert!(again.error_message().contains(&aid), "{}", again.text);
        api.twin.advance(Duration::from_secs(10));
    }
    assert_eq!(api.lift(&aid).await?.status, 202);
    assert_eq!(api.lift(&aid).await?.status, 409);
    let calls = api.twin.host(&aid).ok_or("host")?.calls;
    assert_eq!(
        (
            calls.contain_received,
            calls.contain_applied,
            calls.lift_received,
            calls.lift_applied
        ),
        (3, 1, 2, 1)
    );
    Ok(())
}

#[tokio::test]
async fn containing_while_a_lift_is_pending_gets_409_though_the_host_is_not_contained() -> Outcome {
    let api = slow_api().await?;
    let aid = api.aid("WS-FINANCE-01")?;
    api.twin
        .set_containment(&aid, Containment::LiftContainmentPending)?;
    assert_eq!(api.contain(&aid).await?.status, 409);
    api.twin.advance(Duration::from_secs(60));
    assert_eq!(api.status(&aid).await?, "normal");
    Ok(())
}

#[tokio::test]
async fn lifting_a_pending_containment_cancels_it() -> Outcome {
    let api = slow_api().await?;
    let aid = api.aid("WS-TRAVEL-09")?;
    api.contain(&aid).await?;
    assert_eq!(api.lift(&aid).await?.status, 202);
    assert_eq!(api.status(&aid).await?, "normal");
    api.twin.set_connectivity(&aid, Connectivity::Online)?;
    api.twin.advance(Duration::from_secs(60));
    assert_eq!(api.status(&aid).await?, "normal");
    Ok(())
}

#[tokio::test]
async fn an_offline_host_stays_pending_until_it_is_back() -> Outcome {
    let api = slow_api().await?;
    let aid = api.aid("WS-TRAVEL-09")?;
    assert_eq!(api.contain(&aid).await?.status, 202);
    api.twin.advance(Duration::from_secs(3600));
    assert_eq!(api.status(&aid).await?, "containment_pending");
    api.twin.set_connectivity(&aid, Connectivity::Online)?;
    assert_eq!(api.status(&aid).await?, "containment_pending");
    api.twin.advance(Duration::from_secs(10));
    assert_eq!(api.status(&aid).await?, "contained");
    Ok(())
}

#[tokio::test]
async fn a_sensor_in_reduced_functionality_mode_never_settles() -> Outcome {
    let api = slow_api().await?;
    let aid = api.twin.add_host(HostSpec {
        reduced_functionality: true,
        ..HostSpec::workstation("WS-RFM")
    });
    api.contain(&aid).await?;
    api.twin.advance(Duration::from_secs(3600));
    let device = api.get(DEVICES, &[("ids", &aid)]).await?;
    assert_eq!(device.each("status"), ["containment_pending"]);
    assert_eq!(device.each("reduced_functionality_mode"), ["yes"]);
    Ok(())
}

#[tokio::test]
async fn accepted_hosts_stand_beside_the_errors_of_others() -> Outcome {
    let api = Api::start().await?;
    let (done, fresh, unknown) = (
        api.aid("WS-FINANCE-01")?,
        api.aid("SRV-BUILD-02")?,
        "f".repeat(32),
    );
    api.contain(&done).await?;
    let got = api
        .post(CONTAIN, json!({"ids": [done, fresh, unknown]}))
        .await?;
    assert_eq!((got.status, got.each("id")), (202, vec![fresh.as_str()]));
    assert_eq!(
        (
            &got.body["errors"][0]["code"],
            &got.body["errors"][1]["code"]
        ),
        (&json!(409), &json!(404))
    );
    assert_eq!(got.body["errors"][1]["id"], json!(unknown));
    Ok(())
}

#[tokio::test]
async fn refuses_more_ids_than_a_call_takes() -> Outcome {
    let api = Api::start().await?;
    let ids: Vec<String> = (0..101).map(|number| format!("{number:032x}")).collect();
    assert_eq!(api.post(CONTAIN, json!({"ids": ids})).await?.status, 400);
    assert_eq!(api.post(CONTAIN, json!({"ids": []})).await?.status, 400);
    let query: Vec<(&str, &str)> = ids.iter().map(|id| ("ids", id.as_str())).collect();
    assert_eq!(api.get(DEVICES, &query).await?.status, 400);
    assert_eq!(
        api.post(DEVICES, json!({"ids": vec!["0"; 5001]}))
            .await?
            .status,
        400
    );
    Ok(())
}

#[tokio::test]
async fn the_device_document_tells_class_platform_and_state() -> Outcome {
    let api = Api::start().await?;
    let got = api
        .post(
            DEVICES,
            json!({"ids": [api.aid("DC-01")?, api.aid("MAC-DESIGN-02")?, "0".repeat(32)]}),
        )
        .await?;
    assert_eq!(got.status, 200);
    assert_eq!(got.each("hostname"), ["DC-01", "MAC-DESIGN-02"]);
    assert_eq!(
        got.each("product_type_desc"),
        ["Domain Controller", "Workstation"]
    );
    assert_eq!(got.each("platform_name"), ["Windows", "Mac"]);
    assert_eq!(got.each("status"), ["normal", "normal"]);
    assert_eq!(got.error_code(), Some(404));
    assert_eq!(got.resources()[0]["machine_domain"], "northwind.example");
    // Recorded replies without an error say `null` here.
    assert!(api.get(DEVICES, &[("ids", &api.aid("DC-01")?)]).await?.body["errors"].is_null());
    Ok(())
}

#[tokio::test]
async fn finds_hosts_by_name_class_and_state_and_pages_through_them() -> Outcome {
    let api = Api::start().await?;
    let twice = api.twin.add_host(HostSpec::workstation("WS-SALES-04"));
    let filter = |text| [("filter", text)];
    let named = api.get(QUERY, &filter("hostname:'WS-SALES-04'")).await?;
    assert_eq!(
        named.texts(),
        [api.aid("WS-SALES-04")?.as_str(), twice.as_str()]
    );
    assert_eq!(
        api.get(QUERY, &filter("hostname:'ws-sales-04'"))
            .await?
            .texts(),
        Vec::<&str>::new()
    );
    assert_eq!(
        api.get(
            QUERY,
            &filter("platform_name:'Windows'+product_type_desc:'Server'")
        )
        .await?
        .texts()
        .len(),
        2
    );
    assert_eq!(
        api.get(QUERY, &filter("hostname:'DC-01',hostname:'web-01'"))
            .await?
            .texts()
            .len(),
        2
    );
    api.contain(&twice).await?;
    assert_eq!(
        api.get(QUERY, &filter("status:'contained'")).await?.texts(),
        [twice.as_str()]
    );
    for wrong in ["hostname='x'", "no_such_property:'x'", "hostname:'x'+"] {
        assert_eq!(api.get(QUERY, &filter(wrong)).await?.status, 400, "{wrong}");
    }

    let mut seen = Vec::new();
    for offset in ["0", "4", "8"] {
        let page = api
            .get(
                QUERY,
                &[("limit", "4"), ("offset", offset), ("sort", "hostname.asc")],
            )
            .await?;
        assert_eq!(page.body["meta"]["pagination"]["total"], 9);
        seen.extend(page.texts().into_iter().map(str::to_owned));
    }
    assert_eq!((seen.len(), &seen[0]), (9, &api.aid("DC-01")?));
    Ok(())
}

#[tokio::test]
async fn tells_which_hosts_are_online() -> Outcome {
    let api = Api::start().await?;
    let (on, off) = (api.aid("DC-01")?, api.aid("WS-TRAVEL-09")?);
    let got = api
        .get(
            "/devices/entities/online-state/v1",
            &[("ids", &on), ("ids", &off), ("ids", "0")],
        )
        .await?;
    assert_eq!(
        (got.each("state"), got.error_code()),
        (vec!["online", "offline"], Some(404))
    );
    Ok(())
}
