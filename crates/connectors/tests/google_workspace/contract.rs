//! What the connector sends, judged by the vendor's own published description.

use std::path::Path;

use quell_connector::{AlertUpdate, Verdict};
use quell_model::ActionType;
use quell_twins::google_workspace::{AlertSpec, LoginEvent};
use serde_json::json;
use tokio::process::Command;

use crate::google_lab::USER;
use crate::kit::{call, disable, enable, lab, look, perform, progress, read};
use crate::python::{Outcome, python, said};

#[tokio::test]
async fn every_request_fits_the_vendor_s_description() -> Outcome {
    let lab = lab().await;
    let connected = lab.connect_with(json!({ "login_audit": true, "poll": { "page_size": 1 } }));
    let (target, admin) = (lab.account(USER), lab.account("root@northwind.example"));
    read(&lab, &connected, &admin).await?;
    disable(&lab, &connected, &target).await?;
    enable(&lab, &connected, &target).await?;
    for deed in [ActionType::RevokeSessions, ActionType::ResetPassword] {
        look(&lab, &connected, deed, &target).await?;
        let receipt = perform(&lab, &connected, deed, &target).await?;
        progress(&lab, &connected, deed, &target, &receipt).await?;
    }
    let id = lab.twin.add_alert(&AlertSpec::leaked_password(USER));
    lab.twin.add_alert(&AlertSpec::leaked_password(USER));
    lab.twin
        .add_login_event(&LoginEvent::suspicious(USER, "192.0.2.7"));
    let feed = connected.abilities.feed.clone().ok_or("no feed")?;
    let mut cursor = None;
    loop {
        let batch = feed.poll(&call(&lab), cursor.as_ref()).await?;
        cursor = Some(batch.cursor);
        if !batch.more {
            break;
        }
    }
    let fetch = connected.abilities.fetch.clone().ok_or("no fetch")?;
    fetch.fetch(&call(&lab), &id).await?;
    let update = AlertUpdate {
        status: None,
        comment: String::new(),
        verdict: Some(Verdict::Compromised),
    };
    let write_back = connected
        .abilities
        .write_back
        .clone()
        .ok_or("no write-back")?;
    write_back.write_back(&call(&lab), &id, &update).await?;
    connected.probe(&call(&lab)).await;

    let name = format!("google-workspace-{}.json", std::process::id());
    let requests = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&requests, serde_json::to_vec(&lab.twin.requests())?)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/google_workspace.py");
    let run = Command::new(python().await?)
        .arg(script)
        .arg(&requests)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await?;
    assert!(run.status.success(), "{}", said(&run));
    Ok(())
}
