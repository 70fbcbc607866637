//! The Entra ID twin as any HTTP client sees it: what the vendor's SDK does not show (faults, lag, limits) and what it
//! would hide behind its models.

#![expect(
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

mod api;

use std::time::Duration;

use api::{Api, Outcome};
use quell_twins::Fault;
use quell_twins::entra_id::{
    App, CLIENT_ID, CLIENT_SECRET, Config, Endpoint, GLOBAL_ADMINISTRATOR, Permission, RiskSpec,
    UserSpec,
};
use serde_json::json;

const ADA: &str = "ada@corp.example";
const USER: &str =
    "/v1.0/users/ada@corp.example?$select=id,accountEnabled,signInSessionsValidFromDateTime";

async fn start() -> Outcome<Api> {
    Api::start(Config::manual().with_user(UserSpec::new(ADA))).await
}

#[tokio::test]
async fn reads_lag_behind_writes_for_as_long_as_told() -> Outcome {
    let api = start().await?;
    api.twin.set_settle(Duration::from_secs(10));
    let body = json!({"accountEnabled": false});
    assert_eq!(
        api.patch("/v1.0/users/ada@corp.example", body)
            .await?
            .status,
        204
    );
    assert_eq!(api.get(USER).await?.body["accountEnabled"], true);
    api.twin.advance(Duration::from_secs(10));
    assert_eq!(api.get(USER).await?.body["accountEnabled"], false);
    assert_eq!(api.twin.calls(ADA).enablement_changed, 1);
    Ok(())
}

#[tokio::test]
async fn only_what_is_selected_comes_and_times_are_whole_seconds() -> Outcome {
    let api = start().await?;
    let usual = api.get("/v1.0/users/ada@corp.example").await?.body;
    assert!(usual.get("accountEnabled").is_none());
    api.twin.advance(Duration::from_millis(1500));
    let revoked = api
        .post("/v1.0/users/ada@corp.example/revokeSignInSessions", None)
        .await?;
    assert_eq!(
        (revoked.status, &revoked.body["value"]),
        (200, &json!(true))
    );
    let stamp = api.get(USER).await?.body["signInSessionsValidFromDateTime"].clone();
    let stamp: jiff::Timestamp = stamp.as_str().unwrap_or_default().parse()?;
    assert_eq!(stamp.as_second(), api.twin.now().as_second());
    assert_eq!(stamp.subsec_nanosecond(), 0);
    Ok(())
}

#[tokio::test]
async fn a_fresh_permission_needs_a_fresh_token() -> Outcome {
    let mut api = start().await?;
    let full = App::new(CLIENT_ID, CLIENT_SECRET);
    api.twin.put_app(full.clone().without(Permission::UserRead));
    assert_eq!(api.get(USER).await?.status, 200);
    api.sign_in().await?;
    let refused = api.get(USER).await?;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.body["error"]["code"], "Authorization_RequestDenied");
    api.twin.put_app(full);
    assert_eq!(api.get(USER).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn identity_protection_takes_one_request_a_second_and_says_no_wait() -> Outcome {
    let api = start().await?;
    let path = "/v1.0/identityProtection/riskDetections";
    assert_eq!(api.get(path).await?.status, 200);
    let refused = api.get(path).await?;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), None);
    assert_eq!(api.get(USER).await?.status, 200);
    api.twin.advance(Duration::from_secs(1));
    assert_eq!(api.get(path).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_batch_serves_each_part_as_if_it_had_come_alone_and_in_another_order() -> Outcome {
    let api = start().await?;
    let slow = Fault::Throttled {
        retry_after_seconds: Some(2),
    };
    api.twin.fail_next(Endpoint::UserRoles, slow);
    let part = |id: &str, method: &str, url: &str| json!({"id": id, "method": method, "url": url});
    let risk = "/identityProtection/riskDetections";
    let body = json!({"requests": [
        part("a", "GET", "/users/ada@corp.example"),
        part("b", "GET", "/users/nobody@corp.example"),
        part("c", "GET", "/users/ada@corp.example/transitiveMemberOf/microsoft.graph.directoryRole"),
        part("d", "POST", "/users/ada@corp.example/revokeSignInSessions"),
        part("e", "GET", risk),
        part("f", "GET", risk),
        part("g", "GET", "https://elsewhere.example/users"),
    ]});
    let got = api.post("/v1.0/$batch", Some(body)).await?;
    assert_eq!(got.status, 200);
    let found: Vec<_> = got.body["responses"]
        .as_array()
        .ok_or("no responses")?
        .iter()
        .map(|one| {
            (
                one["id"].as_str().unwrap_or_default(),
                one["status"].as_u64(),
            )
        })
        .collect();
    let expected = [
        ("g", 400),
        ("f", 429),
        ("e", 200),
        ("d", 200),
        ("c", 429),
        ("b", 404),
        ("a", 200),
    ];
    assert_eq!(found, expected.map(|(id, status)| (id, Some(status))));
    let responses = &got.body["responses"];
    assert_eq!(responses[4]["headers"]["Retry-After"], "2.128");
    assert!(responses[1]["headers"].get("Retry-After").is_none());
    assert_eq!(
        responses[5]["body"]["error"]["code"],
        "Request_ResourceNotFound"
    );
    assert_eq!(api.twin.calls(ADA).sessions_revoked, 1);
    assert_eq!(api.twin.count(Endpoint::UserRead), 2);
    Ok(())
}

#[tokio::test]
async fn a_batch_of_too_many_or_of_the_same_id_twice_is_refused_whole() -> Outcome {
    let api = start().await?;
    let part = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/users"});
    for (ids, status) in [
        ((0..20).collect(), 200),
        ((0..21).collect(), 400),
        (vec![1, 1], 400),
        (vec![], 400),
    ] {
        let parts: Vec<_> = ids.into_iter().map(part).collect();
        let body = json!({ "requests": parts });
        assert_eq!(api.post("/v1.0/$batch", Some(body)).await?.status, status);
    }
    api.twin.revoke_tokens();
    let body = json!({ "requests": [part(1)] });
    assert_eq!(api.post("/v1.0/$batch", Some(body)).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn groups_are_told_to_whoever_may_read_members_and_users() -> Outcome {
    let group = "9d1c7f30-4e58-4b6a-a2d9-0c83f5e7b164";
    let ask = json!({"groupIds": ["00000000-0000-4000-8000-000000000000", group]});
    let path = "/v1.0/users/ada@corp.example/checkMemberGroups";
    let user = UserSpec::new(ADA).in_group(group);
    let mut api = Api::start(Config::manual().with_user(user)).await?;
    let got = api.post(path, Some(ask.clone())).await?;
    assert_eq!((got.status, &got.body["value"]), (200, &json!([group])));
    for permission in [Permission::UserRead, Permission::GroupMemberRead] {
        let app = App::new(CLIENT_ID, CLIENT_SECRET).without(permission);
        api.twin.put_app(app);
        api.sign_in().await?;
        assert_eq!(api.post(path, Some(ask.clone())).await?.status, 403);
    }
    Ok(())
}

#[tokio::test]
async fn a_detection_may_show_up_later_than_it_was_found() -> Outcome {
    let api = start().await?;
    let late = RiskSpec {
        shown_after_seconds: 60,
        ..RiskSpec::of(ADA)
    };
    let id = api.twin.raise(&late)?;
    let path = format!("/v1.0/identityProtection/riskDetections/{id}");
    assert_eq!(api.get(&path).await?.status, 404);
    api.twin.advance(Duration::from_secs(60));
    assert_eq!(api.get(&path).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_read_roles_learns_that_there_is_one_and_not_which() -> Outcome {
    let boss = UserSpec::new("root@corp.example").with_role(GLOBAL_ADMINISTRATOR);
    let app = App::new(CLIENT_ID, CLIENT_SECRET).without(Permission::RoleRead);
    let config = Config {
        apps: vec![app],
        ..Config::manual().with_user(boss)
    };
    let api = Api::start(config).await?;
    let path = "/v1.0/users/root@corp.example/transitiveMemberOf/microsoft.graph.directoryRole";
    let roles = api.get(path).await?.body;
    assert!(roles["value"][0]["id"].is_string());
    assert!(roles["value"][0]["roleTemplateId"].is_null());
    Ok(())
}

#[tokio::test]
async fn faults_strike_before_or_after_the_change_as_told() -> Outcome {
    let api = start().await?;
    let revoke = "/v1.0/users/ada@corp.example/revokeSignInSessions";
    let count = || api.twin.calls(ADA).sessions_revoked;
    api.twin
        .fail_next(Endpoint::RevokeSessions, Fault::DropAfterApply);
    assert!(api.post(revoke, None).await.is_err());
    assert_eq!(count(), 1);
    api.twin
        .fail_next(Endpoint::RevokeSessions, Fault::ResetBeforeApply);
    assert!(api.post(revoke, None).await.is_err());
    for (fault, status) in [
        (Fault::StatusBeforeApply { status: 503 }, 503),
        (Fault::ScopeMissing, 403),
        (
            Fault::Throttled {
                retry_after_seconds: Some(2),
            },
            429,
        ),
        (Fault::TokenRevoked, 401),
    ] {
        api.twin.fail_next(Endpoint::RevokeSessions, fault);
        assert_eq!(api.post(revoke, None).await?.status, status);
    }
    assert_eq!(count(), 1);
    assert_eq!(api.get(USER).await?.status, 401, "the token stays dead");
    Ok(())
}

#[tokio::test]
async fn the_control_routes_show_and_change_the_tenant_and_no_password() -> Outcome {
    let api = start().await?;
    let made = api
        .post(
            "/_twin/users",
            Some(json!({"principal": "bo@corp.example"})),
        )
        .await?;
    assert_eq!(made.status, 200);
    let profile = json!({"passwordProfile": {"password": "Twin-4-the-Books!"}});
    assert_eq!(
        api.patch("/v1.0/users/bo@corp.example", profile)
            .await?
            .status,
        204
    );
    let raised = api
        .post("/_twin/risk", Some(json!({"user": "bo@corp.example"})))
        .await?;
    assert_eq!(raised.status, 200);
    let nobody = api
        .post("/_twin/risk", Some(json!({"user": "nobody"})))
        .await?;
    assert_eq!(nobody.status, 404);
    let state = api.get("/_twin/state").await?;
    assert_eq!(state.body["users"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        state.body["risk_detections"].as_array().map(Vec::len),
        Some(1)
    );
    assert!(!state.body.to_string().contains("Twin-4-the-Books!"));
    Ok(())
}
