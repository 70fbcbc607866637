//! The vendor's published descriptions know every request the connector sends.

use std::path::Path;

use quell_twins::github::{SecretAlert, User};
use serde_json::{Map, json};
use tokio::process::Command;

use crate::python::{Outcome, python, said};
use crate::{call, foreign, lab, login, read, set};

#[tokio::test]
async fn every_request_and_webhook_fits_the_vendors_descriptions() -> Outcome {
    let mut recorded = Map::new();
    for product in ["org", "ghes", "emu"] {
        let lab = lab([User::member("hubert"), User::owner("olga")]).await;
        for number in 1..=150 {
            lab.twin
                .put_secret(SecretAlert::open("shop", number, "aws_access_key_id"));
        }
        let mut connections = vec![lab.connect(product)];
        if product == "org" {
            connections.push(lab.connect_app());
        }
        for connected in connections {
            let target = match product {
                "emu" => foreign("mia@corp.example"),
                _ => login("hubert"),
            };
            for want in ["disabled", "enabled"] {
                set(&lab, &connected, &target, want).await?;
                read(&lab, &connected, &target).await?;
            }
            read(&lab, &connected, &login("olga")).await.ok();
            let feed = connected.abilities.feed.clone().expect("a feed");
            let first = feed.poll(&call(&lab), None).await?;
            feed.poll(&call(&lab), Some(&first.cursor)).await?;
            connected.probe(&call(&lab)).await;
        }
        recorded.insert(product.to_owned(), json!(lab.twin.requests()));
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let folder = std::env::temp_dir().join(format!("quell-github-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("requests.json");
    std::fs::write(&file, serde_json::to_vec(&recorded)?)?;
    let run = Command::new(python().await?)
        .arg(tests.join("contract/github.py"))
        .arg(&file)
        .arg(tests.join("fixtures/github"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await?;
    std::fs::remove_dir_all(&folder)?;
    assert!(
        run.status.success(),
        "the descriptions disagree:\n{}",
        said(&run)
    );
    Ok(())
}
