//! Custom indicators: the table and what the vendor accepts into it. One live indicator per account, type and value.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::fql::{Expr, Value};
use crate::clock::{self, rfc3339};

/// A custom indicator, in the vendor's own field names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the vendor's own names")]
pub struct Ioc {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
    pub action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mobile_action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub severity: String,
    pub platforms: Vec<String>,
    pub applied_globally: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_groups: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiration: Option<String>,
    pub expired: bool,
    pub deleted: bool,
    pub from_parent: bool,
    pub created_on: String,
    pub created_by: String,
    pub modified_on: String,
    pub modified_by: String,
}

const HASHES: [(&str, usize); 2] = [("sha256", 64), ("md5", 32)];
const NETWORK: [&str; 3] = ["domain", "ipv4", "ipv6"];
const ACTIONS: [&str; 5] = ["prevent", "prevent_no_ui", "detect", "allow", "no_action"];
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
const PLATFORMS: [&str; 5] = ["windows", "mac", "linux", "ios", "android"];

impl Ioc {
    /// The indicator as it acts now: past its expiration it stays, marked, and does nothing any more.
    pub(crate) fn at(&self, now: i64) -> Self {
        let mut shown = self.clone();
        if self
            .expiration
            .as_deref()
            .and_then(clock::parse_time)
            .is_some_and(|end| end <= now)
        {
            shown.expired = true;
            shown.action = "no_action".into();
        }
        shown
    }

    /// Why the vendor would refuse it.
    pub(crate) fn fault(&self) -> Option<String> {
        let hash = HASHES.iter().find(|(name, _)| *name == self.kind);
        let fault = if hash.is_none() && !NETWORK.contains(&self.kind.as_str()) {
            format!("Unsupported type: '{}'", self.kind)
        } else if !value_is_valid(&self.kind, &self.value) {
            format!("Invalid value for type {}: '{}'", self.kind, self.value)
        } else if !ACTIONS.contains(&self.action.as_str()) {
            format!("Invalid action: '{}'", self.action)
        } else if hash.is_none() && !matches!(self.action.as_str(), "detect" | "no_action") {
            format!(
                "Action '{}' is not allowed for type {}",
                self.action, self.kind
            )
        } else if self.platforms.is_empty() {
            "platforms is required".into()
        } else if let Some(platform) = self
            .platforms
            .iter()
            .find(|platform| !PLATFORMS.contains(&platform.as_str()))
        {
            format!("Invalid platform: '{platform}'")
        } else if !self.applied_globally && self.host_groups.is_empty() {
            "applied_globally or host_groups is required".into()
        } else if !self.severity.is_empty() && !SEVERITIES.contains(&self.severity.as_str()) {
            format!("Invalid severity: '{}'", self.severity)
        } else if self.severity.is_empty()
            && matches!(self.action.as_str(), "prevent" | "prevent_no_ui" | "detect")
        {
            format!("severity is required for action '{}'", self.action)
        } else if self.source.chars().count() > 256 {
            "source must be at most 256 characters".into()
        } else if self
            .expiration
            .as_deref()
            .is_some_and(|end| clock::parse_time(end).is_none())
        {
            "Invalid expiration".into()
        } else {
            return None;
        };
        Some(fault)
    }

    fn value_of(&self, name: &str) -> Option<Value<'_>> {
        let text = |text: &str| Value::Text(std::borrow::Cow::Owned(text.to_owned()));
        let time = |text: &str| clock::parse_time(text).map_or(Value::Missing, Value::Time);
        Some(match name {
            "id" => text(&self.id),
            "type" => text(&self.kind),
            "value" => text(&self.value),
            "action" => text(&self.action),
            "severity" => text(&self.severity),
            "source" => text(&self.source),
            "created_by" => text(&self.created_by),
            "modified_by" => text(&self.modified_by),
            "applied_globally" => Value::Flag(self.applied_globally),
            "expired" => Value::Flag(self.expired),
            "deleted" => Value::Flag(self.deleted),
            "from_parent" => Value::Flag(self.from_parent),
            "tags" => Value::Many(self.tags.iter().map(String::as_str).collect()),
            "platforms" => Value::Many(self.platforms.iter().map(String::as_str).collect()),
            "host_groups" => Value::Many(self.host_groups.iter().map(String::as_str).collect()),
            "created_on" | "created_timestamp" => time(&self.created_on),
            "modified_on" | "modified_timestamp" => time(&self.modified_on),
            "expiration" => self.expiration.as_deref().map_or(Value::Missing, time),
            _ if name.starts_with("metadata.") => Value::Missing,
            _ => return None,
        })
    }
}

/// Whether the vendor has such a type, and the value is one of it.
pub(crate) fn is_valid(kind: &str, value: &str) -> bool {
    let known = HASHES.iter().any(|(name, _)| *name == kind) || NETWORK.contains(&kind);
    known && value_is_valid(kind, value)
}

fn value_is_valid(kind: &str, value: &str) -> bool {
    if let Some((_, length)) = HASHES.iter().find(|(name, _)| *name == kind) {
        return value.len() == *length && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    match kind {
        "ipv4" => value.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => value.parse::<std::net::Ipv6Addr>().is_ok(),
        "domain" => {
            value.contains('.')
                && !value.contains(|c: char| c.is_whitespace() || matches!(c, '/' | ':' | '@'))
        }
        _ => true,
    }
}

/// Account, type and value: what makes an indicator the same.
type Key = (String, String, String);

#[derive(Debug)]
pub(crate) struct IocRow {
    pub(crate) cid: String,
    pub(crate) ioc: Ioc,
}

#[derive(Debug, Default)]
pub(crate) struct IocTable {
    rows: BTreeMap<u64, IocRow>,
    next: u64,
    by_id: HashMap<String, u64>,
    by_key: HashMap<Key, u64>,
}

impl IocTable {
    pub(crate) fn contains(&self, cid: &str, ioc: &Ioc) -> bool {
        self.by_key
            .contains_key(&(cid.to_owned(), ioc.kind.clone(), ioc.value.clone()))
    }

    pub(crate) fn add(&mut self, cid: &str, ioc: Ioc) {
        self.next += 1;
        self.by_id.insert(ioc.id.clone(), self.next);
        self.by_key.insert(
            (cid.to_owned(), ioc.kind.clone(), ioc.value.clone()),
            self.next,
        );
        self.rows.insert(
            self.next,
            IocRow {
                cid: cid.to_owned(),
                ioc,
            },
        );
    }

    pub(crate) fn get(&self, id: &str) -> Option<&IocRow> {
        self.rows.get(self.by_id.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut IocRow> {
        self.rows.get_mut(self.by_id.get(id)?)
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Ioc> {
        let row = self.rows.remove(&self.by_id.remove(id)?)?;
        self.by_key
            .remove(&(row.cid, row.ioc.kind.clone(), row.ioc.value.clone()));
        Some(row.ioc)
    }

    pub(crate) fn all(&self, now: i64) -> Vec<Ioc> {
        self.rows.values().map(|row| row.ioc.at(now)).collect()
    }

    /// The caller's indicators that match, oldest first, each with its place. The error is an unknown field's name.
    pub(crate) fn search(
        &self,
        cid: &str,
        filter: Option<&Expr>,
        now: i64,
    ) -> Result<Vec<(u64, Ioc)>, String> {
        let probe = Ioc::default();
        if let Some(unknown) = filter.and_then(|expr| {
            expr.fields()
                .into_iter()
                .find(|name| probe.value_of(name).is_none())
        }) {
            return Err(format!("invalid filter: unknown property '{unknown}'"));
        }
        let narrowed = filter
            .and_then(|expr| Some((expr.required_value("type")?, expr.required_value("value")?)));
        let places: Vec<u64> = match narrowed {
            Some((kind, value)) => self
                .by_key
                .get(&(cid.to_owned(), kind.to_owned(), value.to_owned()))
                .copied()
                .into_iter()
                .collect(),
            None => self.rows.keys().copied().collect(),
        };
        let shown = places.into_iter().filter_map(|place| {
            let row = self.rows.get(&place).filter(|row| row.cid == cid)?;
            Some((place, row.ioc.at(now)))
        });
        Ok(shown
            .filter(|(_, ioc)| {
                filter.is_none_or(|expr| {
                    expr.matches(&|name| ioc.value_of(name).unwrap_or(Value::Missing))
                })
            })
            .collect())
    }
}

/// Fills in what the vendor adds to a new indicator.
pub(crate) fn admit(mut ioc: Ioc, id: String, client: &str, now: i64) -> Ioc {
    ioc.id = id;
    ioc.expired = false;
    ioc.deleted = false;
    ioc.from_parent = false;
    ioc.created_on = rfc3339(now);
    ioc.created_by = client.to_owned();
    ioc.modified_on = ioc.created_on.clone();
    ioc.modified_by = client.to_owned();
    ioc
}
