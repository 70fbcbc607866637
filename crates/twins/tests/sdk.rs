//! The twins as the vendors' own SDKs see them. Two independent readings of a vendor's documentation, the SDK's and the
//! twin's, must agree.

use std::path::Path;

use quell_twins::crowdstrike::{self, CrowdStrike, Fleet, Settle};
use quell_twins::duo::{self, Duo};
use quell_twins::entra_id::{self, EntraId, GLOBAL_ADMINISTRATOR, OnPremises, UserSpec};
use quell_twins::github::{self, GitHub};
use quell_twins::google_workspace::{self, GoogleWorkspace};
use quell_twins::okta::{self, Okta};
use quell_twins::slack::{self, Slack};
use tokio::process::Command;

use python::{Outcome, python, said};

#[path = "sdk/python.rs"]
mod python;

/// Runs `tests/sdk/{script}`, which fails where the SDK and the twin disagree.
async fn agrees(script: &str, arguments: &[&str]) -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sdk")
        .join(script);
    let run = Command::new(python().await?)
        .arg(path)
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await?;
    assert!(
        run.status.success(),
        "the SDK check failed ({}):\n{}",
        run.status,
        said(&run)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowdstrike_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let config = crowdstrike::Config {
        // The SDK compares `us1` with `US1`, takes any region header for another cloud, and would leave for the real one.
        region: None,
        fleet: Fleet::small(),
        settle: Settle::default(),
        ..crowdstrike::Config::manual()
    };
    let twin = CrowdStrike::start(config).await?;
    agrees("crowdstrike.py", &[&twin.base_url()]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let twin = Slack::start(slack::Config::manual()).await?;
    agrees("slack.py", &[&format!("http://{}", twin.address())]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entra_id_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let synchronised = UserSpec {
        on_premises: Some(OnPremises {
            sid: "S-1-5-21-1-2-3-1104".into(),
            sam_account_name: "sam".into(),
            domain: "corp.example".into(),
        }),
        ..UserSpec::new("sam@corp.example")
    };
    let guest = UserSpec {
        guest: true,
        ..UserSpec::new("eve_out.example#EXT#@corp.example")
    };
    let config = entra_id::Config {
        risk_requests_per_second: None,
        federated_domains: vec!["fed.example".into()],
        ..entra_id::Config::manual()
            .with_user(
                UserSpec::new("ada@corp.example").in_group("9d1c7f30-4e58-4b6a-a2d9-0c83f5e7b164"),
            )
            .with_user(UserSpec::new("root@corp.example").with_role(GLOBAL_ADMINISTRATOR))
            .with_user(UserSpec::new("fay@fed.example"))
            .with_user(synchronised)
            .with_user(guest)
    };
    let twin = EntraId::start(config).await?;
    agrees("entra_id.py", &[&twin.base_url()]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn google_workspace_twin_satisfies_the_vendors_python_client() -> Outcome {
    let twin = GoogleWorkspace::start(google_workspace::Config::manual()).await?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let key = folder.join(format!("google-workspace-{}.json", std::process::id()));
    std::fs::write(&key, twin.service_account_key())?;
    let key = key.display().to_string();
    agrees("google_workspace.py", &[&twin.base_url(), &key]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let twin = Okta::start(okta::Config::manual()).await?;
    agrees("okta.py", &[&twin.base_url()]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duo_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let twin = Duo::start(duo::Config::manual()).await?;
    agrees("duo.py", &[&twin.base_url()]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn github_twin_satisfies_the_python_sdk() -> Outcome {
    let twin = GitHub::start(github::Config::manual()).await?;
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/github/app_key.pem");
    let key = key.display().to_string();
    agrees("github_rest.py", &[&twin.base_url(), &key]).await
}
