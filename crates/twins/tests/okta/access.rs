//! Who is let in. Assertions that are right are presented by the vendor's SDK and by the connector.

use quell_twins::okta::{API_TOKEN, Status, UserSpec};
use reqwest::Method;

use crate::support::{Api, Outcome};

#[tokio::test]
async fn an_api_token_has_its_owner_s_rights_and_dies_with_them() -> Outcome {
    let mut api = Api::manual().await?;
    let boss = api
        .twin
        .put_user(UserSpec::active("boss@acme.example").role("SUPER_ADMIN"));
    let desk = api
        .twin
        .put_user(UserSpec::active("desk@acme.example").role("HELP_DESK_ADMIN"));
    api.twin
        .put_user(UserSpec::active("reader@acme.example").role("READ_ONLY_ADMIN"));
    let suspend = |id: &str| format!("/api/v1/users/{id}/lifecycle/suspend");
    api.twin.put_api_token("desk-token", "desk@acme.example");
    api.twin
        .put_api_token("reader-token", "reader@acme.example");
    for (token, id, status) in [
        ("desk-token", boss.as_str(), 403),
        ("reader-token", api.id.as_str(), 403),
        ("desk-token", api.id.as_str(), 200),
    ] {
        let authorization = format!("SSWS {token}");
        let before = std::mem::replace(&mut api.authorization, authorization);
        let got = api.send(Method::POST, &suspend(id)).await?;
        assert_eq!(got.status, status, "{token}: {}", got.text);
        api.authorization = before;
    }
    api.authorization = "SSWS desk-token".to_owned();
    let me = api.get("/api/v1/users/me").await?;
    assert_eq!(me.body["id"].as_str(), Some(desk.as_str()));
    api.twin.set_status(&desk, Status::Suspended);
    let got = api.get("/api/v1/users/me").await?;
    assert_eq!((got.status, got.code()), (401, "E0000011"));
    Ok(())
}

#[tokio::test]
async fn what_is_no_assertion_gets_no_token() -> Outcome {
    let api = Api::manual().await?;
    let kind = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let cases = [
        (
            "grant_type=password".to_owned(),
            400,
            "unsupported_grant_type",
        ),
        (
            "grant_type=client_credentials&client_secret=x".to_owned(),
            401,
            "invalid_client",
        ),
        (
            format!("grant_type=client_credentials&{kind}&client_assertion=x"),
            401,
            "invalid_client",
        ),
        (
            format!("grant_type=client_credentials&{kind}&client_assertion=e30.e30.AA"),
            401,
            "invalid_client",
        ),
    ];
    for (form, status, error) in cases {
        let got = api.token(&form).await?;
        assert_eq!(
            (got.status, got.body["error"].as_str()),
            (status, Some(error)),
            "{form}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn without_credentials_nothing_is_told() -> Outcome {
    let mut api = Api::manual().await?;
    for authorization in [
        "",
        "SSWS",
        "Bearer x",
        "DPoP x",
        &format!("Bearer {API_TOKEN}"),
    ] {
        api.authorization = authorization.to_owned();
        for path in ["/api/v1/users/me", "/api/v1/logs", "/api/v1/users"] {
            assert_eq!(api.get(path).await?.status, 401, "{authorization} {path}");
        }
    }
    Ok(())
}
