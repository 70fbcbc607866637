//! Slack: notices posted to one channel.
//!
//! This file is the identity; everything else lives in the file of its concern. People are told
//! here and answer elsewhere: no message carries a control that acts.

mod api;
mod config;
mod notify;
mod wire;

use std::sync::Arc;

use quell_connector::ability::Abilities;
use quell_connector::http::Plane;
use quell_connector::{Call, Check, ConfigError, Lifelines, Plumbing, Row, Vendor};

pub use config::Config;

use config::Channel;

/// One channel of one workspace.
pub struct Slack {
    plane: Plane,
    channel: Channel,
    /// Path of the API below the host.
    root: String,
    host: Option<String>,
}

impl Vendor for Slack {
    const ID: &'static str = "slack";
    const NAME: &'static str = "Slack";
    const ROWS: &'static [Row<Self>] = &[];

    type Config = Config;

    fn build(config: Config, plumbing: Plumbing) -> Result<Self, ConfigError> {
        let channel = config.channel()?;
        let base = config.base()?;
        let root = base.path().to_owned();
        let host = base.host_str().map(str::to_owned);
        let hosts = host.iter().cloned().collect();
        let token = config.bearer(&plumbing, base)?;
        let source = Box::new(token);
        let plane = Plane::new(&plumbing, &config.http, api::DIALECT, hosts, source)?;
        Ok(Self {
            plane,
            channel,
            root,
            host,
        })
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        Abilities {
            notify: Some(self.clone()),
            ..Abilities::default()
        }
    }

    fn lifelines(&self) -> Lifelines {
        Lifelines {
            hosts: self.host.iter().cloned().collect(),
            ..Lifelines::default()
        }
    }

    async fn probe(&self, cx: &Call) -> Vec<Check> {
        api::probe(self, cx).await
    }
}
