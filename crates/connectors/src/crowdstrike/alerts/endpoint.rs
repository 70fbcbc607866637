//! Endpoint detections (`product` epp), and whatever other products say about a host and a process.

use quell_connector::{DocumentError, document};
use quell_model::AssetClass;
use quell_model::entity::{Account, CloudInstance, File, Host, Process, ProcessRole};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::asset;
use super::super::lenient::{List, Text};
use super::draft::{Draft, file_name};
use super::is_hex;

/// What a document of this kind ought to have; what is missing of it is noted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// A host, a process with its pid, and a file with its hash.
    Everything,
    /// A phone or tablet.
    Mobile,
    /// A host, perhaps (correlations, third-party alerts).
    Nothing,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an alert document (a JSON object)")]
struct Document {
    composite_id: Text,
    cid: Text,
    agent_id: Text,
    platform: Text,
    device: Option<Device>,
    host_names: List<Text>,
    local_process_id: Text,
    process_id: Text,
    triggering_process_graph_id: Text,
    process_start_time: Text,
    filename: Text,
    filepath: Text,
    cmdline: Text,
    sha256: Text,
    md5: Text,
    sha1: Text,
    user_name: Text,
    user_id: Text,
    user_principal: Text,
    logon_domain: Text,
    parent_details: Option<Relative>,
    grandparent_details: Option<Relative>,
    quarantined_files: List<Quarantined>,
    ioc_context: List<Ioc>,
    source_ips: List<Text>,
}

/// The device as it was when the alert was raised. Its containment state is deliberately not read:
/// by now it may be another.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a device (a JSON object)")]
pub(super) struct Device {
    pub(super) device_id: Text,
    cid: Text,
    hostname: Text,
    platform_name: Text,
    os_version: Text,
    product_type: Text,
    product_type_desc: Text,
    machine_domain: Text,
    local_ip: Text,
    external_ip: Text,
    tags: List<Text>,
    groups: List<Text>,
    service_provider: Text,
    service_provider_account_id: Text,
    instance_id: Text,
}

/// The parent or grandparent process.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a process (a JSON object)")]
struct Relative {
    local_process_id: Text,
    process_id: Text,
    process_graph_id: Text,
    filename: Text,
    filepath: Text,
    cmdline: Text,
    sha256: Text,
    user_name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a quarantined file (a JSON object)")]
struct Quarantined {
    filename: Text,
    sha256: Text,
    state: Text,
}

/// What matched: a module's hash, a domain, an address.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an indicator (a JSON object)")]
pub(super) struct Ioc {
    pub(super) ioc_type: Text,
    pub(super) ioc_value: Text,
    pub(super) ioc_description: Text,
    pub(super) sha256: Text,
    pub(super) md5: Text,
}

/// A device record as a host, and the facts about it.
pub(super) struct Machine<'a> {
    pub(super) device: Option<&'a Device>,
    /// Device id from outside the device record.
    pub(super) id: Option<String>,
    pub(super) platform: &'a Text,
    pub(super) mobile: bool,
}

impl Machine<'_> {
    pub(super) fn add(self, draft: &mut Draft) -> Host {
        let none = Device::default();
        let device = self.device.unwrap_or(&none);
        let platform = device.platform_name.raw().or(self.platform.raw());
        let mut class = asset::class(asset::Words {
            product_type_desc: device.product_type_desc.raw(),
            product_type: device.product_type.raw(),
            platform,
            os_version: device.os_version.raw(),
        });
        if self.mobile && class == AssetClass::Unknown {
            class = AssetClass::Mobile;
        }
        let tags = || device.tags.iter().filter_map(Text::raw);
        let host = Host {
            id: self.id.or_else(|| device.device_id.line()),
            name: device.hostname.line(),
            class,
            platform: platform.map(asset::platform),
            os_version: device.os_version.line(),
            domain: device.machine_domain.line(),
            local_ip: device.local_ip.line(),
            external_ip: device.external_ip.line(),
            tags: device
                .tags
                .iter()
                .chain(device.groups.iter())
                .filter_map(Text::line)
                .collect(),
        };
        draft.host("device", host.clone(), &asset::facts(class, tags()));
        let instance = CloudInstance {
            provider: device.service_provider.raw().map(provider),
            account: device.service_provider_account_id.line(),
            region: None,
            id: device.instance_id.line(),
        };
        if instance.provider.is_some() {
            draft.instance(instance);
        }
        host
    }
}

/// `AWS_EC2_V2`, `AZURE`, `GCP`: the cloud in front of the underscore.
pub(super) fn provider(word: &str) -> String {
    let word = quell_model::text::line(word).to_ascii_lowercase();
    word.split('_').next().unwrap_or_default().to_owned()
}

pub(super) fn read(
    json: &RawValue,
    draft: &mut Draft,
    expect: Expect,
) -> Result<(), DocumentError> {
    let document: Document = document::read(json)?;
    let host = document.host(draft, expect);
    let subject = document.subject(draft, &host);
    if expect == Expect::Everything && document.local_process_id.raw().is_none() {
        draft.note(
            "local_process_id",
            "The document gives no operating system process id, so no process can be killed.",
        );
    }
    draft.process(subject);
    for (field, role, relative) in [
        (
            "parent_details",
            ProcessRole::Parent,
            &document.parent_details,
        ),
        (
            "grandparent_details",
            ProcessRole::Grandparent,
            &document.grandparent_details,
        ),
    ] {
        if let Some(relative) = relative {
            let process = relative.process(draft, field, role, &host);
            draft.process(process);
        }
    }
    document.files(draft, &host, expect);
    document.indicators(draft, &host, expect);
    document.account(draft, &host);
    Ok(())
}

impl Document {
    fn host(&self, draft: &mut Draft, expect: Expect) -> Host {
        let device = self.device.as_ref();
        let device_id = device.and_then(|device| device.device_id.raw());
        if let (Some(agent), Some(other)) = (self.agent_id.raw(), device_id)
            && !other.eq_ignore_ascii_case(agent)
        {
            draft.doubt(
                "device.device_id",
                "The device id differs from agent_id; agent_id counts.",
            );
        }
        let device_cid = device.and_then(|device| device.cid.raw());
        if let (Some(cid), Some(other)) = (self.cid.raw(), device_cid)
            && !other.eq_ignore_ascii_case(cid)
        {
            draft.doubt(
                "device.cid",
                "The device's customer id differs from the alert's.",
            );
        }
        self.check_composite(draft);
        let only_name = self.device.as_ref().is_none_or(|device| {
            device.device_id.raw().is_none() && device.hostname.raw().is_none()
        });
        if only_name && self.agent_id.raw().is_none() {
            // Correlations may name hosts without saying which device they are.
            for name in self.host_names.iter().filter_map(Text::line) {
                let host = Host {
                    name: Some(name),
                    ..Host::default()
                };
                draft.host("host_names", host, &Default::default());
            }
            if self.host_names.iter().all(|name| name.raw().is_none()) {
                draft.host("device", Host::default(), &Default::default());
            }
            return Host::default();
        }
        Machine {
            device: self.device.as_ref(),
            id: self.agent_id.line(),
            platform: &self.platform,
            mobile: expect == Expect::Mobile,
        }
        .add(draft)
    }

    /// `<cid>:ind:<aid>:<n>`: the composite id repeats the device id.
    fn check_composite(&self, draft: &mut Draft) {
        let mut parts = self.composite_id.raw().unwrap_or_default().split(':');
        let (cid, kind, aid) = (parts.next(), parts.next(), parts.next());
        if let (Some("ind" | "ods" | "ldt"), Some(aid), Some(agent)) =
            (kind, aid, self.agent_id.raw())
            && is_hex(aid, 32)
            && Some(aid) != cid
            && !aid.eq_ignore_ascii_case(agent)
        {
            draft.doubt(
                "agent_id",
                "The device id differs from the one in composite_id.",
            );
        }
    }

    fn subject(&self, draft: &mut Draft, host: &Host) -> Process {
        Process {
            host_id: host.id.clone(),
            host_name: host.name.clone(),
            pid: draft.pid("local_process_id", &self.local_process_id),
            vendor_id: self
                .triggering_process_graph_id
                .line()
                .or_else(|| self.process_id.line()),
            name: self
                .filename
                .line()
                .or_else(|| self.filepath.raw().and_then(file_name)),
            path: self.filepath.line(),
            command_line: self.cmdline.block(),
            sha256: draft.hash("sha256", &self.sha256, 64),
            user: self.user_name.line(),
            started_at: draft.moment("process_start_time", &self.process_start_time),
            role: ProcessRole::Subject,
        }
    }

    fn files(&self, draft: &mut Draft, host: &Host, expect: Expect) {
        let file = File {
            sha256: draft.hash("sha256", &self.sha256, 64),
            md5: draft.hash("md5", &self.md5, 32),
            sha1: draft.hash("sha1", &self.sha1, 40),
            name: self
                .filename
                .line()
                .or_else(|| self.filepath.raw().and_then(file_name)),
            path: self.filepath.line(),
            host_id: host.id.clone(),
            quarantined: false,
        };
        if expect == Expect::Everything && file.sha256.is_none() && file.md5.is_none() {
            draft.note(
                "sha256",
                "The document gives no usable hash, so the file cannot be banned.",
            );
        }
        draft.file(file);
        for quarantined in self.quarantined_files.iter() {
            let path = quarantined.filename.raw();
            let file = File {
                sha256: draft.hash("quarantined_files.sha256", &quarantined.sha256, 64),
                name: path.and_then(file_name),
                path: quarantined.filename.line(),
                host_id: host.id.clone(),
                quarantined: quarantined
                    .state
                    .raw()
                    .is_some_and(|state| state.eq_ignore_ascii_case("quarantined")),
                ..File::default()
            };
            draft.file(file);
        }
    }

    fn indicators(&self, draft: &mut Draft, host: &Host, expect: Expect) {
        for ioc in self.ioc_context.iter() {
            ioc.add(draft, host, "ioc_context");
        }
        // On an endpoint alert these are the host's own.
        for address in self.source_ips.iter().filter(|_| expect == Expect::Nothing) {
            draft.ip("source_ips", address);
        }
    }

    fn account(&self, draft: &mut Draft, host: &Host) {
        let account = endpoint_account(
            &self.user_name,
            &self.user_id,
            &self.logon_domain,
            &self.user_principal,
            host,
        );
        draft.account(account);
    }
}

/// Who ran it. The document only says where the account lives when it is the machine itself.
pub(super) fn endpoint_account(
    name: &Text,
    id: &Text,
    domain: &Text,
    principal: &Text,
    host: &Host,
) -> Account {
    let id = id.line();
    let domain = domain.line();
    // SYSTEM, LOCAL SERVICE and NETWORK SERVICE.
    let built_in = matches!(id.as_deref(), Some("S-1-5-18" | "S-1-5-19" | "S-1-5-20"));
    let on_host = match (&domain, &host.name) {
        (Some(domain), Some(host)) => domain.eq_ignore_ascii_case(host),
        _ => false,
    };
    Account {
        sid: id.clone().filter(|id| id.starts_with("S-1-5-21-")),
        id,
        name: name.line(),
        domain,
        principal: principal.line(),
        provider: (built_in || on_host).then(|| "local".to_owned()),
    }
}

impl Relative {
    fn process(&self, draft: &mut Draft, field: &str, role: ProcessRole, host: &Host) -> Process {
        Process {
            host_id: host.id.clone(),
            host_name: host.name.clone(),
            pid: draft.pid(&format!("{field}.local_process_id"), &self.local_process_id),
            vendor_id: self
                .process_graph_id
                .line()
                .or_else(|| self.process_id.line()),
            name: self
                .filename
                .line()
                .or_else(|| self.filepath.raw().and_then(file_name)),
            path: self.filepath.line(),
            command_line: self.cmdline.block(),
            sha256: draft.hash(&format!("{field}.sha256"), &self.sha256, 64),
            user: self.user_name.line(),
            started_at: None,
            role,
        }
    }
}

impl Ioc {
    /// Adds what matched as a target of its own.
    pub(super) fn add(&self, draft: &mut Draft, host: &Host, field: &str) {
        let kind = self.ioc_type.raw().unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "domain" => return draft.domain(field, &self.ioc_value),
            "ipv4" | "ipv6" | "ip" => return draft.ip(field, &self.ioc_value),
            _ => {}
        }
        let value = |wanted: &str| {
            if kind == wanted {
                self.ioc_value.clone()
            } else {
                Text::default()
            }
        };
        let either = |given: &Text, other: Text| {
            if given.raw().is_some() {
                given.clone()
            } else {
                other
            }
        };
        let sha256 = either(&self.sha256, value("hash_sha256"));
        let md5 = either(&self.md5, value("hash_md5"));
        let path = self.ioc_description.raw();
        let file = File {
            sha256: draft.hash(field, &sha256, 64),
            md5: draft.hash(field, &md5, 32),
            name: path.and_then(file_name),
            path: path
                .filter(|path| path.contains(['\\', '/']))
                .map(quell_model::text::line),
            host_id: host.id.clone(),
            ..File::default()
        };
        if file.sha256.is_some() || file.md5.is_some() {
            draft.file(file);
        }
    }
}
