//! Hosts: the table, and containment as the vendor does it. A containment call is only accepted (202); the state moves
//! when the sensor confirms, which takes a settling delay and needs the host online. Settling is computed on reading,
//! so no timer runs.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::fleet::{Connectivity, Containment, HostClass, HostSpec, Platform, Process};
use super::fql::{Expr, Value};
use super::state::Settle;
use crate::clock::{self, nanos, rfc3339_seconds};
use crate::ids::Ids;

/// What was asked of one host, and what of it took effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HostCalls {
    /// Contain requests that named the host.
    pub contain_received: u64,
    /// Contain requests that changed its state.
    pub contain_applied: u64,
    /// Lift requests that named the host.
    pub lift_received: u64,
    /// Lift requests that changed its state.
    pub lift_applied: u64,
    /// Kill commands sent to it.
    pub kill_received: u64,
    /// Kill commands that ended a process.
    pub kill_applied: u64,
}

/// A host as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Agent id.
    pub aid: String,
    /// Account it belongs to.
    pub cid: String,
    /// Host name.
    pub hostname: String,
    /// Product type.
    pub class: HostClass,
    /// Operating system family.
    pub platform: Platform,
    /// Whether the sensor talks to the cloud.
    pub connectivity: Connectivity,
    /// Where containment stands.
    pub containment: Containment,
    /// Processes alive.
    pub processes: Vec<Process>,
    /// Tags.
    pub tags: Vec<String>,
    /// What was asked of it.
    pub calls: HostCalls,
}

#[derive(Debug)]
pub(crate) struct HostRow {
    pub(crate) aid: String,
    pub(crate) cid: String,
    pub(crate) spec: HostSpec,
    pub(crate) calls: HostCalls,
    pub(crate) mac_address: String,
    pub(crate) serial: String,
    first_seen: i64,
    last_seen: i64,
    modified: i64,
    /// When the sensor will have confirmed a pending state.
    settle_at: i64,
}

/// The two settings of containment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Contain,
    Lift,
}

impl HostRow {
    pub(crate) fn is_online(&self) -> bool {
        self.spec.connectivity == Connectivity::Online
    }

    /// Moves a pending state on, if the sensor has had the time and can be reached.
    pub(crate) fn settle(&mut self, now: i64) {
        if now < self.settle_at || !self.is_online() || self.spec.reduced_functionality {
            return;
        }
        let settled = match self.spec.containment {
            Containment::ContainmentPending => Containment::Contained,
            Containment::LiftContainmentPending => Containment::Normal,
            _ => return,
        };
        self.spec.containment = settled;
        self.modified = self.settle_at.max(self.modified);
    }

    /// Takes a containment call. False when the host already is, or is on its way to, what was asked.
    pub(crate) fn ask(&mut self, wish: Wish, now: i64, delay: i64) -> bool {
        self.settle(now);
        let next = match (wish, self.spec.containment) {
            (Wish::Contain, Containment::Normal) => Containment::ContainmentPending,
            (Wish::Lift, Containment::Contained) => Containment::LiftContainmentPending,
            // The sensor never acted, so there is nothing for it to undo.
            (Wish::Lift, Containment::ContainmentPending) => Containment::Normal,
            _ => return false,
        };
        self.spec.containment = next;
        self.settle_at = now.saturating_add(delay);
        self.modified = now;
        true
    }

    pub(crate) fn connect(&mut self, connectivity: Connectivity, now: i64, settle: Settle) {
        self.settle(now);
        if self.is_online() {
            self.last_seen = now;
        }
        self.spec.connectivity = connectivity;
        if connectivity == Connectivity::Online {
            self.place(self.spec.containment, now, settle);
        }
    }

    /// Puts containment somewhere; a pending state takes its usual time from now.
    pub(crate) fn place(&mut self, containment: Containment, now: i64, settle: Settle) {
        if self.spec.containment != containment {
            self.modified = now;
        }
        self.spec.containment = containment;
        self.settle_at = now.saturating_add(match containment {
            Containment::ContainmentPending => nanos(settle.containment),
            Containment::LiftContainmentPending => nanos(settle.lift),
            _ => 0,
        });
    }

    pub(crate) fn last_seen(&self, now: i64) -> i64 {
        if self.is_online() {
            now
        } else {
            self.last_seen
        }
    }

    pub(crate) fn started(&self, process: &Process) -> Timestamp {
        process
            .started
            .unwrap_or_else(|| clock::timestamp(self.first_seen))
    }

    pub(crate) fn snapshot(&self) -> Host {
        Host {
            aid: self.aid.clone(),
            cid: self.cid.clone(),
            hostname: self.spec.hostname.clone(),
            class: self.spec.class,
            platform: self.spec.platform,
            connectivity: self.spec.connectivity,
            containment: self.spec.containment,
            processes: self.spec.processes.clone(),
            tags: self.spec.tags.clone(),
            calls: self.calls,
        }
    }

    /// The value of a filterable property; none for a name the vendor does not know.
    fn property(&self, name: &str, now: i64) -> Option<Value<'_>> {
        let text = |text: &'_ str| Value::Text(std::borrow::Cow::Owned(text.to_owned()));
        Some(match name {
            "device_id" => text(&self.aid),
            "cid" => text(&self.cid),
            "hostname" => text(&self.spec.hostname),
            "platform_name" => text(self.spec.platform.name()),
            "platform_id" => text(self.spec.platform.id()),
            "product_type" => text(self.spec.class.code()),
            "product_type_desc" => text(self.spec.class.description()),
            "os_version" => text(&self.spec.os_version),
            "machine_domain" => text(&self.spec.machine_domain),
            "local_ip" => text(&self.spec.local_ip),
            "external_ip" => text(&self.spec.external_ip),
            "mac_address" => text(&self.mac_address),
            "serial_number" => text(&self.serial),
            "status" => text(self.spec.containment.name()),
            "reduced_functionality_mode" => text(if self.spec.reduced_functionality {
                "yes"
            } else {
                "no"
            }),
            "tags" => Value::Many(self.spec.tags.iter().map(String::as_str).collect()),
            "groups" => Value::Many(self.spec.groups.iter().map(String::as_str).collect()),
            "ou" => Value::Many(self.spec.ou.iter().map(String::as_str).collect()),
            "last_seen" => Value::Time(self.last_seen(now)),
            "first_seen" => Value::Time(self.first_seen),
            "modified_timestamp" => Value::Time(self.modified),
            _ => return None,
        })
    }

    pub(crate) fn matches(&self, filter: &Expr, now: i64) -> bool {
        filter.matches(&|name| self.property(name, now).unwrap_or(Value::Missing))
    }

    /// The device document.
    pub(crate) fn document(&self, now: i64) -> Device<'_> {
        let spec = &self.spec;
        Device {
            device_id: &self.aid,
            cid: &self.cid,
            agent_load_flags: "0",
            agent_version: "7.26.19809.0",
            bios_manufacturer: "Contoso Firmware",
            bios_version: "1.14.2",
            config_id_platform: spec.platform.id(),
            chassis_type_desc: if spec.class == HostClass::Workstation {
                "Laptop"
            } else {
                "Rack Mount Chassis"
            },
            connection_ip: &spec.local_ip,
            external_ip: &spec.external_ip,
            mac_address: &self.mac_address,
            hostname: &spec.hostname,
            first_seen: rfc3339_seconds(self.first_seen),
            last_seen: rfc3339_seconds(self.last_seen(now)),
            local_ip: &spec.local_ip,
            machine_domain: filled(&spec.machine_domain),
            os_version: &spec.os_version,
            ou: &spec.ou,
            platform_id: spec.platform.id(),
            platform_name: spec.platform.name(),
            // Seen absent on other platforms, so a client must not count on it there.
            product_type: (spec.platform == Platform::Windows).then(|| spec.class.code()),
            product_type_desc: spec.class.description(),
            provision_status: "Provisioned",
            reduced_functionality_mode: if spec.reduced_functionality {
                "yes"
            } else {
                "no"
            },
            rtr_state: if spec.rtr_enabled {
                "enabled"
            } else {
                "disabled"
            },
            filesystem_containment_status: "normal",
            serial_number: &self.serial,
            service_provider: spec
                .instance
                .as_ref()
                .map(|(provider, _)| provider.as_str()),
            instance_id: spec.instance.as_ref().map(|(_, id)| id.as_str()),
            status: spec.containment.name(),
            system_manufacturer: "Contoso",
            system_product_name: "Model 7",
            groups: &spec.groups,
            tags: &spec.tags,
            modified_timestamp: rfc3339_seconds(self.modified),
        }
    }
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The device document, field names from recorded replies and the vendor's Go SDK.
#[derive(Debug, Serialize)]
pub(crate) struct Device<'a> {
    device_id: &'a str,
    cid: &'a str,
    agent_load_flags: &'static str,
    agent_version: &'static str,
    bios_manufacturer: &'static str,
    bios_version: &'static str,
    config_id_platform: &'static str,
    chassis_type_desc: &'static str,
    connection_ip: &'a str,
    external_ip: &'a str,
    mac_address: &'a str,
    hostname: &'a str,
    first_seen: String,
    last_seen: String,
    local_ip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine_domain: Option<&'a str>,
    os_version: &'a str,
    ou: &'a [String],
    platform_id: &'static str,
    platform_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_type: Option<&'static str>,
    product_type_desc: &'static str,
    provision_status: &'static str,
    reduced_functionality_mode: &'static str,
    rtr_state: &'static str,
    filesystem_containment_status: &'static str,
    serial_number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a str>,
    status: &'static str,
    system_manufacturer: &'static str,
    system_product_name: &'static str,
    groups: &'a [String],
    tags: &'a [String],
    modified_timestamp: String,
}

/// All hosts of a twin, in the order they were added.
#[derive(Debug, Default)]
pub(crate) struct HostTable {
    rows: Vec<HostRow>,
    by_aid: HashMap<String, usize>,
    by_name: HashMap<String, Vec<usize>>,
}

/// Properties `sort` accepts here.
const SORTABLE: [&str; 5] = [
    "hostname",
    "last_seen",
    "first_seen",
    "modified_timestamp",
    "device_id",
];

impl HostTable {
    /// Adds a host, or replaces the one with the same agent id, and says its agent id.
    pub(crate) fn put(&mut self, mut spec: HostSpec, cid: &str, now: i64, ids: &Ids) -> String {
        let aid = spec
            .aid
            .take()
            .map_or_else(|| ids.hex(2), |aid| aid.to_ascii_lowercase());
        let cid = spec.cid.take().unwrap_or_else(|| cid.to_owned());
        let number = ids.number();
        let octet = |shift: u32| (number >> shift) & 0xff;
        if spec.local_ip.is_empty() {
            spec.local_ip = format!("10.{}.{}.{}", octet(0) & 0x3f, octet(8), octet(16).max(2));
        }
        if spec.external_ip.is_empty() {
            spec.external_ip = format!("203.0.113.{}", octet(24).max(1));
        }
        if spec.os_version.is_empty() {
            spec.os_version = match spec.platform {
                Platform::Windows => "Windows 11".into(),
                Platform::Mac => "Sequoia (15)".into(),
                Platform::Linux => "Ubuntu 24.04".into(),
            };
        }
        let day = 86_400_000_000_000;
        let last_seen = spec
            .last_seen
            .take()
            .and_then(|at| i64::try_from(at.as_nanosecond()).ok())
            .unwrap_or(now - day);
        let row = HostRow {
            aid: aid.clone(),
            cid,
            mac_address: format!(
                "00-15-5d-{:02x}-{:02x}-{:02x}",
                octet(32),
                octet(40),
                octet(48)
            ),
            serial: format!("SN{number:016X}"),
            spec,
            calls: HostCalls::default(),
            first_seen: now - 30 * day,
            last_seen,
            modified: now,
            settle_at: now,
        };
        let name = row.spec.hostname.clone();
        match self.by_aid.get(&aid).copied() {
            Some(place) => {
                if let Some(old) = self.rows.get_mut(place) {
                    if let Some(named) = self.by_name.get_mut(&old.spec.hostname) {
                        named.retain(|known| *known != place);
                    }
                    *old = row;
                }
                self.by_name.entry(name).or_default().push(place);
            }
            None => {
                self.by_aid.insert(aid.clone(), self.rows.len());
                self.by_name.entry(name).or_default().push(self.rows.len());
                self.rows.push(row);
            }
        }
        aid
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The host with its containment settled.
    pub(crate) fn get(&mut self, aid: &str, now: i64) -> Option<&mut HostRow> {
        let place = self.by_aid.get(aid).copied()?;
        let row = self.rows.get_mut(place)?;
        row.settle(now);
        Some(row)
    }

    /// Hosts by agent id, as they were last settled.
    pub(crate) fn pick(&self, aids: &[String]) -> Vec<&HostRow> {
        aids.iter()
            .filter_map(|aid| self.rows.get(*self.by_aid.get(aid)?))
            .collect()
    }

    /// How many hosts run a program with this hash.
    pub(crate) fn running(&self, sha256: &str, sees: impl Fn(&str) -> bool) -> usize {
        let runs = |row: &&HostRow| {
            let processes = &row.spec.processes;
            sees(&row.cid)
                && processes
                    .iter()
                    .any(|process| process.sha256.eq_ignore_ascii_case(sha256))
        };
        self.rows.iter().filter(runs).count()
    }

    pub(crate) fn aid_of(&self, hostname: &str) -> Option<String> {
        let place = self.by_name.get(hostname)?.first()?;
        self.rows.get(*place).map(|row| row.aid.clone())
    }

    pub(crate) fn all(&mut self, now: i64) -> &mut [HostRow] {
        for row in &mut self.rows {
            row.settle(now);
        }
        &mut self.rows
    }

    /// Places of the matching hosts in the asked order. The error names what was not understood.
    pub(crate) fn search(&mut self, query: &Search<'_>, now: i64) -> Result<Vec<&HostRow>, String> {
        if let (Some(filter), Some(row)) = (query.filter, self.rows.first())
            && let Some(unknown) = filter
                .fields()
                .into_iter()
                .find(|name| row.property(name, now).is_none())
        {
            return Err(format!("invalid filter: unknown property '{unknown}'"));
        }
        let (sort, descending) = match query.sort {
            Some(sort) => {
                let (name, direction) = sort.split_once(['.', '|']).unwrap_or((sort, "asc"));
                if !SORTABLE.contains(&name) || !matches!(direction, "asc" | "desc") {
                    return Err(format!("invalid sort '{sort}'"));
                }
                (Some(name), direction == "desc")
            }
            None => (None, false),
        };
        let named = |name: &str| query.filter.and_then(|filter| filter.required_value(name));
        let candidates: Vec<usize> = if let Some(aid) = named("device_id") {
            self.by_aid.get(aid).copied().into_iter().collect()
        } else if let Some(hostname) = named("hostname") {
            self.by_name.get(hostname).cloned().unwrap_or_default()
        } else {
            (0..self.rows.len()).collect()
        };
        for place in &candidates {
            if let Some(row) = self.rows.get_mut(*place) {
                row.settle(now);
            }
        }
        let mut found: Vec<&HostRow> = candidates
            .into_iter()
            .filter_map(|place| self.rows.get(place))
            .filter(|row| (query.sees)(&row.cid))
            .filter(|row| query.filter.is_none_or(|filter| row.matches(filter, now)))
            .collect();
        match sort {
            Some("hostname") => found.sort_by(|a, b| a.spec.hostname.cmp(&b.spec.hostname)),
            Some("last_seen") => found.sort_by_key(|row| row.last_seen(now)),
            Some("first_seen") => found.sort_by_key(|row| row.first_seen),
            Some("modified_timestamp") => found.sort_by_key(|row| row.modified),
            Some("device_id") => found.sort_by(|a, b| a.aid.cmp(&b.aid)),
            _ => {}
        }
        if descending {
            found.reverse();
        }
        Ok(found)
    }
}

/// What a host query asks for.
pub(crate) struct Search<'a> {
    pub(crate) filter: Option<&'a Expr>,
    pub(crate) sort: Option<&'a str>,
    pub(crate) sees: &'a dyn Fn(&str) -> bool,
}
