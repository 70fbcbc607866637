//! Every request the connector sends, judged by Okta's own published description of its API.

use std::sync::Arc;

use quell_model::ActionType;
use quell_twins::okta::{ADMIN, UserSpec};
use serde_json::json;
use tokio::process::Command;

use crate::kit::{
    MARA, Safe, by_login, by_token, call, call_with, lab, mara, perform, progress, read, write,
};
use crate::python::{Outcome, python, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_fits_the_vendor_s_published_description() -> Outcome {
    let lab = lab().await;
    lab.twin
        .put_user(UserSpec::active("boss@acme.example").role("SUPER_ADMIN"));
    let connected = lab.connect();
    let safe = Arc::new(Safe::default());
    for target in [mara(&lab), by_login(MARA), by_login(ADMIN)] {
        read(&lab, &connected, &target).await?;
    }
    read(&lab, &by_token(&lab, "env:OKTA_TOKEN"), &mara(&lab)).await?;
    for action in [ActionType::DisableAccount, ActionType::EnableAccount] {
        write(&lab, &connected, action, &mara(&lab)).await?;
    }
    for action in [ActionType::RevokeSessions, ActionType::ResetPassword] {
        let receipt = perform(&call_with(&lab, &safe), &connected, action, &mara(&lab)).await?;
        progress(&lab, &connected, action, &mara(&lab), &receipt).await?;
    }
    let feed = connected.abilities.feed.clone().ok_or("there is a feed")?;
    let first = feed.poll(&call(&lab), None).await?;
    feed.poll(&call(&lab), Some(&first.cursor)).await?;
    connected.probe(&call(&lab)).await;

    let requests = json!(lab.twin.requests());
    let file = std::env::temp_dir().join(format!("quell-okta-{}.json", std::process::id()));
    std::fs::write(&file, requests.to_string())?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/okta.py");
    let run = Command::new(python().await?)
        .arg(script)
        .arg(&file)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await?;
    std::fs::remove_file(&file)?;
    assert!(run.status.success(), "{}", said(&run));
    Ok(())
}
