//! Detections of the retired Detects API: a device and its behaviours, without operating system pids.

use quell_connector::{DocumentError, document};
use quell_model::alert::Prevention;
use quell_model::entity::{File, Host, Process, ProcessRole};
use quell_model::{Alert, AlertKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::CrowdStrike;
use super::super::lenient::{List, Number, Text};
use super::draft::{Draft, Scale, Stamps, file_name, identifier, severity, status, when};
use super::endpoint::{Device, Ioc, Machine, endpoint_account};
use super::{Disposition, Mitre, console_url, is_hex, percentage, techniques};

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a detection (a JSON object)")]
struct Detection {
    detection_id: Text,
    cid: Text,
    device: Option<LegacyDevice>,
    behaviors: List<Behavior>,
    first_behavior: Text,
    last_behavior: Text,
    created_timestamp: Text,
    date_updated: Text,
    max_severity: Number,
    max_severity_displayname: Text,
    max_confidence: Number,
    status: Text,
    falcon_host_link: Text,
    hostinfo: Option<HostInfo>,
}

/// The device, read twice: once for what all devices have.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a device (a JSON object)")]
struct LegacyDevice {
    device_id: Text,
    cid: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a detection (a JSON object)")]
struct WholeDevice {
    device: Option<Device>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object with a domain")]
struct HostInfo {
    domain: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a behaviour (a JSON object)")]
struct Behavior {
    device_id: Text,
    timestamp: Text,
    display_name: Text,
    description: Text,
    scenario: Text,
    severity: Number,
    filename: Text,
    filepath: Text,
    cmdline: Text,
    sha256: Text,
    md5: Text,
    user_name: Text,
    user_id: Text,
    triggering_process_graph_id: Text,
    ioc_type: Text,
    ioc_value: Text,
    ioc_description: Text,
    tactic: Text,
    tactic_id: Text,
    technique: Text,
    technique_id: Text,
    parent_details: Option<Parent>,
    pattern_disposition_details: Option<Disposition>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a process (a JSON object)")]
struct Parent {
    parent_sha256: Text,
    parent_cmdline: Text,
    parent_process_graph_id: Text,
}

pub(super) fn read(json: &RawValue) -> Result<Alert, DocumentError> {
    let detection: Detection = document::read(json)?;
    let whole: WholeDevice = document::read(json)?;
    let id = identifier("$.detection_id", &detection.detection_id)?.ok_or_else(|| {
        let problem = "missing; without it the detection cannot be told from others";
        DocumentError::missing("$.detection_id", problem)
    })?;
    let mut draft = Draft::default();
    let worst = detection
        .behaviors
        .iter()
        .max_by_key(|behavior| behavior.severity.0);
    let nothing = Behavior::default();
    let worst = worst.unwrap_or(&nothing);
    let time = when(
        &mut draft,
        Stamps(&[
            ("first_behavior", &detection.first_behavior),
            ("behaviors.timestamp", &worst.timestamp),
            ("created_timestamp", &detection.created_timestamp),
        ]),
    )?;
    let severity = severity(
        &mut draft,
        "max_severity",
        detection.max_severity,
        &detection.max_severity_displayname,
        Scale::Hundred,
    );
    let host = detection.host(&id, whole.device.as_ref(), &mut draft);
    let mut prevention = Prevention::default();
    for behavior in detection.behaviors.iter() {
        behavior.add(&mut draft, &host);
        if let Some(disposition) = &behavior.pattern_disposition_details {
            let this = disposition.prevention();
            prevention.process_stopped |= this.process_stopped;
            prevention.file_quarantined |= this.file_quarantined;
            prevention.kill_failed |= this.kill_failed;
            disposition.remark("behaviors.pattern_disposition_details", &mut draft);
        }
    }
    if detection.behaviors.0.is_empty() {
        draft.note(
            "behaviors",
            "The document lists no behaviour, so there is no process and no file to act on.",
        );
    }
    let detected = worst.display_name.line().or_else(|| worst.scenario.line());
    let detected = detected.unwrap_or_else(|| "unnamed detection".to_owned());
    let updated = draft.moment("date_updated", &detection.date_updated);
    Ok(Alert {
        source: <CrowdStrike as quell_connector::Vendor>::ID.to_owned(),
        id,
        occurrence: None,
        title: detected.clone(),
        description: worst.description.block(),
        severity,
        confidence: percentage(detection.max_confidence),
        kind: AlertKind::MaliciousProcess,
        detection: detected,
        time,
        updated: updated.or_else(|| draft.moment("last_behavior", &detection.last_behavior)),
        techniques: detection.techniques(),
        status: status(&detection.status),
        console_url: console_url(&detection.falcon_host_link),
        tenant: detection.cid.line().map(|cid| cid.to_ascii_lowercase()),
        prevention,
        asset: draft.asset,
        entities: draft.entities,
        notes: draft.notes,
    })
}

impl Detection {
    fn host(&self, id: &str, whole: Option<&Device>, draft: &mut Draft) -> Host {
        let device = self.device.as_ref();
        let device_id = device.and_then(|device| device.device_id.raw());
        // `ldt:<aid>:<n>`, and every behaviour, repeat the device id.
        let in_id = id.split(':').nth(1).filter(|part| is_hex(part, 32));
        let differs = |other: Option<&str>| match (device_id, other) {
            (Some(a), Some(b)) => !a.eq_ignore_ascii_case(b),
            _ => false,
        };
        if differs(in_id) {
            draft.doubt(
                "device.device_id",
                "The device id differs from the one in detection_id.",
            );
        }
        if self
            .behaviors
            .iter()
            .any(|behavior| differs(behavior.device_id.raw()))
        {
            draft.doubt(
                "behaviors.device_id",
                "A behaviour names another device than the document does.",
            );
        }
        let other_cid = device.and_then(|device| device.cid.raw());
        if let (Some(cid), Some(other)) = (self.cid.raw(), other_cid)
            && !cid.eq_ignore_ascii_case(other)
        {
            draft.doubt(
                "device.cid",
                "The device's customer id differs from the detection's.",
            );
        }
        let machine = Machine {
            device: whole,
            // Only where the device record has none of its own.
            id: device_id
                .is_none()
                .then(|| self.behaviors.iter().find_map(|b| b.device_id.line()))
                .flatten(),
            platform: &Text::default(),
            mobile: false,
        };
        let mut host = machine.add(draft);
        if host.domain.is_none() {
            host.domain = self.hostinfo.as_ref().and_then(|info| info.domain.line());
            for entity in &mut draft.entities {
                if let quell_model::Entity::Host(known) = entity {
                    known.domain.clone_from(&host.domain);
                }
            }
        }
        host
    }

    fn techniques(&self) -> Vec<quell_model::Technique> {
        let mitre = |behavior: &Behavior| Mitre {
            tactic: behavior.tactic.clone(),
            tactic_id: behavior.tactic_id.clone(),
            technique: behavior.technique.clone(),
            technique_id: behavior.technique_id.clone(),
        };
        techniques(
            &List(self.behaviors.iter().map(mitre).collect()),
            &Mitre::default(),
        )
    }
}

impl Behavior {
    fn add(&self, draft: &mut Draft, host: &Host) {
        // The behaviour's own device, even where it is another than the document's.
        let host_id = self.device_id.line().or_else(|| host.id.clone());
        let on_host = |role| Process {
            host_id: host_id.clone(),
            host_name: host.name.clone().filter(|_| host_id == host.id),
            role,
            ..Process::default()
        };
        let name = || {
            self.filename
                .line()
                .or_else(|| self.filepath.raw().and_then(file_name))
        };
        let sha256 = draft.hash("behaviors.sha256", &self.sha256, 64);
        let process = Process {
            vendor_id: self.triggering_process_graph_id.line(),
            name: name(),
            path: self.filepath.line(),
            command_line: self.cmdline.block(),
            sha256: sha256.clone(),
            user: self.user_name.line(),
            started_at: None,
            ..on_host(ProcessRole::Subject)
        };
        if process.name.is_some() || process.vendor_id.is_some() {
            draft.note(
                "behaviors.triggering_process_graph_id",
                "The document gives no operating system process id, so the process cannot be killed.",
            );
        }
        draft.process(process);
        if let Some(parent) = &self.parent_details {
            let parent = Process {
                vendor_id: parent.parent_process_graph_id.line(),
                command_line: parent.parent_cmdline.block(),
                sha256: draft.hash(
                    "behaviors.parent_details.parent_sha256",
                    &parent.parent_sha256,
                    64,
                ),
                ..on_host(ProcessRole::Parent)
            };
            draft.process(parent);
        }
        let file = File {
            md5: draft.hash("behaviors.md5", &self.md5, 32),
            sha256,
            name: name(),
            path: self.filepath.line(),
            host_id: host_id.clone(),
            ..File::default()
        };
        if file.sha256.is_none() && file.md5.is_none() {
            draft.note(
                "behaviors.sha256",
                "The document gives no usable hash, so the file cannot be banned.",
            );
        }
        draft.file(file);
        let ioc = Ioc {
            ioc_type: self.ioc_type.clone(),
            ioc_value: self.ioc_value.clone(),
            ioc_description: self.ioc_description.clone(),
            ..Ioc::default()
        };
        let on = Host {
            id: host_id,
            ..Host::default()
        };
        ioc.add(draft, &on, "behaviors.ioc_value");
        let none = Text::default();
        draft.account(endpoint_account(
            &self.user_name,
            &self.user_id,
            &none,
            &none,
            host,
        ));
    }
}
