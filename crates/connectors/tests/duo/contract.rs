//! The vendor's own client signs every request the connector sends, and gets the same signature.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use quell_model::{ActionType, Setting};
use quell_twins::duo::{IKEY, SKEY, SignIn, TrustEvent, User};
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::python::{Outcome, python, said};
use crate::{call, lab, principal};

/// A request byte by byte as it left: signatures are in headers, which the twin does not keep.
#[derive(Debug, Serialize)]
struct Sent {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// What was sent on each connection through a relay to the twin.
#[derive(Clone, Default)]
struct Relay(Arc<Mutex<Vec<Vec<u8>>>>);

impl Relay {
    async fn before(&self, twin: std::net::SocketAddr) -> Outcome<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = format!("http://{}", listener.local_addr()?);
        let relay = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay.clone().carry(client, twin));
            }
        });
        Ok(base)
    }

    async fn carry(self, client: TcpStream, twin: std::net::SocketAddr) -> std::io::Result<()> {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_twin, mut to_twin) = TcpStream::connect(twin).await?.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_twin, &mut to_client).await });
        let number = {
            let mut connections = self.0.lock().expect("nobody panicked");
            connections.push(Vec::new());
            connections.len() - 1
        };
        let mut part = [0; 4096];
        loop {
            let length = from_client.read(&mut part).await?;
            if length == 0 {
                return Ok(());
            }
            if let Some(connection) = self.0.lock().expect("nobody panicked").get_mut(number) {
                connection.extend_from_slice(&part[..length]);
            }
            to_twin.write_all(&part[..length]).await?;
        }
    }

    fn sent(&self) -> Vec<Sent> {
        let connections = self.0.lock().expect("nobody panicked");
        connections
            .iter()
            .flat_map(|bytes| requests(bytes))
            .collect()
    }
}

fn requests(bytes: &[u8]) -> Vec<Sent> {
    let mut text = std::str::from_utf8(bytes).expect("requests are text");
    let mut found = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let mut lines = head.split("\r\n");
        let mut first = lines
            .next()
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned);
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .and_then(|l| l.parse().ok())
            .unwrap_or(0);
        let (body, after) = rest.split_at(length);
        found.push(Sent {
            method: first.next().unwrap_or_default(),
            target: first.next().unwrap_or_default(),
            headers,
            body: body.to_owned(),
        });
        text = after;
    }
    found
}

/// Names of every kind of character, the same each run.
fn names(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let mut name = || ".{1,24}@?".new_tree(&mut runner).expect("a name").current();
    (0..count).map(|_| name()).collect()
}

#[tokio::test]
async fn the_vendors_client_signs_every_request_the_same() -> Outcome {
    let lab = lab([User::active("alice")]).await;
    lab.twin.surface(&TrustEvent::DeviceRegistration);
    lab.twin.sign_in(&SignIn::fraud("alice", "203.0.113.9"));
    lab.clock.advance(std::time::Duration::from_secs(180));
    let relay = Relay::default();
    let base = relay.before(lab.twin.address()).await?;
    for version in ["v5", "v2"] {
        let connected =
            crate::lab::connect(&base, lab.clock.clone(), json!({ "signature": version }));
        let control = connected
            .control(ActionType::DisableAccount.effect())
            .expect("a row");
        for want in ["disabled", "enabled"] {
            let want = Setting::named(want);
            control
                .write(&call(&lab), &principal("alice"), &want)
                .await?;
        }
        for name in names(60) {
            // Most of them exist nowhere; only how they are asked for matters.
            control.read(&call(&lab), &principal(&name)).await.ok();
        }
        let feed = connected.abilities.feed.clone().expect("a feed");
        feed.poll(&call(&lab), None).await?;
        assert!(
            connected
                .probe(&call(&lab))
                .await
                .iter()
                .all(|check| check.ok == Some(true))
        );
    }
    let sent = relay.sent();
    assert!(sent.len() > 100, "only {} requests were seen", sent.len());

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let folder = std::env::temp_dir().join(format!("quell-duo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("requests.json");
    std::fs::write(&file, serde_json::to_vec(&sent)?)?;
    let run = Command::new(python().await?)
        .arg(tests.join("contract/duo.py"))
        .arg(&file)
        .args([IKEY, SKEY])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await?;
    std::fs::remove_dir_all(&folder)?;
    assert!(
        run.status.success(),
        "the vendor's client disagrees:\n{}",
        said(&run)
    );
    Ok(())
}
