//! From a checked configuration to what the server runs on: rules, connections, credentials.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quell_connector::settings::SecretRef;
use quell_connector::{Plumbing, SecretSource};
use quell_connectors::catalog;
use quell_engine::{Connection, Guardrails, Rules, Settings};
use quell_model::{Clock, Secret};
use quell_policy::{Diagnostic, Playbooks, Policy, Source};
use quell_server::{IntakeAuth, SettingsError, Token};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::Document;
use super::check::about;
use super::load::plainly;
use crate::failure::{Failure, Result, why};
use crate::secrets::References;

impl Document {
    /// Everything the server runs on; nothing is called.
    ///
    /// # Errors
    /// With everything that cannot work, at once.
    pub fn parts(&self, clock: &Arc<dyn Clock>) -> Result<Parts> {
        let (rules, connections, server) = (self.rules(), self.connections(clock), self.server());
        match (rules, connections, server) {
            (Ok(rules), Ok(connections), Ok(server)) => Ok(Parts {
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
        let section = &self.config.policy;
        let own = self.texts("policy.rules", &section.rules)?;
        let mut sources: Vec<Source<'_>> = own.iter().map(Text::source).collect();
        if section.shipped_rules || sources.is_empty() {
            sources.push(Policy::builtin_source());
        }
        let playbooks = self.texts("policy.playbooks", &section.playbooks)?;
        let playbooks: Vec<Source<'_>> = playbooks.iter().map(Text::source).collect();
        Ok(Rules {
            playbooks: Playbooks::load(&playbooks)?,
            policy: Policy::load(&sources)?,
            guardrails: Guardrails::new(
                self.config.organization.opt_in.clone(),
                quell_policy::Settings {
                    contain_confidence: section.contain_confidence,
                },
                self.config.assets.clone(),
                &self.config.lists,
            ),
        })
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
            let plumbing = Plumbing {
                connection: connection.id.clone(),
                clock: clock.clone(),
                secrets: secrets.clone(),
            };
            match connector.build(Value::Object(connection.settings.clone()), plumbing) {
                Ok(connected) => built.push(Connection {
                    tenant: connection.tenant.clone(),
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
            approval_deadline: section.approval_deadline.unsigned_abs(),
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

    fn unless(&self, problems: Vec<Diagnostic>) -> Result<()> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Failure::of_problems(&self.name, problems))
        }
    }

    /// The files that `patterns` name, read.
    fn texts(&self, key: &str, patterns: &[String]) -> Result<Vec<Text>> {
        let mut texts = Vec::new();
        let mut problems = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let path = format!("{key}[{index}]");
            match matching(&self.folder, pattern) {
                Ok(files) => {
                    for file in files {
                        match std::fs::read_to_string(&file) {
                            Ok(text) => texts.push(Text {
                                name: file.display().to_string(),
                                text,
                            }),
                            Err(error) => {
                                let message =
                                    format!("`{}` cannot be read: {}", file.display(), why(&error));
                                problems.push(self.problem(&path, message));
                            }
                        }
                    }
                }
                Err(message) => problems.push(self.problem(&path, message)),
            }
        }
        self.unless(problems).map(|()| texts)
    }
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

struct Text {
    name: String,
    text: String,
}

impl Text {
    fn source(&self) -> Source<'_> {
        Source {
            name: &self.name,
            text: &self.text,
        }
    }
}

/// The files a pattern names, in order; at least one.
fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let path = folder.join(pattern);
    let Some((before, after)) = path
        .file_name()
        .and_then(|name| name.to_str()?.split_once('*'))
    else {
        return Ok(vec![path]);
    };
    let parent = path.parent().unwrap_or(Path::new(""));
    // An empty path is the present folder.
    let listed = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let entries = std::fs::read_dir(listed).map_err(|error| {
        format!(
            "the folder `{}` cannot be read: {}",
            listed.display(),
            why(&error)
        )
    })?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let middle = name.to_str()?.strip_prefix(before)?;
            middle.ends_with(after).then(|| parent.join(&name))
        })
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("no file matches `{pattern}`"));
    }
    Ok(files)
}

fn words(error: SettingsError) -> String {
    error.to_string()
}
