//! Everything the connector asks, judged by the vendor's own description of its API.

use std::path::Path;

use quell_connector::ability::{AlertUpdate, Verdict};
use quell_model::ActionType;
use quell_twins::entra_id::{Endpoint, GLOBAL_ADMINISTRATOR, RiskSpec, UserSpec};
use tokio::process::Command;

use crate::kit::{GLASS, NOOR, app_with, by_name, call, lab, look, perform, progress, read, set};
use crate::python::{Outcome, python, said};

#[tokio::test]
async fn every_request_fits_the_vendors_published_description() -> Outcome {
    let boss = UserSpec::new("root@northwind.example").with_role(GLOBAL_ADMINISTRATOR);
    let lab = lab(&[boss]).await;
    lab.twin.put_app(app_with(GLOBAL_ADMINISTRATOR));
    let connected = lab.connect_with(serde_json::json!({ "groups": { GLASS: ["vip"] } }));
    let noor = by_name(NOOR);
    read(&lab, &connected, &by_name("root@northwind.example")).await?;
    let sight = || look(&lab, &connected, ActionType::RevokeSessions, &noor);
    let (one, other, third) = tokio::join!(sight(), sight(), sight());
    for looked in [one, other, third] {
        looked?;
    }
    for action in [ActionType::DisableAccount, ActionType::EnableAccount] {
        set(&lab, &connected, action, &noor).await?;
    }
    for action in [ActionType::RevokeSessions, ActionType::ResetPassword] {
        look(&lab, &connected, action, &noor).await?;
        let receipt = perform(&lab, &connected, action, &noor).await?;
        progress(&lab, &connected, action, &receipt).await?;
    }
    let ids: Vec<_> = (0..3)
        .map(|_| lab.twin.raise(&RiskSpec::of(NOOR)))
        .collect();
    let id = ids.into_iter().next().ok_or("no detection")??;
    let paged =
        lab.connect_with(serde_json::json!({ "poll": { "page_size": 2, "risky_users": true } }));
    let feed = paged.abilities.feed.clone().ok_or("no feed")?;
    let batch = feed.poll(&call(&lab), None).await?;
    let batch = feed.poll(&call(&lab), Some(&batch.cursor)).await?;
    feed.poll(&call(&lab), Some(&batch.cursor)).await?;
    assert!(lab.twin.count(Endpoint::RiskyUsers) > 0);
    let write_back = connected
        .abilities
        .write_back
        .clone()
        .ok_or("no write-back")?;
    for verdict in [Verdict::Compromised, Verdict::Benign] {
        let update = AlertUpdate {
            status: None,
            comment: String::new(),
            verdict: Some(verdict),
        };
        write_back.write_back(&call(&lab), &id, &update).await?;
    }
    let upkeep = connected.abilities.upkeep.clone().ok_or("no upkeep")?;
    let kept = upkeep.upkeep(&call(&lab), None).await?;
    upkeep.upkeep(&call(&lab), Some(&kept.state)).await?;
    let restarted = lab.connect().abilities.upkeep.clone().ok_or("no upkeep")?;
    restarted.upkeep(&call(&lab), Some(&kept.state)).await?;
    connected.probe(&call(&lab)).await;
    assert!(lab.twin.count(Endpoint::Batch) > 0);

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let file = std::env::temp_dir().join(format!("quell-entra-{}.json", std::process::id()));
    std::fs::write(&file, serde_json::to_vec(&lab.twin.requests())?)?;
    let run = Command::new(python().await?)
        .arg(tests.join("contract/entra_id.py"))
        .arg(&file)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await?;
    std::fs::remove_file(&file)?;
    assert!(run.status.success(), "{}", said(&run));
    Ok(())
}
