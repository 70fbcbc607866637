//! The twins as the vendors' own SDKs see them. Two independent readings of a vendor's documentation, the SDK's and the
//! twin's, must agree.

use std::path::Path;

use quell_twins::crowdstrike::{Config, CrowdStrike, Fleet, Settle};
use quell_twins::duo::{self, Duo};
use quell_twins::entra_id::{self, EntraId, GLOBAL_ADMINISTRATOR, OnPremises, UserSpec};
use quell_twins::github::{self, GitHub};
use quell_twins::slack::{self, Slack};
use tokio::process::Command;

use python::{Outcome, python, said};

#[path = "sdk/python.rs"]
mod python;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowdstrike_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let python = python().await?;
    let config = Config {
        // The SDK compares `us1` with `US1`, takes any region header for another cloud, and would leave for the real one.
        region: None,
        fleet: Fleet::small(),
        settle: Settle::default(),
        ..Config::manual()
    };
    let twin = CrowdStrike::start(config).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/crowdstrike.py");
    let run = Command::new(python)
        .arg(script)
        .arg(twin.base_url())
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
async fn slack_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let python = python().await?;
    let twin = Slack::start(slack::Config::manual()).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/slack.py");
    let run = Command::new(python)
        .arg(script)
        .arg(format!("http://{}", twin.address()))
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
async fn entra_id_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let python = python().await?;
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
            .with_user(UserSpec::new("ada@corp.example"))
            .with_user(UserSpec::new("root@corp.example").with_role(GLOBAL_ADMINISTRATOR))
            .with_user(UserSpec::new("fay@fed.example"))
            .with_user(synchronised)
            .with_user(guest)
    };
    let twin = EntraId::start(config).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/entra_id.py");
    let run = Command::new(python)
        .arg(script)
        .arg(twin.base_url())
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
async fn duo_twin_satisfies_the_vendors_python_sdk() -> Outcome {
    let python = python().await?;
    let twin = Duo::start(duo::Config::manual()).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/duo.py");
    let run = Command::new(python)
        .arg(script)
        .arg(twin.base_url())
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
async fn github_twin_satisfies_the_python_sdk() -> Outcome {
    let python = python().await?;
    let twin = GitHub::start(github::Config::manual()).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/github_rest.py");
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/github/app_key.pem");
    let run = Command::new(python)
        .arg(script)
        .arg(twin.base_url())
        .arg(key)
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
