//! From a checked configuration to what the server runs on: rules, connections, credentials.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use quell_connector::settings::SecretRef;
use quell_connector::{Plumbing, SecretSource, SystemClock};
use quell_connectors::catalog;
use quell_engine::{AskUser, Connection, Guardrails, Rules, Seal, Settings};
use quell_model::{Clock, ConnectionId, Secret};
use quell_policy::{Diagnostic, Folder};
use quell_server::{IntakeAuth, SettingsError, Token};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::Document;
use super::check::about;
use super::load::plainly;
use crate::failure::{Failure, Result};
use crate::folder;
use crate::sealing;
use crate::secrets::References;

impl Document {
    /// Everything the server runs on; nothing is called.
    ///
    /// # Errors
    /// With everything that cannot work, at once.
    pub fn parts(&self, clock: &Arc<dyn Clock>) -> Result<Parts> {
        let (rules, connections, server) = (self.rules(), self.connections(clock), self.server());
        let rules = rules.and_then(|rules| match &connections {
            Ok(connections) => reachable(rules, &tells(connections)),
            Err(_) => Ok(rules),
        });
        match (rules, connections, server) {
            (Ok(rules), Ok(connections), Ok(server)) => self.able(&connections).map(|()| Parts {
                rules,
                connections,
                server,
            }),
            (rules, connections, server) => {
                let failures = [rules.err(), connections.err(), server.err()];
                let problems = failures
                    .iter()
                    .flatten()
                    .flat_map(|f| f.problems().iter().cloned());
                Err(Failure::of_problems(&self.name, problems.collect()))
            }
        }
    }

    /// The rules in force.
    ///
    /// # Errors
    /// When a rule or playbook cannot be read or does not load.
    pub fn rules(&self) -> Result<Rules> {
        let folder = match &self.config.policy.directory {
            Some(directory) => folder::read(&self.folder.join(directory))
                .map_err(|message| self.at("policy.directory", message))?,
            None => Folder::default(),
        };
        let shown = self.config.policy.directory.as_deref().unwrap_or_default();
        let loaded = folder.load(shown, SystemClock.now())?;
        if loaded.settings.ask_user.on && self.config.ask_user.is_none() {
            let message = "the policy asks people whether it was them, so [ask_user] must say how";
            return Err(self.at("ask_user", message));
        }
        for entry in &loaded.in_vain {
            tracing::warn!("{entry}");
        }
        Ok(Rules {
            playbooks: loaded.playbooks,
            policy: Arc::new(loaded.policy),
            settings: loaded.settings,
            guardrails: Guardrails::new(self.config.assets.clone(), loaded.lists)
                .of_fleet(self.config.organization.fleet),
        })
    }

    /// Whether the connections that `[ask_user]` names can do what they are named for.
    fn able(&self, connections: &[Connection]) -> Result<()> {
        let Some(ask) = &self.config.ask_user else {
            return Ok(());
        };
        let of = |id: &ConnectionId| {
            let found = connections.iter().find(|c| c.connected.id == *id);
            found.map(|c| &c.connected.abilities)
        };
        let signs_in = of(&ask.sign_in).map(|abilities| abilities.sign_in.is_some());
        let tells = of(&ask.tell_by).map(|abilities| abilities.tell.is_some());
        let mut problems = Vec::new();
        for (key, id, able, what) in [
            (
                "sign_in",
                &ask.sign_in,
                signs_in,
                "sign people in; name one of connector `oidc`",
            ),
            (
                "tell_by",
                &ask.tell_by,
                tells,
                "write to a person; name one of connector `smtp`",
            ),
        ] {
            let message = match able {
                Some(true) => continue,
                Some(false) => format!("connection `{id}` cannot {what}"),
                None => format!("there is no connection `{id}`"),
            };
            problems.push(self.problem(&format!("ask_user.{key}"), message));
        }
        self.unless(problems)
    }

    /// The connections, built; nothing is called.
    ///
    /// # Errors
    /// With every connection that cannot work, by its key.
    pub fn connections(&self, clock: &Arc<dyn Clock>) -> Result<Vec<Connection>> {
        let secrets: Arc<dyn SecretSource> = Arc::new(References::below(&self.folder));
        let mut built = Vec::new();
        let mut problems = Vec::new();
        for (index, connection) in self.config.connections.iter().enumerate() {
            let path = format!("connections[{index}]");
            let Some(connector) = catalog::find(&connection.connector) else {
                let message = format!("there is no connector `{}`", connection.connector);
                problems.push(self.problem(&format!("{path}.connector"), message));
                continue;
            };
            if let Some(accounts) = &connection.accounts
                && !self.config.connections.iter().any(|c| c.id == *accounts)
            {
                let message = format!("there is no connection `{accounts}`");
                problems.push(self.problem(&format!("{path}.accounts"), message));
            }
            let plumbing = Plumbing {
                connection: connection.id.clone(),
                clock: clock.clone(),
                secrets: secrets.clone(),
            };
            match connector.build(Value::Object(connection.settings.clone()), plumbing) {
                Ok(connected) => built.push(Connection {
                    tenant: connection.tenant.clone(),
                    accounts: connection.accounts.clone(),
                    ..Connection::new(connected)
                }),
                Err(error) => {
                    let key = format!("{path}.settings.{}", error.key);
                    let message = match about(&error.key, &plainly(&error.problem)) {
                        whole if whole.starts_with('`') => whole,
                        cause => format!("`{}`: {cause}", error.key),
                    };
                    problems.push(self.problem(&key, message));
                }
            }
        }
        self.unless(problems).map(|()| built)
    }

    /// What the HTTP server is started with.
    ///
    /// # Errors
    /// With every credential that cannot be used.
    pub fn server(&self) -> Result<quell_server::Settings> {
        let secrets = References::below(&self.folder);
        let mut problems = Vec::new();
        let mut settings = quell_server::Settings {
            body_limit: self.config.server.body_limit,
            ..quell_server::Settings::default()
        };
        for (index, token) in self.config.server.tokens.iter().enumerate() {
            let path = format!("server.tokens[{index}].token");
            let made = secrets
                .resolve(&token.token)
                .and_then(|secret| Token::new(&token.name, token.role, &secret).map_err(words));
            match made {
                Ok(token) => settings.tokens.push(token),
                Err(problem) => problems.push(self.problem(&path, problem)),
            }
        }
        for (index, connection) in self.config.connections.iter().enumerate() {
            let Some(intake) = &connection.intake else {
                continue;
            };
            let path = format!("connections[{index}].intake");
            let resolve = |reference: &SecretRef| secrets.resolve(reference);
            let all = |first: &SecretRef| -> Result<Vec<Secret>, String> {
                [Some(first), intake.previous.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(resolve)
                    .collect()
            };
            let made = match (&intake.token, &intake.signing_secret) {
                (Some(token), _) => {
                    all(token).and_then(|all| IntakeAuth::bearer(&all).map_err(words))
                }
                (None, Some(secret)) => {
                    all(secret).and_then(|all| IntakeAuth::standard_webhooks(&all).map_err(words))
                }
                (None, None) => continue,
            };
            match made {
                Ok(auth) => {
                    settings.intake.insert(connection.id.clone(), auth);
                }
                Err(problem) => problems.push(self.problem(&path, problem)),
            }
        }
        self.unless(problems).map(|()| settings)
    }

    /// What the engine is started with.
    #[must_use]
    pub fn engine(&self) -> Settings {
        let section = &self.config.organization;
        Settings {
            incident_window: section.incident_window.unsigned_abs(),
            ask_user: self.config.ask_user.as_ref().map(|ask| AskUser {
                sign_in: ask.sign_in.clone(),
                tell_by: ask.tell_by.clone(),
                public_url: ask.public_url.trim_end_matches('/').to_owned(),
            }),
            ..Settings::new(section.id.clone())
        }
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// When it is no address, which reading the file excludes.
    pub fn listen(&self) -> Result<SocketAddr> {
        let listen = &self.config.server.listen;
        listen.parse().map_err(|_| {
            let problem = self.problem("server.listen", "is not an address with a port");
            Failure::of_problems(&self.name, vec![problem])
        })
    }

    /// What is logged.
    ///
    /// # Errors
    /// When the filter cannot be read.
    pub fn log_filter(&self) -> Result<EnvFilter> {
        EnvFilter::try_new(&self.config.log.filter).map_err(|_| {
            let message =
                "is not a filter; write for example \"info\" or \"info,quell_connector=debug\"";
            Failure::of_problems(&self.name, vec![self.problem("log.filter", message)])
        })
    }

    /// Where the database is.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.join(&self.config.store.path)
    }

    /// What seals temporary passwords.
    ///
    /// # Errors
    /// When the key cannot be read, or made.
    pub fn seal(&self) -> Result<Seal> {
        let Some(reference) = &self.config.store.sealing_key else {
            return sealing::beside(&self.store());
        };
        References::below(&self.folder)
            .resolve(reference)
            .and_then(|key| sealing::read(&key))
            .map_err(|problem| self.at("store.sealing_key", problem))
    }

    fn unless(&self, problems: Vec<Diagnostic>) -> Result<()> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Failure::of_problems(&self.name, problems))
        }
    }

    /// A failure about one value of the file.
    fn at(&self, path: &str, message: impl Into<String>) -> Failure {
        Failure::of_problems(&self.name, vec![self.problem(path, message)])
    }
}

/// Every connection, and whether it tells people.
pub(crate) fn tells(connections: &[Connection]) -> BTreeMap<ConnectionId, bool> {
    connections
        .iter()
        .map(|connection| {
            let connected = &connection.connected;
            (connected.id.clone(), connected.abilities.notify.is_some())
        })
        .collect()
}

/// The rules, if those whom they want told can be reached.
///
/// # Errors
/// With each connection that cannot tell people, where the policy names it.
pub(crate) fn reachable(rules: Rules, tells: &BTreeMap<ConnectionId, bool>) -> Result<Rules> {
    let known = |id: &ConnectionId| tells.get(id).copied();
    rules.settings.approvals.reach(known)?;
    Ok(rules)
}

/// What a server runs on.
pub struct Parts {
    /// The rules in force.
    pub rules: Rules,
    /// The connections, built.
    pub connections: Vec<Connection>,
    /// Credentials and limits of the HTTP server.
    pub server: quell_server::Settings,
}

fn words(error: SettingsError) -> String {
    error.to_string()
}
