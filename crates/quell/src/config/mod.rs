//! The configuration file: what its keys mean, and what is built from it.
//!
//! The types here are the source of the schema that mistakes are found with, of the reference page
//! and of the checks on the shipped example. A path in the file starts at the file's own folder.

mod build;
mod check;
mod load;
mod schema;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use quell_connector::settings::SecretRef;
use quell_engine::AssetRule;
use quell_model::{ConnectionId, OrganizationId};
use quell_server::{BODY_LIMIT_MAX, BODY_LIMIT_MIN, Role};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use quell_connector::SystemClock;
use quell_model::Clock;

use crate::failure::Result;
use crate::output::{self, Format};

pub use build::Parts;
pub(crate) use build::{reachable, tells};
pub(crate) use check::{options, resolve};
pub use load::Document;
pub use schema::schema;

/// What can be asked about a configuration.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Says what is wrong with a configuration: keys, values, rules, secrets. Calls nobody.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE", default_value = "quell.toml")]
        config: PathBuf,
    },
    /// Prints the configuration's JSON schema, for editors.
    Schema,
}

/// Runs the command.
///
/// # Errors
/// With everything that is wrong.
pub fn run(command: &Command, format: Format) -> Result<()> {
    let path = match command {
        Command::Schema => return output::json(&schema()),
        Command::Check { config } => config,
    };
    let document = Document::open(path)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let Parts {
        rules, connections, ..
    } = document.parts(&clock)?;
    document.log_filter()?;
    if format == Format::Json {
        return output::json(&serde_json::json!({
            "config": path.display().to_string(),
            "connections": connections.iter().map(|c| c.connected.id.as_str()).collect::<Vec<_>>(),
            "rules": rules.policy.rules().len(),
            "warnings": document.warnings,
        }));
    }
    for warning in &document.warnings {
        output::remark(&format!(
            "{} {warning}",
            output::styled(output::WAITS, "warning:")
        ));
    }
    output::say(&format!(
        "{} is good: {}, {}, {}\n",
        path.display(),
        output::count(connections.len(), "connection"),
        output::count(rules.policy.rules().len(), "rule"),
        output::count(document.config.server.tokens.len(), "token"),
    ));
    Ok(())
}

/// Everything `quell serve` is told by its configuration file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    #[serde(default)]
    pub server: Server,
    /// The database.
    #[serde(default)]
    pub store: Store,
    /// What is logged, and how.
    #[serde(default)]
    pub log: Log,
    /// The organization that is protected.
    pub organization: Organization,
    /// What may be done.
    #[serde(default)]
    pub policy: Policy,
    /// How the person an alert is about is asked whether it was them. Whether they are is up to
    /// `[ask_user]` in the policy folder's policy.toml.
    #[serde(default)]
    pub ask_user: Option<AskUser>,
    /// What the organization says of its machines.
    #[serde(default)]
    pub assets: Vec<AssetRule>,
    /// The accounts at security products that Quell acts through, hears from or tells people by.
    #[serde(default)]
    pub connections: Vec<Connection>,
}

/// The HTTP server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on. Quell speaks plain HTTP: for other machines put a proxy that
    /// speaks TLS in front.
    pub listen: String,
    /// Who may use the API, and how they prove who they are.
    pub tokens: Vec<Token>,
    /// Largest body of alerts that is taken, in bytes.
    #[schemars(range(min = BODY_LIMIT_MIN, max = BODY_LIMIT_MAX))]
    pub body_limit: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7835".to_owned(),
            tokens: Vec::new(),
            body_limit: BODY_LIMIT_MAX,
        }
    }
}

/// A person or program that may use the API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Who it is: this name stands in the record of everything done with the token.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Where the token is kept.
    pub token: SecretRef,
}

/// The database.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// File of the embedded database; made when it is not there.
    pub path: String,
    /// Where the key is kept that seals temporary passwords, 64 hexadecimal digits
    /// (`"file:/run/secrets/quell-key"`). Without it: a file beside the database, made when it is not there.
    pub sealing_key: Option<SecretRef>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: "quell.db".to_owned(),
            sealing_key: None,
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What to log: a level (`error`, `warn`, `info`, `debug`), or one for each part
    /// (`"info,quell_connector=debug"`).
    pub filter: String,
    /// The form of log lines.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: LogFormat::Auto,
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The organization that is protected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-moved" = {
    "approval_deadline": "it is `deadline` under [approvals] in the policy folder's policy.toml",
    "opt_in": "start the server, and say `quell opt-in ACTION` to it",
}))]
pub struct Organization {
    /// Its id, a short name in lower case. It is stored with everything and never changes.
    pub id: OrganizationId,
    /// How long an incident stays open to alerts that share an entity with it, with unit.
    #[serde(default = "a_day")]
    #[schemars(with = "String")]
    pub incident_window: SignedDuration,
    /// How many machines there are. Budgets that are a share of the fleet count by it. Without it the
    /// connections that know are asked; where none does, only the budgets' number holds.
    #[serde(default)]
    pub fleet: Option<u64>,
}

const fn a_day() -> SignedDuration {
    SignedDuration::from_hours(24)
}

/// What may be done.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Folder with the organization's own policy: the matrix in `policy.toml`, rules in `*.cedar`,
    /// protection lists in `lists/`, playbooks in `playbooks/`. Without it, what ships with Quell holds.
    pub directory: Option<String>,
}

/// How the person an alert is about is asked whether it was them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskUser {
    /// Id of the connection that signs them in (connector `oidc`).
    pub sign_in: ConnectionId,
    /// Id of the connection that writes to them (connector `smtp`).
    pub tell_by: ConnectionId,
    /// Where people's browsers reach this server (`"https://quell.example.com"`). The identity provider
    /// has to know `/was-it-you/callback` below it as the address to send people back to.
    pub public_url: String,
}

/// One account at one security product.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Its id: in the address that alerts are pushed to, in the record, in log lines.
    pub id: ConnectionId,
    /// The connector that speaks to the product.
    #[schemars(schema_with = "connector_names")]
    pub connector: String,
    /// Only alerts of this customer at the vendor are taken (CrowdStrike: the CID); any, when missing.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The connection that acts on accounts which this one's alerts name by an address, where this one
    /// cannot itself: a second factor's alert ends the sessions at the identity provider.
    #[serde(default)]
    pub accounts: Option<ConnectionId>,
    /// How pushed alerts prove where they come from. Without it nothing can be pushed.
    #[serde(default)]
    pub intake: Option<Intake>,
    /// The connector's own settings; each connector has a page in the reference.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

fn connector_names(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = quell_connectors::catalog::CATALOG
        .iter()
        .map(|c| c.id)
        .collect();
    schemars::json_schema!({ "type": "string", "enum": names })
}

/// How pushed alerts prove where they come from: by a token they show or a signature they carry.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Intake {
    /// Where the bearer token is kept that the sender shows.
    pub token: Option<SecretRef>,
    /// Where the secret is kept that the sender signs with (Standard Webhooks, `whsec_…`).
    pub signing_secret: Option<SecretRef>,
    /// The token or signing secret that is being replaced; both work while it stands here.
    pub previous: Option<SecretRef>,
}
