//! The Google Workspace twin over plain HTTP: what its tokens need, and every fault.

#![expect(
    clippy::indexing_slicing,
    reason = "a reply without the member that a claim is about is a failed claim"
)]

use std::error::Error;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use quell_twins::google_workspace::{
    ADMIN, CLIENT_EMAIL, Config, Endpoint, GoogleWorkspace, Scope, User,
};
use quell_twins::{Fault, FaultRule};
use reqwest::Method;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const USER: &str = "ana@northwind.example";

struct Api {
    twin: GoogleWorkspace,
    http: reqwest::Client,
    key: RsaKeyPair,
}

impl Api {
    #[expect(
        clippy::disallowed_methods,
        reason = "the twin is looked at from outside, as any client would"
    )]
    async fn start(config: Config) -> Outcome<Self> {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let twin = GoogleWorkspace::start(config).await?;
        let file: Value = serde_json::from_str(&twin.service_account_key())?;
        let pem = file["private_key"].as_str().unwrap_or_default();
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        let der = STANDARD.decode(lines.collect::<String>())?;
        let key = RsaKeyPair::from_pkcs8(&der).map_err(|error| error.to_string())?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { twin, http, key })
    }

    /// Claims that are granted.
    fn claims(&self, scope: Scope) -> Value {
        let now = self.twin.now().as_second();
        json!({
            "iss": CLIENT_EMAIL,
            "sub": ADMIN,
            "scope": scope.url(),
            "aud": "https://oauth2.googleapis.com/token",
            "iat": now,
            "exp": now + 3600,
        })
    }

    fn assertion(&self, claims: &Value) -> Outcome<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let message = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        let signed = self.key.sign(
            &RSA_PKCS1_SHA256,
            &random,
            message.as_bytes(),
            &mut signature,
        );
        signed.map_err(|error| error.to_string())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    async fn exchange(&self, assertion: &str) -> Outcome<(u16, Value)> {
        let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
        let sent = self
            .http
            .post(format!("{}/token", self.twin.base_url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("grant_type={grant}&assertion={assertion}"));
        let reply = sent.send().await?;
        let status = reply.status().as_u16();
        Ok((status, serde_json::from_str(&reply.text().await?)?))
    }

    async fn token(&self, scope: Scope) -> Outcome<String> {
        let (_, body) = self.exchange(&self.assertion(&self.claims(scope))?).await?;
        Ok(body["access_token"]
            .as_str()
            .ok_or("no token was issued")?
            .to_owned())
    }

    /// Status, body and, when there is one, the wait asked for.
    async fn call(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Outcome<(u16, Value, Option<String>)> {
        let url = format!("{}{path}", self.twin.base_url());
        let mut sent = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            sent = sent
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let reply = sent.send().await?;
        let status = reply.status().as_u16();
        let wait = reply.headers().get("retry-after");
        let wait = wait.and_then(|wait| wait.to_str().ok()).map(str::to_owned);
        let body = serde_json::from_str(&reply.text().await?).unwrap_or_default();
        Ok((status, body, wait))
    }

    async fn suspend(&self, token: &str) -> Outcome<(u16, Value, Option<String>)> {
        let path = format!("/admin/directory/v1/users/{USER}");
        let body = Some(json!({"suspended": true}));
        self.call(token, Method::PUT, &path, body).await
    }

    fn suspended(&self) -> bool {
        self.twin.user(USER).is_some_and(|user| user.suspended)
    }
}

#[tokio::test]
async fn only_a_genuine_assertion_within_what_was_delegated_gets_a_token() -> Outcome {
    let api = Api::start(Config::manual().with(User {
        suspended: true,
        ..User::admin("gone@northwind.example")
    }))
    .await?;
    let now = api.twin.now().as_second();
    let refused = [
        (
            "aud",
            json!("https://elsewhere.example/token"),
            "invalid_grant",
        ),
        (
            "iss",
            json!("nobody@x.iam.gserviceaccount.com"),
            "invalid_grant",
        ),
        ("sub", json!("nobody@northwind.example"), "invalid_grant"),
        ("sub", json!("gone@northwind.example"), "invalid_grant"),
        ("exp", json!(now + 7200), "invalid_grant"),
        ("iat", json!(now - 7200), "invalid_grant"),
        ("scope", json!(""), "invalid_scope"),
        (
            "scope",
            json!("https://mail.google.com/"),
            "unauthorized_client",
        ),
    ];
    for (claim, value, error) in refused {
        let mut claims = api.claims(Scope::User);
        claims[claim] = value;
        let (status, body) = api.exchange(&api.assertion(&claims)?).await?;
        assert_eq!(body["error"], error, "{claim}: {body}");
        assert!((400..=401).contains(&status));
    }
    let genuine = api.assertion(&api.claims(Scope::User))?;
    let (front, signature) = genuine.rsplit_once('.').ok_or("no signature")?;
    let other = URL_SAFE_NO_PAD.encode(api.claims(Scope::Alerts).to_string());
    let header = front.split('.').next().unwrap_or_default();
    let forged = format!("{header}.{other}.{signature}");
    assert_eq!(api.exchange(&forged).await?.1["error"], "invalid_grant");
    assert_eq!(api.exchange("x.y").await?.1["error"], "invalid_request");
    assert_eq!(api.exchange(&genuine).await?.0, 200);
    api.twin.delegate_all_but(Scope::User);
    assert_eq!(
        api.exchange(&genuine).await?.1["error"],
        "unauthorized_client"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_when_it_is_revoked() -> Outcome {
    let api = Api::start(Config::manual()).await?;
    let path = format!("/admin/directory/v1/users/{USER}");
    let token = api.token(Scope::UserReadonly).await?;
    let read = async |token: &str| api.call(token, Method::GET, &path, None).await;
    assert_eq!(read(&token).await?.0, 200);
    assert_eq!(api.suspend(&token).await?.0, 403);
    api.twin.advance(Duration::from_secs(3600));
    assert_eq!(read(&token).await?.0, 401);
    let token = api.token(Scope::User).await?;
    api.twin.revoke_tokens();
    assert_eq!(read(&token).await?.0, 401);
    Ok(())
}

#[tokio::test]
async fn every_fault_says_truly_whether_it_was_applied() -> Outcome {
    let faults = [
        (Fault::DropAfterApply, true),
        (Fault::ResetBeforeApply, false),
        (Fault::StatusBeforeApply { status: 500 }, false),
        (Fault::StatusAfterApply { status: 503 }, true),
        (
            Fault::Throttled {
                retry_after_seconds: Some(7),
            },
            false,
        ),
        (Fault::TokenRevoked, false),
        (Fault::ScopeMissing, false),
        (
            Fault::ErrorInBody {
                code: 400,
                message: "no".into(),
            },
            false,
        ),
        (Fault::GarbageBody, true),
        (Fault::TruncatedBody, true),
        (Fault::TornBody, true),
        (Fault::OversizedBody { bytes: 1 << 16 }, true),
        (Fault::WrongContentType, true),
    ];
    for (fault, applied) in faults {
        let api = Api::start(Config::manual()).await?;
        let token = api.token(Scope::User).await?;
        api.twin.fail_next(Endpoint::UserUpdate, fault.clone());
        // Some faults end the connection; what was applied is the claim.
        drop(api.suspend(&token).await);
        assert_eq!(api.suspended(), applied, "{fault:?}");
        assert_eq!(api.twin.count(Endpoint::UserUpdate), 1);
    }
    Ok(())
}

#[tokio::test]
async fn throttling_says_how_long_or_only_why() -> Outcome {
    let api = Api::start(Config::manual()).await?;
    let token = api.token(Scope::User).await?;
    let throttled = |retry_after_seconds| {
        FaultRule::next(
            Endpoint::UserUpdate,
            Fault::Throttled {
                retry_after_seconds,
            },
        )
    };
    api.twin.inject(throttled(Some(7)));
    let (status, _, wait) = api.suspend(&token).await?;
    assert_eq!((status, wait.as_deref()), (429, Some("7")));
    api.twin.inject(throttled(None));
    let (status, body, wait) = api.suspend(&token).await?;
    assert_eq!((status, wait), (403, None));
    assert_eq!(
        body["error"]["errors"][0]["reason"],
        "userRateLimitExceeded"
    );
    Ok(())
}

#[tokio::test]
async fn a_change_shows_to_readers_only_after_it_settled() -> Outcome {
    let api = Api::start(Config {
        settle: Duration::from_secs(5),
        ..Config::manual()
    })
    .await?;
    let token = api.token(Scope::User).await?;
    let path = format!("/admin/directory/v1/users/{USER}");
    let seen = async || -> Outcome<Value> {
        let (_, body, _) = api.call(&token, Method::GET, &path, None).await?;
        Ok(body["suspended"].clone())
    };
    assert_eq!(api.suspend(&token).await?.1["suspended"], true);
    assert_eq!(seen().await?, false);
    api.twin.advance(Duration::from_secs(5));
    assert_eq!(seen().await?, true);
    Ok(())
}

#[tokio::test]
async fn another_process_can_make_users_alerts_and_trouble() -> Outcome {
    let api = Api::start(Config::manual()).await?;
    let control = async |path: &str, body: Value| {
        api.call("", Method::POST, &format!("/_twin/{path}"), Some(body))
            .await
    };
    let (status, made, _) =
        control("users", json!({"primary_email": "bo@northwind.example"})).await?;
    assert_eq!(status, 200);
    let id = made["id"].as_str().unwrap_or_default();
    assert_eq!(
        api.twin.user(id).map(|user| user.primary_email).as_deref(),
        Some("bo@northwind.example")
    );
    let raw = json!({"alertId": "a-1", "createTime": "2026-01-01T00:00:00Z"});
    assert_eq!(control("alerts/raw", raw).await?.0, 200);
    assert_eq!(
        control("alerts/raw", json!({"alertId": "a-2"})).await?.0,
        400
    );
    let fault = json!({"endpoint": "user_update", "fault": "status_before_apply", "status": 500});
    control("faults", fault).await?;
    let token = api.token(Scope::User).await?;
    assert_eq!(api.suspend(&token).await?.0, 500);
    assert_eq!(control("nowhere", json!({})).await?.0, 404);
    Ok(())
}
