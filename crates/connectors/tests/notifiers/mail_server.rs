//! The independent mail server, and a connection to it.

use std::process::Stdio;
use std::sync::Arc;

use quell_connector::clock::SimClock;
use quell_connector::{Connected, Error, Vendor};
use quell_connectors::smtp::{Config, Smtp};
use quell_model::Notice;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::python::{Outcome, python};
use crate::support::{call, plumbing};

/// What the server takes as password.
pub(crate) const PASSWORD: &str = "correct horse";

/// A running server. It ends when its standard input closes, so with the test at the latest.
pub(crate) struct Server {
    pub(crate) orders: ChildStdin,
    pub(crate) answers: Lines<BufReader<ChildStdout>>,
    pub(crate) port: u16,
    pub(crate) ca_file: String,
    pub(crate) other_ca_file: String,
    pub(crate) folder: std::path::PathBuf,
    pub(crate) _child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        // What is left over in the temporary folder harms nobody.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[derive(Deserialize)]
pub(crate) struct Started {
    pub(crate) port: u16,
    pub(crate) ca_file: String,
    pub(crate) other_ca_file: String,
}

/// A mail as the server took it and Python read it.
#[derive(Debug, Deserialize)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) peer: u16,
    pub(crate) encrypted: bool,
    pub(crate) authenticated: bool,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) recipients: Vec<(String, String)>,
    pub(crate) parts: Vec<(String, String)>,
    pub(crate) markup: Markup,
    pub(crate) defects: Vec<String>,
    pub(crate) longest_line: usize,
    pub(crate) ascii: bool,
}

/// The HTML as Python's parser read it.
#[derive(Debug, Deserialize)]
pub(crate) struct Markup {
    pub(crate) tags: Vec<String>,
    pub(crate) attributes: Vec<String>,
    pub(crate) links: Vec<String>,
}

impl Mail {
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let (_, value) = values.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    /// The content of the part of this type.
    pub(crate) fn part(&self, kind: &str) -> &str {
        let found = self.parts.iter().find(|(other, _)| other == kind);
        found.map(|(_, content)| content.as_str()).unwrap()
    }
}

impl Server {
    pub(crate) async fn start(tls: &str, auth: bool) -> Outcome<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp/server.py");
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("smtp-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let options = json!({ "tls": tls, "auth": auth, "folder": folder });
        let mut child = Command::new(python().await?)
            .arg(script)
            .arg(options.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().ok_or("no pipe")?;
        let mut answers = BufReader::new(child.stdout.take().ok_or("no pipe")?).lines();
        let line = answers
            .next_line()
            .await?
            .ok_or("the SMTP server did not start; its words stand above")?;
        let Started {
            port,
            ca_file,
            other_ca_file,
        } = serde_json::from_str(&line)?;
        Ok(Self {
            orders,
            answers,
            port,
            ca_file,
            other_ca_file,
            folder,
            _child: child,
        })
    }

    pub(crate) async fn order<T: DeserializeOwned>(&mut self, order: Value) -> Outcome<T> {
        self.orders
            .write_all(format!("{order}\n").as_bytes())
            .await?;
        let line = self.answers.next_line().await?.ok_or("the server ended")?;
        Ok(serde_json::from_str(&line)?)
    }

    pub(crate) async fn messages(&mut self) -> Outcome<Vec<Mail>> {
        self.order(json!({ "op": "messages" })).await
    }

    pub(crate) async fn reply_once(&mut self, command: &str, reply: &str) -> Outcome {
        let order = json!({ "op": "reply", "command": command, "reply": reply });
        assert!(self.order::<bool>(order).await?);
        Ok(())
    }

    pub(crate) fn config(&self, extra: Value) -> Value {
        let mut table = json!({
            "host": "localhost",
            "port": self.port,
            "ca_file": self.ca_file,
            "username": "quell",
            "password": "env:SMTP_PASSWORD",
            "from": "Quell <quell@example.com>",
            "to": ["\"Ann, SOC\" <ann@example.com>", "bob@example.com"],
        });
        if let (Some(table), Some(extra)) = (table.as_object_mut(), extra.as_object()) {
            table.extend(extra.clone());
            table.retain(|_, value| !value.is_null());
        }
        table
    }

    pub(crate) fn connect(&self, extra: Value) -> Post {
        Post::new(self.config(extra), PASSWORD)
    }
}

pub(crate) struct Post {
    pub(crate) clock: Arc<SimClock>,
    pub(crate) smtp: Connected,
}

impl Post {
    pub(crate) fn new(config: Value, password: &str) -> Self {
        let clock = Arc::new(SimClock::default());
        let config: Config = serde_json::from_value(config).unwrap();
        let smtp = Smtp::build(config, plumbing(&clock, password)).unwrap();
        let smtp = Connected::new("soc-mail".parse().unwrap(), &Arc::new(smtp));
        Self { clock, smtp }
    }

    pub(crate) async fn tell(&self, key: &str, notices: &[Notice]) -> Result<(), Error> {
        let notifier = self.smtp.abilities.notify.as_deref().unwrap();
        notifier.notify(&call(&self.clock), key, notices).await
    }

    pub(crate) async fn verdicts(&self) -> Vec<(String, Option<bool>)> {
        let checks = self.smtp.probe(&call(&self.clock)).await;
        checks
            .into_iter()
            .map(|check| (check.name, check.ok))
            .collect()
    }
}
