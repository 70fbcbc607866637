//! A vendor as a whole, and its entry in the catalog with all types erased.

use std::collections::BTreeMap;
use std::sync::Arc;

use quell_model::{Alert, ConnectionId, Effect};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::ability::{Abilities, Check};
use crate::contract::{About, AnyControl, AnyPerform, Bound, Facts, Row};
use crate::document::DocumentError;
use crate::settings::{ConfigError, Plumbing};
use crate::{BoxFuture, Call};

/// Reads one alert document. Pure: no network, no clock.
pub type Normalise = fn(&RawValue) -> Result<Alert, DocumentError>;

/// Finds the id of the alert a pushed body is about, for [`crate::Fetch`]. Pure. It answers for full
/// documents too, because a fetched document is the vendor's word and a pushed one is the sender's.
pub type Reference = fn(&RawValue) -> Option<String>;

/// One vendor product.
pub trait Vendor: Sized + Send + Sync + 'static {
    /// Its id in configuration and policy (`crowdstrike`).
    const ID: &'static str;
    /// Its name for people (`CrowdStrike Falcon`).
    const NAME: &'static str;
    /// What it can do. The only source of documentation, permission lists and tests.
    const ROWS: &'static [Row<Self>];
    /// How it reads alert documents, when it is a source of alerts.
    const NORMALISE: Option<Normalise> = None;
    /// How it finds the alert's id in a pushed body of any shape, when [`crate::Fetch`] can follow it.
    const REFERENCE: Option<Reference> = None;
    /// Members of a list reply that hold alert documents, outer members before a dot
    /// (`response.events`).
    const ENVELOPE: &'static [&'static str] = &[];

    /// Permissions it needs to take stock of an organization's machines, when it can
    /// ([`crate::TakeStock`]).
    const STOCK: &'static [&'static str] = &[];

    /// The connection's configuration. Doc comments of its fields are the reference text.
    type Config: DeserializeOwned + JsonSchema;

    /// Builds the connector. No network: a vendor that is down must not keep Quell from starting.
    ///
    /// # Errors
    /// When the configuration cannot work, naming the key.
    fn build(config: Self::Config, plumbing: Plumbing) -> Result<Self, ConfigError>;

    /// The abilities beside the rows.
    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities::default()
    }

    /// What nothing may ever be done to, or Quell would cut itself off from this vendor.
    fn lifelines(&self) -> Lifelines {
        Lifelines::default()
    }

    /// The directory domain whose accounts it holds (`corp.example.com`), when it is a directory.
    fn realm(&self) -> Option<String> {
        None
    }

    /// Finds out what the credentials really allow, changing nothing.
    fn probe(&self, cx: &Call) -> impl Future<Output = Vec<Check>> + Send;
}

/// What a connection works through. Quell puts all of it on its own never list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifelines {
    /// Names or addresses of the hosts it talks to, and those the vendor's sensor does.
    pub hosts: Vec<String>,
    /// Names of the programs that are the vendor's sensor, without a folder.
    pub programs: Vec<String>,
    /// Mail addresses or domains it sends from.
    pub senders: Vec<String>,
    /// Accounts it signs in as.
    pub accounts: Vec<String>,
}

/// A row's description without its types.
#[derive(Debug, Clone, Copy)]
pub struct RowFacts {
    /// What it is about.
    pub about: About,
    /// What there is to know.
    pub facts: Facts,
}

/// A catalog entry: a vendor with its types erased.
pub struct Connector {
    /// Its id in configuration and policy.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// How it reads alert documents.
    pub normalise: Option<Normalise>,
    /// How it finds an alert's id in a pushed body of any shape.
    pub reference: Option<Reference>,
    /// Members of a list reply that hold alert documents.
    pub envelope: &'static [&'static str],
    /// Permissions it needs to take stock of an organization's machines; none when it cannot.
    pub stock: &'static [&'static str],
    rows: fn() -> Vec<RowFacts>,
    schema: fn(&mut SchemaGenerator) -> Schema,
    build: fn(serde_json::Value, Plumbing) -> Result<Connected, ConfigError>,
}

impl Connector {
    /// What it can do.
    #[must_use]
    pub fn rows(&self) -> Vec<RowFacts> {
        (self.rows)()
    }

    /// JSON schema of its configuration.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }

    /// Builds a connection from its configuration table.
    ///
    /// # Errors
    /// When the configuration cannot work, naming the key.
    pub fn build(
        &self,
        config: serde_json::Value,
        plumbing: Plumbing,
    ) -> Result<Connected, ConfigError> {
        (self.build)(config, plumbing)
    }
}

/// The catalog entry of a vendor.
#[must_use]
pub const fn connector<V: Vendor>() -> Connector {
    Connector {
        id: V::ID,
        name: V::NAME,
        normalise: V::NORMALISE,
        reference: V::REFERENCE,
        envelope: V::ENVELOPE,
        stock: V::STOCK,
        rows: || {
            V::ROWS
                .iter()
                .map(|row| RowFacts {
                    about: row.about,
                    facts: row.facts,
                })
                .collect()
        },
        schema: |generator| generator.subschema_for::<V::Config>(),
        build: |config, plumbing| {
            let config =
                serde_path_to_error::deserialize::<_, V::Config>(config).map_err(|error| {
                    ConfigError::new(error.path().to_string(), error.inner().to_string())
                })?;
            let connection = plumbing.connection.clone();
            let vendor = Arc::new(V::build(config, plumbing)?);
            Ok(Connected::new(connection, &vendor))
        },
    }
}

/// A built connection, as the engine uses it.
#[derive(Clone)]
pub struct Connected {
    /// The connection's id.
    pub id: ConnectionId,
    /// The connector's id.
    pub connector: &'static str,
    /// The connector's name for people.
    pub name: &'static str,
    /// How it reads alert documents.
    pub normalise: Option<Normalise>,
    /// How it finds an alert's id in a pushed body of any shape.
    pub reference: Option<Reference>,
    /// Members of a list reply that hold alert documents.
    pub envelope: &'static [&'static str],
    /// Abilities beside the rows.
    pub abilities: Abilities,
    /// What nothing may ever be done to.
    pub lifelines: Lifelines,
    /// The directory domain whose accounts it holds.
    pub realm: Option<String>,
    rows: Arc<BTreeMap<About, (Bound, Facts)>>,
    probe: Arc<dyn AnyProbe>,
}

impl Connected {
    /// Binds a built vendor.
    #[must_use]
    pub fn new<V: Vendor>(id: ConnectionId, vendor: &Arc<V>) -> Self {
        Self {
            id,
            connector: V::ID,
            name: V::NAME,
            normalise: V::NORMALISE,
            reference: V::REFERENCE,
            envelope: V::ENVELOPE,
            abilities: vendor.abilities(),
            lifelines: vendor.lifelines(),
            realm: vendor.realm(),
            rows: Arc::new(
                V::ROWS
                    .iter()
                    .map(|row| (row.about, (row.bind(vendor), row.facts)))
                    .collect(),
            ),
            probe: vendor.clone(),
        }
    }

    /// The facts of the row that serves `effect`, if there is one.
    #[must_use]
    pub fn facts(&self, effect: Effect) -> Option<&Facts> {
        self.rows.get(&about(effect)).map(|(_, facts)| facts)
    }

    /// The property control that serves `effect`, if there is one.
    #[must_use]
    pub fn control(&self, effect: Effect) -> Option<&Arc<dyn AnyControl>> {
        match self.rows.get(&about(effect)) {
            Some((Bound::Control(control), _)) => Some(control),
            _ => None,
        }
    }

    /// The one-shot that serves `effect`, if there is one.
    #[must_use]
    pub fn perform(&self, effect: Effect) -> Option<&Arc<dyn AnyPerform>> {
        match self.rows.get(&about(effect)) {
            Some((Bound::Perform(perform), _)) => Some(perform),
            _ => None,
        }
    }

    /// Finds out what the credentials really allow, changing nothing.
    pub async fn probe(&self, cx: &Call) -> Vec<Check> {
        self.probe.probe(cx).await
    }
}

const fn about(effect: Effect) -> About {
    match effect {
        Effect::Set { property, .. } => About::Property(property),
        Effect::Once(one_shot) => About::OneShot(one_shot),
    }
}

trait AnyProbe: Send + Sync {
    fn probe<'a>(&'a self, cx: &'a Call) -> BoxFuture<'a, Vec<Check>>;
}

impl<V: Vendor> AnyProbe for V {
    fn probe<'a>(&'a self, cx: &'a Call) -> BoxFuture<'a, Vec<Check>> {
        Box::pin(Vendor::probe(self, cx))
    }
}
