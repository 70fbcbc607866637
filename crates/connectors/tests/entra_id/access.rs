//! Signing in, and what the app may do.

use quell_connector::{Check, Connected, Kind};
use quell_twins::Fault;
use quell_twins::entra_id::{
    App, CLIENT_ID, CLIENT_SECRET, Config, Endpoint, Permission, UserSpec,
};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;

use crate::kit::{GLASS, NOOR, by_name, call, lab, read};
use crate::lab::{Lab, Secrets};
use crate::python::{Outcome, python};

async fn probe(lab: &Lab, connected: &Connected) -> Vec<Check> {
    connected.probe(&call(lab)).await
}

#[tokio::test]
async fn a_probe_of_an_app_with_everything_finds_nothing_and_changes_nothing() {
    let lab = lab(&[]).await;
    let checks = probe(&lab, &lab.connect()).await;
    assert_eq!(checks.len(), 9);
    for check in checks {
        assert_eq!(check.ok, Some(true), "{check:?}");
    }
    assert_eq!(lab.twin.calls(NOOR), Default::default());
    assert!(lab.twin.subscriptions().is_empty());
}

#[tokio::test]
async fn a_probe_names_each_missing_permission_alone_and_what_depends_on_it() {
    for permission in Permission::ALL {
        if *permission == Permission::RiskyUserRead {
            continue;
        }
        let lab = lab(&[UserSpec::new("glass@northwind.example").in_group(GLASS)]).await;
        lab.twin
            .put_app(App::new(CLIENT_ID, CLIENT_SECRET).without(*permission));
        let grouped = lab.connect_with(json!({
            "groups": { GLASS: ["break-glass"] },
            "poll": { "risky_users": true },
        }));
        let checks = probe(&lab, &grouped).await;
        let missing: Vec<_> = checks
            .iter()
            .filter(|check| check.ok != Some(true))
            .collect();
        let names: Vec<_> = missing.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, [permission.name()]);
        assert_eq!(missing[0].ok, Some(false));
        assert!(!missing[0].used_by.is_empty());
        assert!(missing[0].detail.contains(permission.name()));
    }
}

#[tokio::test]
async fn a_probe_names_a_group_that_is_not_there() {
    let lab = lab(&[UserSpec::new("glass@northwind.example").in_group(GLASS)]).await;
    let stranger = "00000000-0000-4000-8000-00000000000a";
    let groups = json!({ "groups": { GLASS: ["break-glass"], stranger: ["vip"] } });
    let checks = probe(&lab, &lab.connect_with(groups)).await;
    let wrong: Vec<_> = checks.iter().filter(|one| one.ok != Some(true)).collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].detail.contains(stranger) && !wrong[0].detail.contains(GLASS));
}

#[tokio::test]
async fn a_refused_sign_in_says_what_to_mend_and_no_secret() {
    let secrets = Secrets::from([("env:WRONG_SECRET", "not-the-secret".to_owned())]);
    let lab = Lab::start_with(Config::manual(), secrets).await;
    for (extra, said) in [
        (
            json!({ "client_secret": "env:WRONG_SECRET" }),
            "client secret",
        ),
        (json!({ "client_id": "nobody" }), "client_id"),
        (json!({ "tenant": "elsewhere.example" }), "tenant"),
    ] {
        let checks = probe(&lab, &lab.connect_with(extra)).await;
        assert_eq!(checks.len(), 1);
        assert_eq!(checks[0].ok, Some(false));
        assert!(checks[0].detail.contains(said), "{checks:?}");
        assert!(checks[0].detail.contains("AADSTS"), "{checks:?}");
        assert!(!checks[0].detail.contains("not-the-secret"));
    }
    lab.twin.fail_next(Endpoint::Token, Fault::ResetBeforeApply);
    let checks = probe(&lab, &lab.connect()).await;
    assert_eq!(checks[0].ok, None, "{checks:?}");
}

#[tokio::test]
async fn a_national_cloud_is_asked_for_a_token_of_its_own_api() {
    let lab = lab(&[]).await;
    for (cloud, api) in [
        ("us-gov", "graph.microsoft.us"),
        ("us-dod", "dod-graph.microsoft.us"),
        ("china", "microsoftgraph.chinacloudapi.cn"),
        ("global", "graph.microsoft.com"),
    ] {
        probe(&lab, &lab.connect_with(json!({ "cloud": cloud }))).await;
        let asked = lab
            .twin
            .requests()
            .into_iter()
            .rfind(|one| one.endpoint == "token");
        let form = asked.unwrap().body.unwrap();
        let scope = format!("scope=https%3A%2F%2F{api}%2F.default&");
        assert!(form.contains(&scope), "{cloud}: {form}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_runs_out() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    for _ in 0..3 {
        read(&lab, &connected, &by_name(NOOR)).await.unwrap();
        lab.clock.advance(std::time::Duration::from_secs(3599 - 60));
    }
    assert_eq!(lab.twin.count(Endpoint::Token), 3);
    let refused = lab
        .twin
        .requests()
        .into_iter()
        .filter(|one| one.status == Some(401));
    assert_eq!(refused.count(), 0);
}

#[tokio::test]
async fn a_sign_in_page_from_a_proxy_is_not_taken_for_a_reply() {
    let lab = lab(&[]).await;
    let connected = lab.connect();
    lab.twin
        .fail_next(Endpoint::UserSearch, Fault::WrongContentType);
    let error = read(&lab, &connected, &by_name(NOOR)).await.unwrap_err();
    assert_eq!(error.kind, Kind::ReplyUnreadable);
    lab.twin
        .fail_next(Endpoint::UserUpdate, Fault::WrongContentType);
    let disable = quell_model::ActionType::DisableAccount;
    let error = crate::kit::set(&lab, &connected, disable, &by_name(NOOR))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::MaybeApplied);
}

#[tokio::test]
async fn what_cannot_work_is_refused_by_its_key_before_anything_is_called() {
    let secrets = Secrets::from([
        ("env:SHORT", "short".to_owned()),
        ("file:x", "nonsense".to_owned()),
    ]);
    let lab = Lab::start_with(Config::manual(), secrets).await;
    let key = |extra| lab.try_connect(extra).map(|_| ()).unwrap_err().key;
    let notifications =
        |url: &str, state: &str| json!({ "notifications": { "url": url, "client_state": state } });
    assert_eq!(key(json!({ "client_secret": null })), "client_secret");
    assert_eq!(key(json!({ "certificate": "file:x" })), "client_secret");
    assert_eq!(
        key(json!({ "client_secret": null, "certificate": "file:x" })),
        "certificate_key"
    );
    assert_eq!(
        key(json!({ "client_secret": null, "certificate_key": "file:x" })),
        "certificate"
    );
    let both =
        json!({ "client_secret": null, "certificate": "file:x", "certificate_key": "file:x" });
    assert_eq!(key(both), "certificate");
    assert_eq!(key(json!({ "client_id": " " })), "client_id");
    assert_eq!(
        key(notifications("http://quell.example", "env:CLIENT_STATE")),
        "notifications.url"
    );
    assert_eq!(
        key(notifications("https://quell.example", "env:SHORT")),
        "notifications.client_state"
    );
    assert_eq!(
        key(json!({ "groups": { "Break glass": ["vip"] } })),
        "groups"
    );
    assert_eq!(lab.twin.requests().len(), 0);
}

/// A certificate as Python's `cryptography` makes it and sees it.
#[derive(Deserialize)]
struct Made {
    certificate: String,
    key: String,
    public_key: Vec<u8>,
    thumbprint: String,
}

const MAKE: &str = r#"
import base64, datetime, json
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
name, day = x509.Name([]), datetime.datetime(2026, 1, 1)
made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
made = made.not_valid_before(day).not_valid_after(day + datetime.timedelta(days=99)).sign(key, hashes.SHA256())
print(json.dumps({
    "certificate": made.public_bytes(s.Encoding.PEM).decode(),
    "key": key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode(),
    "public_key": list(key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.PKCS1)),
    "thumbprint": base64.urlsafe_b64encode(made.fingerprint(hashes.SHA256())).decode().rstrip("="),
}))
"#;

#[tokio::test]
async fn a_certificate_signs_in_with_an_assertion_that_is_never_used_twice() -> Outcome {
    let run = Command::new(python().await?)
        .args(["-c", MAKE])
        .output()
        .await?;
    let made: Made = serde_json::from_slice(&run.stdout)?;
    let app = App {
        secret: None,
        thumbprint: Some(made.thumbprint),
        public_key: made.public_key,
        ..App::new(CLIENT_ID, "")
    };
    let config = Config {
        apps: vec![app],
        ..Config::manual().with_user(UserSpec::new(NOOR))
    };
    let secrets = Secrets::from([("file:crt", made.certificate), ("file:key", made.key)]);
    let lab = Lab::start_with(config, secrets).await;
    let connected = lab.connect_with(json!({
        "client_secret": null,
        "certificate": "file:crt",
        "certificate_key": "file:key",
    }));
    for _ in 0..2 {
        read(&lab, &connected, &by_name(NOOR)).await?;
        lab.twin.revoke_tokens();
    }
    assert_eq!(lab.twin.count(Endpoint::Token), 2);
    Ok(())
}
