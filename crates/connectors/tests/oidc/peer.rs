//! The independent provider, and a person with a browser at its pages. Shared by the test binaries of more
//! than one crate, so it names its paths from the workspace.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The provider, on a free port. It ends when its standard input closes, so with the test at the latest.
pub(crate) struct Peer {
    pub(crate) issuer: String,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Peer {
    pub(crate) async fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let root = root.unwrap();
        let (here, installed) = (
            root.join("crates/connectors/tests/oidc"),
            root.join("target/npm/oidc"),
        );
        let lock = std::fs::read_to_string(here.join("package-lock.json")).unwrap();
        if std::fs::read_to_string(installed.join("installed.json")).ok() != Some(lock) {
            let mut xtask = Command::new("cargo");
            xtask.args(["xtask", "npm"]).current_dir(root);
            let ran = xtask.output().await.unwrap();
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert!(ran.status.success(), "`cargo xtask npm` failed:\n{said}");
        }
        // Node finds packages from where a program stands.
        let program = installed.join(format!("provider-{}.mjs", std::process::id()));
        std::fs::copy(here.join("provider.mjs"), &program).unwrap();
        let mut child = Command::new("node")
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = answers.next_line().await.unwrap().unwrap();
        std::fs::remove_file(&program).ok();
        let first: Value = serde_json::from_str(&first).unwrap();
        Self {
            issuer: first["issuer"].as_str().unwrap().to_owned(),
            orders: child.stdin.take().unwrap(),
            answers,
            _child: child,
        }
    }

    /// Where a person's browser ends up that was sent to `address` and signs in as `login`.
    pub(crate) async fn sign_in_at(&mut self, address: &str, login: &str) -> String {
        let order = json!({ "address": address, "login": login });
        let answer = self.order(order).await;
        match answer["back"].as_str() {
            Some(back) => back.to_owned(),
            None => panic!("{answer}"),
        }
    }

    /// Carries out an order and says what came of it.
    pub(crate) async fn order(&mut self, order: Value) -> Value {
        let line = format!("{order}\n");
        self.orders.write_all(line.as_bytes()).await.unwrap();
        let answer = self.answers.next_line().await.unwrap().unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}
