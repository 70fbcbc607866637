//! Everything one simulated account holds, and what a request handler may use of it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::alerts::AlertTable;
use super::auth::{Auth, Caller};
use super::endpoint::Endpoint;
use super::fql::{self, Expr};
use super::hosts::HostTable;
use super::iocs::IocTable;
use super::rtr::Rtr;
use super::service::Settings;
use super::wire::{ApiError, Wrap};
use crate::http::{Query, Reply, Request};
use crate::sync::lock;

/// How long the vendor's side takes. Zero means the next read already shows the new state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// From an accepted contain to `contained`.
    #[serde(rename = "containment_millis", with = "millis")]
    pub containment: Duration,
    /// From an accepted lift to `normal`.
    #[serde(rename = "lift_millis", with = "millis")]
    pub lift: Duration,
    /// From a sent real time response command to its completion.
    #[serde(rename = "command_millis", with = "millis")]
    pub command: Duration,
}

impl Settle {
    /// Everything settles at once.
    pub const INSTANT: Self = Self {
        containment: Duration::ZERO,
        lift: Duration::ZERO,
        command: Duration::ZERO,
    };
}

impl Default for Settle {
    fn default() -> Self {
        Self {
            containment: Duration::from_secs(4),
            lift: Duration::from_secs(6),
            command: Duration::from_millis(1500),
        }
    }
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) settle: Settle,
    pub(crate) hosts: HostTable,
    pub(crate) alerts: AlertTable,
    pub(crate) rtr: Rtr,
    pub(crate) iocs: IocTable,
}

/// What the twin keeps of the vendor.
#[derive(Debug)]
pub struct Vendor {
    pub(crate) auth: Auth,
    settings: Mutex<Settings>,
    tenant: Mutex<Tenant>,
    pub(crate) cid: String,
}

impl Vendor {
    pub(crate) fn new(cid: String, auth: Auth, settings: Settings, tenant: Tenant) -> Self {
        Self {
            auth,
            settings: Mutex::new(settings),
            tenant: Mutex::new(tenant),
            cid,
        }
    }
}

pub(crate) type Shared = crate::twin::Shared<Vendor>;

impl Shared {
    pub(crate) fn tenant(&self) -> MutexGuard<'_, Tenant> {
        lock(&self.vendor.tenant)
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.vendor.settings)
    }
}

/// One admitted request on its way through a handler.
pub(crate) struct Cx<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) caller: &'a Caller,
    pub(crate) request: &'a Request,
    pub(crate) query: &'a Query,
    pub(crate) endpoint: Endpoint,
    pub(crate) trace_id: &'a str,
    pub(crate) now: i64,
}

impl Cx<'_> {
    pub(crate) fn wrap(&self) -> Wrap<'_> {
        Wrap::new(self.endpoint, self.trace_id)
    }

    pub(crate) fn refuse(&self, status: u16, message: impl Into<String>) -> Reply {
        self.wrap()
            .error(status, ApiError::new(u32::from(status), message))
    }

    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        serde_json::from_slice(&self.request.body)
            .map_err(|error| self.refuse(400, format!("invalid request body: {error}")))
    }

    /// A number from the query string within bounds.
    pub(crate) fn number(
        &self,
        name: &str,
        default: usize,
        largest: usize,
    ) -> Result<usize, Reply> {
        match self.query.get(name) {
            None | Some("") => Ok(default),
            Some(text) => match text.parse() {
                Ok(value) if value <= largest => Ok(value),
                _ => Err(self.refuse(
                    400,
                    format!("invalid {name} '{text}': expected a number up to {largest}"),
                )),
            },
        }
    }

    pub(crate) fn filter(&self, text: Option<&str>) -> Result<Option<Expr>, Reply> {
        match text.filter(|text| !text.trim().is_empty()) {
            None => Ok(None),
            Some(text) => match fql::parse(text, self.now) {
                Ok(expr) => Ok(Some(expr)),
                Err(at) => Err(self.refuse(400, format!("invalid filter at character {at}"))),
            },
        }
    }
}
