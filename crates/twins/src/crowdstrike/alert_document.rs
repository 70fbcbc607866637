//! The alert document: what an endpoint detection looks like in the Alerts API, built from a short description of the
//! case. Field names follow the vendor's SDKs and recorded alerts; every text in it is ours.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::fleet::{Platform, Process};
use super::hosts::HostRow;
use crate::clock::{rfc3339, rfc3339_seconds};
use crate::ids::Ids;

/// What the sensor did about it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Seen, nothing stopped.
    #[default]
    Detected,
    /// The process was kept from starting.
    Blocked,
    /// The process was ended.
    Killed,
    /// It would have been ended, had the prevention policy been on. Nothing was stopped.
    WouldHaveKilled,
    /// The sensor tried to end it and failed.
    KillFailed,
    /// The process was kept from starting and its file quarantined.
    Quarantined,
}

/// A detection to raise. What is left empty is taken from the host and its process, or made up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertSpec {
    /// Agent id of the host it happened on.
    pub aid: String,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// 1 to 100.
    pub severity: u8,
    /// 1 to 100.
    pub confidence: u8,
    /// The offending process. Its path, command line, user and hash go into the alert.
    pub process: Process,
    /// Hash of the offending file; the process's own when empty.
    pub sha256: String,
    /// MD5 of the offending file; made up when empty.
    pub md5: String,
    /// The process that started it.
    pub parent: Option<Process>,
    /// Directory domain of the user.
    pub logon_domain: String,
    /// Tactic name and id.
    pub tactic: (String, String),
    /// Technique name and id.
    pub technique: (String, String),
    /// What the sensor did.
    pub disposition: Disposition,
    /// `new`, `in_progress`, `reopened` or `closed`.
    pub status: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Vendor product, `epp` for endpoint detections.
    pub product: String,
    /// Detection type.
    pub kind: String,
    /// Ties alerts of one chain together; made up when absent.
    pub aggregate: Option<String>,
    /// When the activity happened; shortly before the alert when absent.
    pub happened_at: Option<Timestamp>,
    /// When the alert came to be; the present when absent.
    pub created_at: Option<Timestamp>,
    /// When it last changed; its creation when absent. Several alerts may share one instant.
    pub updated_at: Option<Timestamp>,
}

impl Default for AlertSpec {
    fn default() -> Self {
        Self {
            aid: String::new(),
            title: "Credential theft tool started".into(),
            description:
                "A program started that reads credentials out of the memory of the logon service."
                    .into(),
            severity: 80,
            confidence: 90,
            process: Process {
                user: "alma.berg".into(),
                ..Process::new(5260, "credgrab.exe")
            },
            sha256: String::new(),
            md5: String::new(),
            parent: None,
            logon_domain: "NORTHWIND".into(),
            tactic: ("Credential Access".into(), "TA0006".into()),
            technique: ("OS Credential Dumping".into(), "T1003".into()),
            disposition: Disposition::Detected,
            status: "new".into(),
            tags: Vec::new(),
            product: "epp".into(),
            kind: "ldt".into(),
            aggregate: None,
            happened_at: None,
            created_at: None,
            updated_at: None,
        }
    }
}

impl AlertSpec {
    /// A high-severity detection of a process on a host.
    pub fn on(aid: impl Into<String>, process: Process) -> Self {
        Self {
            aid: aid.into(),
            process,
            ..Self::default()
        }
    }

    /// The same with another title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The same with this severity and confidence.
    #[must_use]
    pub fn rated(mut self, severity: u8, confidence: u8) -> Self {
        (self.severity, self.confidence) = (severity, confidence);
        self
    }

    /// The same after the sensor acted so.
    #[must_use]
    pub fn after(mut self, disposition: Disposition) -> Self {
        self.disposition = disposition;
        self
    }
}

fn severity_name(severity: u8) -> &'static str {
    match severity {
        0..=19 => "Informational",
        20..=39 => "Low",
        40..=59 => "Medium",
        60..=79 => "High",
        _ => "Critical",
    }
}

/// Times of one alert in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) happened: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
}

/// NT device paths, as the vendor reports Windows files.
fn device_path(platform: Platform, path: &str) -> String {
    match path.strip_prefix("C:") {
        Some(rest) if platform == Platform::Windows => format!("\\Device\\HarddiskVolume3{rest}"),
        _ => path.to_owned(),
    }
}

pub(crate) fn build(
    spec: &AlertSpec,
    host: &HostRow,
    times: Times,
    ids: &Ids,
) -> Map<String, Value> {
    let (aid, cid) = (&host.aid, &host.cid);
    let platform = host.spec.platform;
    let number = ids.decimal(18);
    let pattern_id = 10_000 + ids.number() % 900;
    let indicator = format!("ind:{aid}:{number}-{pattern_id}-{}", ids.decimal(8));
    let composite_id = format!("{cid}:{indicator}");
    let sha256 = [&spec.sha256, &spec.process.sha256]
        .into_iter()
        .find(|hash| !hash.is_empty())
        .cloned();
    let sha256 = sha256.unwrap_or_else(|| ids.hex(4)).to_ascii_lowercase();
    let md5 = if spec.md5.is_empty() {
        ids.hex(2)
    } else {
        spec.md5.to_ascii_lowercase()
    };
    let path = device_path(platform, &spec.process.path);
    let command_line = &spec.process.command_line;
    let user_id = format!(
        "S-1-5-21-{}-{}-{}-1104",
        ids.decimal(10),
        ids.decimal(9),
        ids.decimal(10)
    );
    let parent = spec
        .parent
        .clone()
        .unwrap_or_else(|| Process::new(4312, "explorer.exe"));
    let process_id = ids.decimal(18);
    let parent_id = ids.decimal(18);
    let tree_id = ids.decimal(12);
    let happened_seconds = (times.happened / 1_000_000_000).to_string();
    let device = serde_json::to_value(host.document(times.created)).unwrap_or(Value::Null);
    let (code, sentence) = disposition_words(spec.disposition);
    let quarantined = spec.disposition == Disposition::Quarantined;
    let mut document = json!({
        "agent_id": aid,
        "aggregate_id": spec.aggregate.clone().unwrap_or_else(|| format!("aggind:{aid}:{}", ids.decimal(18))),
        "alleged_filetype": if platform == Platform::Windows { "exe" } else { "elf" },
        "cid": cid,
        "cloud_indicator": "false",
        "cmdline": command_line,
        "composite_id": composite_id,
        "confidence": spec.confidence,
        "context_timestamp": rfc3339_seconds(times.happened),
        "control_graph_id": format!("ctg:{aid}:{tree_id}"),
        "crawled_timestamp": rfc3339(times.created),
        "created_timestamp": rfc3339(times.created),
        "data_domains": ["Endpoint"],
        "description": spec.description,
        "device": device,
        "display_name": spec.title,
        "falcon_host_link": format!("https://falcon.crowdstrike.com/activity-v2/detections/{composite_id}"),
        "filename": spec.process.image,
        "filepath": path,
        "grandparent_details": family(aid, &Process::new(936, "svchost.exe"), &ids.decimal(18), platform, times, ids),
        "has_script_or_module_ioc": "false",
        "id": indicator,
        "indicator_id": indicator,
        "ioc_context": [{
            "ioc_description": path, "ioc_source": "library_load", "ioc_type": "hash_sha256", "ioc_value": sha256,
            "md5": md5, "sha256": sha256, "type": "module"
        }],
        "local_process_id": spec.process.pid.to_string(),
        "logon_domain": spec.logon_domain,
        "md5": md5,
        "mitre_attack": [{
            "pattern_id": pattern_id, "tactic": spec.tactic.0, "tactic_id": spec.tactic.1,
            "technique": spec.technique.0, "technique_id": spec.technique.1
        }],
    });
    let more = json!({
        "name": spec.title,
        "objective": "Gain Access",
        "parent_details": family(aid, &parent, &parent_id, platform, times, ids),
        "parent_process_id": parent_id,
        "pattern_disposition": code,
        "pattern_disposition_description": sentence,
        "pattern_disposition_details": disposition_flags(spec.disposition),
        "pattern_id": pattern_id,
        "platform": platform.name(),
        "poly_id": ids.hex(8),
        "process_id": process_id,
        "process_start_time": happened_seconds,
        "product": spec.product,
        "scenario": "credential_theft",
        "seconds_to_resolved": 0,
        "seconds_to_triaged": 0,
        "severity": spec.severity,
        "severity_name": severity_name(spec.severity),
        "sha1": "0".repeat(40),
        "sha256": sha256,
        "show_in_ui": true,
    });
    let rest = json!({
        "source_products": ["Falcon Insight"],
        "source_vendors": ["CrowdStrike"],
        "status": spec.status,
        "tactic": spec.tactic.0,
        "tactic_id": spec.tactic.1,
        "tags": spec.tags,
        "technique": spec.technique.0,
        "technique_id": spec.technique.1,
        "timestamp": rfc3339(times.happened),
        "tree_id": tree_id,
        "triggering_process_graph_id": format!("pid:{aid}:{process_id}"),
        "type": spec.kind,
        "updated_timestamp": rfc3339(times.updated),
        "user_id": user_id,
        "user_name": spec.process.user,
        "user_principal": format!("{}@{}", spec.process.user, host.spec.machine_domain),
    });
    let Some(fields) = document.as_object_mut() else {
        return Map::new();
    };
    for part in [more, rest] {
        if let Value::Object(part) = part {
            fields.extend(part);
        }
    }
    if quarantined {
        let files = json!([{"filename": path, "id": format!("{aid}_{sha256}"), "sha256": sha256, "state": "quarantined"}]);
        fields.insert("quarantined_files".into(), files);
    }
    std::mem::take(fields)
}

fn family(
    aid: &str,
    process: &Process,
    graph_id: &str,
    platform: Platform,
    times: Times,
    ids: &Ids,
) -> Value {
    json!({
        "cmdline": process.command_line,
        "filename": process.image,
        "filepath": device_path(platform, &process.path),
        "local_process_id": process.pid.to_string(),
        "md5": ids.hex(2),
        "process_graph_id": format!("pid:{aid}:{graph_id}"),
        "process_id": graph_id,
        "sha256": if process.sha256.is_empty() { ids.hex(4) } else { process.sha256.clone() },
        "timestamp": rfc3339_seconds(times.happened),
        "user_name": process.user,
    })
}

/// The vendor's bit field (16 detect+kill, 2048 block, 256 policy off, seen in recorded events) and a sentence of ours.
fn disposition_words(disposition: Disposition) -> (u32, &'static str) {
    match disposition {
        Disposition::Detected => (0, "Detection, standard detection."),
        Disposition::Blocked => (2048, "Prevention, process was kept from running."),
        Disposition::Killed => (16, "Prevention, process was ended."),
        Disposition::WouldHaveKilled => (
            272,
            "Detection, process would have been ended if the prevention policy were on.",
        ),
        Disposition::KillFailed => (1040, "Detection, ending the process was tried and failed."),
        Disposition::Quarantined => (
            2176,
            "Prevention, process was kept from running and its file quarantined.",
        ),
    }
}

fn disposition_flags(disposition: Disposition) -> Value {
    use Disposition::{Blocked, Detected, KillFailed, Killed, Quarantined, WouldHaveKilled};
    json!({
        "blocking_unsupported_or_disabled": false,
        "bootup_safeguard_enabled": false,
        "critical_process_disabled": false,
        "detect": matches!(disposition, Detected),
        "fs_operation_blocked": false,
        "handle_operation_downgraded": false,
        "inddet_mask": false,
        "indicator": false,
        "kill_action_failed": matches!(disposition, KillFailed),
        "kill_parent": false,
        "kill_process": matches!(disposition, Killed | WouldHaveKilled | KillFailed),
        "kill_subprocess": false,
        "operation_blocked": false,
        "policy_disabled": matches!(disposition, WouldHaveKilled),
        "process_blocked": matches!(disposition, Blocked | Quarantined),
        "quarantine_file": matches!(disposition, Quarantined),
        "quarantine_machine": false,
        "registry_operation_blocked": false,
        "rooting": false,
        "sensor_only": false,
        "suspend_parent": false,
        "suspend_process": false,
    })
}
