//! Event Streams: the same detections in another spelling, without operating system pids.

use quell_connector::{DocumentError, document};
use quell_model::entity::{File, Host, Process, ProcessRole};
use quell_model::{Alert, AlertKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::lenient::{List, Number, Text};
use super::super::{CrowdStrike, asset};
use super::draft::{Draft, Scale, Stamps, file_name, identifier, severity, status, when};
use super::endpoint::{Ioc, endpoint_account};
use super::{Disposition, Mitre, console_url, identity, percentage, techniques};

#[derive(Deserialize)]
#[serde(expecting = "an event of the stream (a JSON object)")]
struct Wrapper<'a> {
    #[serde(default)]
    metadata: Metadata,
    #[serde(borrow)]
    event: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "camelCase",
    expecting = "an object about the event"
)]
struct Metadata {
    #[serde(rename = "customerIDString")]
    customer: Text,
    event_type: Text,
    event_creation_time: Text,
}

#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "PascalCase",
    expecting = "an event (a JSON object)"
)]
struct Event {
    composite_id: Text,
    detect_id: Text,
    name: Text,
    detect_name: Text,
    description: Text,
    detect_description: Text,
    pattern_id: Text,
    severity: Number,
    severity_name: Text,
    confidence: Number,
    status: Text,
    falcon_host_link: Text,
    start_time: Text,
    context_time_stamp: Text,
    process_start_time: Text,
    tactic: Text,
    tactic_id: Text,
    technique: Text,
    technique_id: Text,
    mitre_attack: List<Mitre>,
    agent_id: Text,
    sensor_id: Text,
    hostname: Text,
    computer_name: Text,
    platform_name: Text,
    machine_domain: Text,
    #[serde(rename = "LocalIP")]
    local_ip: Text,
    host_groups: Text,
    tags: Text,
    process_id: Text,
    file_name: Text,
    file_path: Text,
    command_line: Text,
    #[serde(rename = "SHA256String")]
    sha256: Text,
    #[serde(rename = "MD5String")]
    md5: Text,
    #[serde(rename = "SHA1String")]
    sha1: Text,
    user_name: Text,
    user_id: Text,
    logon_domain: Text,
    parent_process_id: Text,
    parent_image_file_name: Text,
    parent_image_file_path: Text,
    parent_command_line: Text,
    #[serde(alias = "GrandparentImageFileName")]
    grand_parent_image_file_name: Text,
    #[serde(alias = "GrandparentImageFilePath")]
    grand_parent_image_file_path: Text,
    #[serde(alias = "GrandparentCommandLine")]
    grand_parent_command_line: Text,
    quarantine_files: List<Quarantined>,
    #[serde(rename = "IOCType")]
    ioc_type: Text,
    #[serde(rename = "IOCValue")]
    ioc_value: Text,
    pattern_disposition_flags: Option<Disposition>,
    threatgraph_indicators: List<Indicator>,
    source_account_name: Text,
    source_account_object_sid: Text,
    source_account_upn: Text,
}

#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "PascalCase",
    expecting = "a quarantined file (a JSON object)"
)]
struct Quarantined {
    image_file_name: Text,
    #[serde(rename = "SHA256HashData")]
    sha256: Text,
}

#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "PascalCase",
    expecting = "an indicator (a JSON object)"
)]
struct Indicator {
    host_id: Text,
}

/// The event inside its wrapper, as the stream sends it.
pub(super) fn wrapped(json: &RawValue) -> Result<Alert, DocumentError> {
    let wrapper: Wrapper<'_> = document::read(json)?;
    if !wrapper.event.get().starts_with('{') {
        return Err(DocumentError::new(
            "$.event",
            "expected an event (a JSON object)",
        ));
    }
    event(wrapper.event, &wrapper.metadata).map_err(|error| error.inside("$.event"))
}

/// The event alone, as some forwarders send it.
pub(super) fn bare(json: &RawValue) -> Result<Alert, DocumentError> {
    event(json, &Metadata::default())
}

fn event(json: &RawValue, metadata: &Metadata) -> Result<Alert, DocumentError> {
    let event: Event = document::read(json)?;
    let id = identifier("$.CompositeId", &event.composite_id)?;
    let id = id
        .or(identifier("$.DetectId", &event.detect_id)?)
        .ok_or_else(|| {
            let kind = metadata.event_type.line();
            let kind = kind.map_or_else(String::new, |kind| {
                format!("; `{kind}` may not be a detection")
            });
            let problem =
                format!("missing; without it the detection cannot be told from others{kind}");
            DocumentError::missing("$.CompositeId", problem)
        })?;
    let mut draft = Draft::default();
    // The process may have started long before it did harm, so its start time comes last.
    let time = when(
        &mut draft,
        Stamps(&[
            ("StartTime", &event.start_time),
            ("ContextTimeStamp", &event.context_time_stamp),
            ("eventCreationTime", &metadata.event_creation_time),
            ("ProcessStartTime", &event.process_start_time),
        ]),
    )?;
    let severity = severity(
        &mut draft,
        "Severity",
        event.severity,
        &event.severity_name,
        Scale::MayBeOld,
    );
    let mut prevention = quell_model::alert::Prevention::default();
    if let Some(disposition) = &event.pattern_disposition_flags {
        prevention = disposition.prevention();
        disposition.remark("PatternDispositionFlags", &mut draft);
    }
    let kind = if event.is_identity(metadata) {
        identity::read(json, &mut draft)?;
        let names = [&event.name, &event.detect_name];
        identity::kind(names.into_iter().filter_map(Text::raw))
    } else if event.is_lead(metadata) {
        event.leads(&mut draft);
        AlertKind::Other
    } else {
        event.endpoint(&mut draft);
        AlertKind::MaliciousProcess
    };
    prevention.file_quarantined |= draft.has_quarantined_file();
    let title = event.name.line().or_else(|| event.detect_name.line());
    let pattern = event.pattern_id.line().map(|id| format!("pattern {id}"));
    let detection = title
        .clone()
        .or(pattern)
        .unwrap_or_else(|| "unnamed detection".to_owned());
    let own = Mitre {
        tactic: event.tactic.clone(),
        tactic_id: event.tactic_id.clone(),
        // Legacy events give the technique's name alone.
        technique_id: match event.technique_id.raw() {
            Some(_) => event.technique_id.clone(),
            None => event.technique.clone(),
        },
        technique: event.technique.clone(),
    };
    Ok(Alert {
        source: <CrowdStrike as quell_connector::Vendor>::ID.to_owned(),
        id,
        occurrence: None,
        title: title.unwrap_or_else(|| detection.clone()),
        description: event
            .description
            .block()
            .or_else(|| event.detect_description.block()),
        severity,
        confidence: percentage(event.confidence),
        kind,
        detection,
        time,
        updated: draft.moment("eventCreationTime", &metadata.event_creation_time),
        techniques: techniques(&event.mitre_attack, &own),
        status: status(&event.status),
        console_url: console_url(&event.falcon_host_link),
        tenant: metadata.customer.line().map(|cid| cid.to_ascii_lowercase()),
        prevention,
        asset: draft.asset,
        entities: draft.entities,
        notes: draft.notes,
    })
}

impl Event {
    fn is_identity(&self, metadata: &Metadata) -> bool {
        match metadata.event_type.raw() {
            Some(kind) => kind.eq_ignore_ascii_case("IdpDetectionSummaryEvent"),
            None => [
                &self.source_account_name,
                &self.source_account_object_sid,
                &self.source_account_upn,
            ]
            .into_iter()
            .any(|text| text.raw().is_some()),
        }
    }

    fn is_lead(&self, metadata: &Metadata) -> bool {
        metadata.event_type.raw() == Some("AutomatedLeadSummaryEvent")
            || !self.threatgraph_indicators.0.is_empty()
    }

    /// A lead is about several hosts, and does not say which of them to act on.
    fn leads(&self, draft: &mut Draft) {
        for id in self
            .threatgraph_indicators
            .iter()
            .filter_map(|indicator| indicator.host_id.line())
        {
            let host = Host {
                id: Some(id),
                ..Host::default()
            };
            draft.host("ThreatgraphIndicators", host, &Default::default());
        }
        draft.note(
            "ThreatgraphIndicators",
            "A lead names the hosts it was drawn from, not one that is at fault.",
        );
    }

    fn host(&self, draft: &mut Draft) -> Host {
        let platform = self.platform_name.raw();
        let class = asset::class(asset::Words {
            platform,
            ..asset::Words::default()
        });
        let listed = |text: &Text| -> Vec<String> {
            let items = text.raw().unwrap_or_default().split(',');
            items
                .filter_map(quell_model::text::present)
                .map(quell_model::text::line)
                .take(200)
                .collect()
        };
        let tags = listed(&self.tags);
        let host = Host {
            id: self.agent_id.line().or_else(|| self.sensor_id.line()),
            name: self.hostname.line().or_else(|| self.computer_name.line()),
            class,
            platform: platform.map(asset::platform),
            domain: self.machine_domain.line(),
            local_ip: self.local_ip.line(),
            tags: tags
                .iter()
                .cloned()
                .chain(listed(&self.host_groups))
                .collect(),
            ..Host::default()
        };
        let facts = asset::facts(class, tags.iter().map(String::as_str));
        draft.host("AgentId", host.clone(), &facts);
        host
    }

    fn endpoint(&self, draft: &mut Draft) {
        let host = self.host(draft);
        let process = |role| Process {
            host_id: host.id.clone(),
            host_name: host.name.clone(),
            role,
            ..Process::default()
        };
        let name =
            |name: &Text, path: &Text| name.line().or_else(|| path.raw().and_then(file_name));
        let sha256 = draft.hash("SHA256String", &self.sha256, 64);
        let subject = Process {
            vendor_id: self.process_id.line(),
            name: name(&self.file_name, &self.file_path),
            path: self.file_path.line(),
            command_line: self.command_line.block(),
            sha256: sha256.clone(),
            user: self.user_name.line(),
            started_at: draft.moment("ProcessStartTime", &self.process_start_time),
            ..process(ProcessRole::Subject)
        };
        if subject.name.is_some() || subject.vendor_id.is_some() {
            draft.note("ProcessId", "An event of the stream gives no operating system process id, so the process cannot be killed.");
        }
        draft.process(subject);
        draft.process(Process {
            vendor_id: self.parent_process_id.line(),
            name: name(&self.parent_image_file_name, &self.parent_image_file_path),
            path: self.parent_image_file_path.line(),
            command_line: self.parent_command_line.block(),
            ..process(ProcessRole::Parent)
        });
        draft.process(Process {
            name: name(
                &self.grand_parent_image_file_name,
                &self.grand_parent_image_file_path,
            ),
            path: self.grand_parent_image_file_path.line(),
            command_line: self.grand_parent_command_line.block(),
            ..process(ProcessRole::Grandparent)
        });
        self.files(draft, &host, sha256);
        let ioc = Ioc {
            ioc_type: self.ioc_type.clone(),
            ioc_value: self.ioc_value.clone(),
            ..Ioc::default()
        };
        ioc.add(draft, &host, "IOCValue");
        let none = Text::default();
        draft.account(endpoint_account(
            &self.user_name,
            &self.user_id,
            &self.logon_domain,
            &none,
            &host,
        ));
    }

    fn files(&self, draft: &mut Draft, host: &Host, sha256: Option<String>) {
        let file = File {
            sha256,
            md5: draft.hash("MD5String", &self.md5, 32),
            sha1: draft.hash("SHA1String", &self.sha1, 40),
            name: self
                .file_name
                .line()
                .or_else(|| self.file_path.raw().and_then(file_name)),
            path: self.file_path.line(),
            host_id: host.id.clone(),
            quarantined: false,
        };
        if file.sha256.is_none() && file.md5.is_none() {
            draft.note(
                "SHA256String",
                "The document gives no usable hash, so the file cannot be banned.",
            );
        }
        draft.file(file);
        for quarantined in self.quarantine_files.iter() {
            let path = quarantined.image_file_name.raw();
            let file = File {
                sha256: draft.hash("QuarantineFiles.SHA256HashData", &quarantined.sha256, 64),
                name: path.and_then(file_name),
                path: quarantined.image_file_name.line(),
                host_id: host.id.clone(),
                quarantined: true,
                ..File::default()
            };
            draft.file(file);
        }
    }
}
