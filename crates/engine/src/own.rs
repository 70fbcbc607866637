//! What Quell needs itself: the machine it runs on, its own program, the vendors it works through and
//! their sensors. Owns the entries that follow; nobody can take them off.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use quell_policy::lists::{Draft, Entry, Strength, Subject};
use tracing::warn;

use crate::engine::Connection;

/// The source of these entries.
pub const OWN: &str = "quell";

/// Where Quell runs, and as what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The machine's name.
    pub host: Option<String>,
    /// Quell's own program.
    pub program: Option<Program>,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file's name, without the folder.
    pub name: String,
    /// SHA-256 of the file in hexadecimal, when it could be read.
    pub sha256: Option<String>,
}

impl Machine {
    /// Nothing is known of it.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            host: None,
            program: None,
        }
    }
}

/// The entries, each once.
pub(crate) fn entries(
    machine: &Machine,
    connections: &[Connection],
    now: Timestamp,
) -> Arc<[Arc<Entry>]> {
    let mut own = Own {
        now,
        entries: Vec::new(),
    };
    if let Some(host) = machine.host.as_deref().filter(|host| !everywhere(host)) {
        let here = "Quell runs on this machine";
        let name = host.split('.').next().unwrap_or(host);
        own.never(Subject::Host, host, here);
        own.never(Subject::Host, name, here);
        // Vendors know machines with and without their domain.
        own.never(Subject::Host, &format!("{name}.*"), here);
    }
    if let Some(program) = &machine.program {
        own.program(&program.name, "This is Quell itself");
        if let Some(sha256) = &program.sha256 {
            own.never(Subject::Hash, sha256, "This is Quell itself");
        }
    }
    for connection in connections {
        let connected = &connection.connected;
        let through = format!("Quell works through it ({})", connected.id);
        for host in &connected.lifelines.hosts {
            // An address in brackets, as in a URL.
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let subject = match host.parse::<IpAddr>() {
                Ok(_) => Subject::Ip,
                Err(_) => Subject::Domain,
            };
            own.never(subject, host, &through);
        }
        for sender in &connected.lifelines.senders {
            own.never(Subject::Sender, sender, &through);
        }
        for account in &connected.lifelines.accounts {
            own.never(Subject::Account, account, &through);
        }
        for program in &connected.lifelines.programs {
            own.program(program, &format!("It is the sensor of {}", connected.name));
        }
    }
    let mut entries = own.entries;
    entries.sort_by(|a, b| (a.subject, &a.value).cmp(&(b.subject, &b.value)));
    entries.dedup_by(|a, b| (a.subject, &a.value) == (b.subject, &b.value));
    entries.into_iter().map(Arc::new).collect()
}

/// A name every machine has says nothing about this one.
fn everywhere(host: &str) -> bool {
    host.is_empty() || host.split('.').next() == Some("localhost")
}

struct Own {
    now: Timestamp,
    entries: Vec<Entry>,
}

impl Own {
    fn never(&mut self, subject: Subject, value: &str, reason: &str) {
        self.add(subject, value, Strength::Never, reason);
    }

    fn add(&mut self, subject: Subject, value: &str, strength: Strength, reason: &str) {
        let draft = Draft {
            subject,
            value: value.to_owned(),
            strength,
            actions: std::collections::BTreeSet::new(),
            connection: None,
            reason: reason.to_owned(),
            author: OWN.to_owned(),
            source: OWN.to_owned(),
            added: self.now,
            expires: None,
        };
        match Entry::new(draft) {
            Ok(entry) => self.entries.push(entry),
            Err(problems) => warn!(value, %problems, "Quell cannot protect something of its own"),
        }
    }

    /// A program is not ended, taken away or banned by itself. A name proves nothing, and malware may have
    /// it too, so a person can say yes.
    fn program(&mut self, name: &str, reason: &str) {
        self.add(Subject::ProcessName, name, Strength::Ask, reason);
        self.add(Subject::FileName, name, Strength::Ask, reason);
    }
}
