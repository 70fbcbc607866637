//! E-mail through an SMTP server: one message for the notices of one call, to a fixed list of
//! people.
//!
//! This file is the identity; everything else lives in the file of its concern. The conversation
//! with the server is `session`'s, what people read is `mail`'s, and who still has to get it is
//! `notify`'s.

mod config;
mod letter;
mod mail;
mod notify;
mod probe;
mod session;

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use quell_connector::ability::Abilities;
use quell_connector::{Call, Check, ConfigError, Lifelines, Plumbing, Row, Vendor};
use quell_model::ConnectionId;

pub use config::{Config, Tls};

use notify::Ledger;
use session::Server;

/// One SMTP server and the people it carries mail to.
pub struct Smtp {
    server: Server,
    host: String,
    from: Mailbox,
    username: Option<String>,
    to: Vec<Mailbox>,
    limit: Duration,
    connection: ConnectionId,
    ledger: Ledger,
}

impl Vendor for Smtp {
    const ID: &'static str = "smtp";
    const NAME: &'static str = "E-mail (SMTP)";
    const ROWS: &'static [Row<Self>] = &[];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let from = config.sender()?;
        Ok(Self {
            host: config.host()?.to_owned(),
            server: Server::new(
                config.host()?,
                config.port(),
                config.encryption()?,
                config.credentials(&plumbing)?,
                from.email.domain(),
            ),
            to: config.recipients()?,
            limit: config.limit()?,
            connection: plumbing.connection,
            ledger: Ledger::default(),
            from,
            username: config.username,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            notify: Some(self.clone()),
            tell: Some(self.clone()),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        Lifelines {
            hosts: vec![self.host.clone()],
            programs: Vec::new(),
            senders: vec![self.from.email.domain().to_owned()],
            accounts: self
                .username
                .iter()
                .cloned()
                .chain([self.from.email.to_string()])
                .collect(),
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        probe::probe(self, &cx.within(self.limit)).await
    }
}
