use std::time::Duration;

use quell_twins::crowdstrike::{
    ApiClient, CLIENT_ID, CLIENT_SECRET, Config, Endpoint, Fleet, HostSpec, RateLimit,
    RegionRedirect, Scope,
};
use reqwest::Method;
use serde_json::json;

use crate::support::{Api, CONTAIN, DEVICES, Outcome, read};

const QUERY: &str = "/devices/queries/devices/v1";

#[tokio::test]
async fn issues_a_token_with_201_its_lifetime_and_the_name_of_its_cloud() -> Outcome {
    let api = Api::start().await?;
    let got = api
        .ask_token(&[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)])
        .await?;
    assert_eq!(
        (got.status, &got.body["expires_in"], &got.body["token_type"]),
        (201, &json!(1799), &json!("bearer"))
    );
    assert_eq!(got.header("x-cs-region"), Some("us-1"));
    Ok(())
}

#[tokio::test]
async fn refuses_an_unknown_client_with_400_and_a_bad_secret_with_403() -> Outcome {
    let api = Api::start().await?;
    let unknown = api
        .ask_token(&[("client_id", "nobody"), ("client_secret", "x")])
        .await?;
    assert_eq!(
        (unknown.status, unknown.error_message()),
        (400, "Failed to generate access token for clientID=nobody")
    );
    let wrong = api
        .ask_token(&[("client_id", CLIENT_ID), ("client_secret", "x")])
        .await?;
    assert_eq!(
        (wrong.status, wrong.error_message()),
        (403, "Failed to issue access token - Not Authorized")
    );
    assert_eq!(wrong.body["meta"]["powered_by"], "csam");
    Ok(())
}

#[tokio::test]
async fn refuses_a_missing_a_foreign_and_an_expired_token_alike() -> Outcome {
    let api = Api::start().await?;
    let plain = read(
        api.http
            .get(format!("{}{QUERY}", api.twin.base_url()))
            .send()
            .await?,
    )
    .await?;
    let foreign = api
        .call_as("somebody-elses", Method::GET, QUERY, None)
        .await?;
    assert_eq!(api.get(QUERY, &[]).await?.status, 200);
    api.twin.advance(Duration::from_secs(1799));
    let expired = api.get(QUERY, &[]).await?;
    for got in [plain, foreign, expired] {
        assert_eq!((got.status, got.error_code()), (401, Some(401)));
        assert_eq!(got.error_message(), "access denied, invalid bearer token");
        assert!(got.header("x-cs-traceid").is_some());
    }
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_is_refused() -> Outcome {
    let api = Api::start().await?;
    api.twin.revoke_tokens();
    assert_eq!(api.get(QUERY, &[]).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_token_can_only_be_revoked_by_its_own_client() -> Outcome {
    let api = Api::start().await?;
    api.twin.put_client(ApiClient::new("other", "s"));
    let revoke = |basic: &'static str| {
        let request = api
            .http
            .post(format!("{}/oauth2/revoke", api.twin.base_url()));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request
            .header("authorization", format!("Basic {basic}"))
            .body(format!("token={}", api.token))
            .send()
    };
    // other:s
    assert_eq!(revoke("b3RoZXI6cw==").await?.status().as_u16(), 200);
    assert_eq!(api.get(QUERY, &[]).await?.status, 200);
    // twin-client-id:twin-client-secret
    assert_eq!(
        revoke("dHdpbi1jbGllbnQtaWQ6dHdpbi1jbGllbnQtc2VjcmV0")
            .await?
            .status()
            .as_u16(),
        200
    );
    assert_eq!(api.get(QUERY, &[]).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_client_without_the_scope_is_refused_with_403() -> Outcome {
    let api = Api::start().await?;
    let aid = api.aid("DC-01")?;
    api.twin
        .put_client(ApiClient::new(CLIENT_ID, CLIENT_SECRET).without(Scope::HostsWrite));
    let got = api.post(CONTAIN, json!({"ids": [aid]})).await?;
    assert_eq!(
        (got.status, got.error_message()),
        (403, "access denied, authorization failed")
    );
    assert_eq!(
        api.twin.host(&aid).map(|host| host.calls.contain_received),
        Some(0)
    );
    assert_eq!(api.get(QUERY, &[]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn sends_a_customer_of_another_cloud_there_with_308() -> Outcome {
    let api = Api::start().await?;
    let redirect = RegionRedirect {
        region: "us-2".into(),
        base_url: "http://127.0.0.1:9/".into(),
    };
    api.twin.set_region_redirect(Some(redirect));
    let got = api
        .ask_token(&[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)])
        .await?;
    assert_eq!(got.status, 308);
    assert_eq!(
        got.header("location"),
        Some("http://127.0.0.1:9/oauth2/token")
    );
    assert_eq!(got.header("x-cs-region"), Some("us-2"));
    Ok(())
}

#[tokio::test]
async fn a_member_token_reaches_its_own_hosts_and_a_parent_token_only_reads_them() -> Outcome {
    let member = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let theirs = HostSpec {
        cid: Some(member.into()),
        ..HostSpec::workstation("WS-MEMBER")
    };
    let fleet = Fleet::small().with(theirs);
    let api = Api::with(Config {
        member_cids: vec![member.into()],
        ..Config::manual().with_fleet(fleet)
    })
    .await?;
    let aid = api.aid("WS-MEMBER")?;
    let form = [
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("member_cid", member),
    ];
    let token = api.ask_token(&form).await?.body["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();

    let seen = api.call_as(&token, Method::GET, QUERY, None).await?;
    assert_eq!(seen.texts(), [aid.as_str()]);
    assert_eq!(
        api.get(DEVICES, &[("ids", &aid)]).await?.resources().len(),
        1
    );
    let body = json!({"ids": [aid]});
    assert_eq!(api.post(CONTAIN, body.clone()).await?.status, 404);
    assert_eq!(
        api.call_as(&token, Method::POST, CONTAIN, Some(body))
            .await?
            .status,
        202
    );

    let unknown = [
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
        ("member_cid", "ffff"),
    ];
    assert_eq!(api.ask_token(&unknown).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn refuses_requests_beyond_the_limit_until_the_next_window() -> Outcome {
    let start_at = Some("2026-03-01T12:00:20Z".parse()?);
    let api = Api::with(Config {
        start_at,
        ..Config::manual()
    })
    .await?;
    api.twin.set_rate_limit(Some(RateLimit {
        requests: 2,
        window_seconds: 60,
    }));
    let first = api.get(QUERY, &[]).await?;
    assert_eq!(
        (
            first.header("x-ratelimit-limit"),
            first.header("x-ratelimit-remaining")
        ),
        (Some("2"), Some("1"))
    );
    assert_eq!(api.get(QUERY, &[]).await?.status, 200);
    let refused = api.get(QUERY, &[]).await?;
    assert_eq!(
        (refused.status, refused.header("x-ratelimit-remaining")),
        (429, Some("0"))
    );
    let next: jiff::Timestamp = "2026-03-01T12:01:00Z".parse()?;
    assert_eq!(
        refused.header("x-ratelimit-retryafter"),
        Some(next.as_second().to_string().as_str())
    );
    api.twin.advance(Duration::from_secs(40));
    assert_eq!(api.get(QUERY, &[]).await?.status, 200);
    assert_eq!(api.twin.count(Endpoint::DeviceQuery), 4);
    Ok(())
}
