//! Alert documents, of every kind Falcon sends, into the model's alert. Pure.
//!
//! Which kind a document is shows in its members: `event` beside `metadata` is Event Streams,
//! `detection_id` or `behaviors` is the retired Detects API, everything else is the Alerts API,
//! where `product` tells endpoint, identity and cloud apart.

mod cloud;
mod draft;
mod endpoint;
mod identity;
mod legacy;
mod stream;

use quell_connector::DocumentError;
use quell_connector::document;
use quell_model::alert::Prevention;
use quell_model::{Alert, AlertKind, AlertStatus, Technique, text};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::lenient::{Flag, List, Number, Text};
use draft::{Draft, Scale, Stamps, identifier, severity, status, when};

/// Reads one alert document.
///
/// A body that holds no more than a `composite_id` (a webhook somebody wrote in a workflow) is not
/// an alert document: it is refused with the member it lacks, and [`composite_id_in`] finds the id
/// to fetch the document by.
///
/// # Errors
/// With the JSON path of a member that is missing or cannot be read.
pub fn normalise(json: &RawValue) -> Result<Alert, DocumentError> {
    if !json.get().starts_with('{') {
        return Err(DocumentError::new(
            "$",
            "expected an alert document (a JSON object)",
        ));
    }
    let shape: Shape = document::read(json)?;
    if shape.event.is_some() && shape.composite_id.is_none() {
        return stream::wrapped(json);
    }
    if shape.stream_id.is_some() || shape.stream_detection.is_some() {
        return stream::bare(json);
    }
    if shape.composite_id.is_none() && (shape.detection_id.is_some() || shape.behaviors.is_some()) {
        return legacy::read(json);
    }
    alert(json)
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an alert document (a JSON object)")]
struct Shape {
    composite_id: Option<IgnoredAny>,
    detection_id: Option<IgnoredAny>,
    behaviors: Option<IgnoredAny>,
    event: Option<IgnoredAny>,
    #[serde(rename = "CompositeId")]
    stream_id: Option<IgnoredAny>,
    #[serde(rename = "DetectId")]
    stream_detection: Option<IgnoredAny>,
}

/// What every document of the Alerts API has, whatever its product.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an alert document (a JSON object)")]
struct Header {
    composite_id: Text,
    id: Text,
    cid: Text,
    product: Text,
    r#type: Text,
    name: Text,
    display_name: Text,
    description: Text,
    scenario: Text,
    pattern_id: Text,
    severity: Number,
    severity_name: Text,
    confidence: Number,
    timestamp: Text,
    context_timestamp: Text,
    created_timestamp: Text,
    updated_timestamp: Text,
    status: Text,
    falcon_host_link: Text,
    tactic: Text,
    tactic_id: Text,
    technique: Text,
    technique_id: Text,
    mitre_attack: List<Mitre>,
    pattern_disposition_details: Option<Disposition>,
}

/// One line of `mitre_attack`.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object with tactic and technique")]
struct Mitre {
    #[serde(alias = "Tactic")]
    tactic: Text,
    #[serde(alias = "TacticID", alias = "TacticId")]
    tactic_id: Text,
    #[serde(alias = "Technique")]
    technique: Text,
    #[serde(alias = "TechniqueID", alias = "TechniqueId")]
    technique_id: Text,
}

/// What the sensor did, or would have done.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an object of flags")]
struct Disposition {
    #[serde(alias = "KillProcess")]
    kill_process: Flag,
    #[serde(alias = "KillActionFailed")]
    kill_action_failed: Flag,
    #[serde(alias = "ProcessBlocked")]
    process_blocked: Flag,
    #[serde(alias = "QuarantineFile")]
    quarantine_file: Flag,
    #[serde(alias = "PolicyDisabled")]
    policy_disabled: Flag,
    #[serde(alias = "BlockingUnsupportedOrDisabled")]
    blocking_unsupported_or_disabled: Flag,
}

impl Disposition {
    /// With the policy off the flags say what would have happened: nothing was stopped.
    fn prevention(&self) -> Prevention {
        let acted = !self.policy_disabled.is_set();
        let blocked = acted && !self.blocking_unsupported_or_disabled.is_set();
        let failed = self.kill_action_failed.is_set();
        Prevention {
            process_stopped: (acted && self.kill_process.is_set() && !failed)
                || (blocked && self.process_blocked.is_set()),
            file_quarantined: blocked && self.quarantine_file.is_set(),
            kill_failed: acted && failed,
        }
    }

    fn remark(&self, path: &str, draft: &mut Draft) {
        let meant = self.kill_process.is_set()
            || self.process_blocked.is_set()
            || self.quarantine_file.is_set();
        if meant && self.policy_disabled.is_set() {
            draft.note(
                path,
                "The sensor would have acted if the prevention policy were on; nothing was stopped.",
            );
        }
    }
}

/// The part of the system an alert of the Alerts API comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Product {
    Endpoint,
    Identity,
    Cloud,
    Mobile,
    Other,
}

impl Header {
    fn product(&self) -> Product {
        let product = self.product.raw().unwrap_or_default().to_ascii_lowercase();
        let kind = self.r#type.raw().unwrap_or_default().to_ascii_lowercase();
        match product.as_str() {
            "epp" | "overwatch" | "cwpp" => Product::Endpoint,
            "idp" => Product::Identity,
            "fcs" => Product::Cloud,
            "mobile" => Product::Mobile,
            "" if matches!(kind.as_str(), "ldt" | "ods") => Product::Endpoint,
            "" if kind.starts_with("idp") => Product::Identity,
            "" if kind.starts_with("cloud") => Product::Cloud,
            _ => Product::Other,
        }
    }

    /// The composite id; put together from its two parts where only they are given.
    fn alert_id(&self) -> Result<String, DocumentError> {
        if let Some(id) = identifier("$.composite_id", &self.composite_id)? {
            return Ok(id);
        }
        match (
            identifier("$.cid", &self.cid)?,
            identifier("$.id", &self.id)?,
        ) {
            // `ind:<aid>:<n>`; a plain id is some other record's.
            (Some(cid), Some(id)) if id.contains(':') => Ok(format!("{cid}:{id}")),
            _ => Err(DocumentError::missing(
                "$.composite_id",
                "missing; without it the alert cannot be told from others",
            )),
        }
    }

    /// The rule's name. The per-alert text is only the title.
    fn detection(&self) -> Option<String> {
        let pattern = || self.pattern_id.line().map(|id| format!("pattern {id}"));
        self.name
            .line()
            .or_else(pattern)
            .or_else(|| self.display_name.line())
            .or_else(|| self.r#type.line())
    }

    fn techniques(&self) -> Vec<Technique> {
        let own = Mitre {
            tactic: self.tactic.clone(),
            tactic_id: self.tactic_id.clone(),
            technique: self.technique.clone(),
            technique_id: self.technique_id.clone(),
        };
        techniques(&self.mitre_attack, &own)
    }
}

fn techniques(listed: &List<Mitre>, own: &Mitre) -> Vec<Technique> {
    let mut found: Vec<Technique> = Vec::new();
    for mitre in listed.iter().chain([own]) {
        let Some(id) = mitre.technique_id.line().or_else(|| mitre.tactic_id.line()) else {
            continue;
        };
        let known = |known: &Technique| known.id == id || known.name.as_ref() == Some(&id);
        if !found.iter().any(known) {
            found.push(Technique {
                id,
                name: mitre.technique.line(),
                tactic: mitre.tactic.line(),
            });
        }
    }
    found
}

/// An address in the vendor's console, if it can be linked to without harm.
fn console_url(link: &Text) -> Option<String> {
    link.line().filter(|link| {
        link.starts_with("https://")
            && !link.contains(|c: char| c.is_whitespace() || "\"'<>\\`…".contains(c))
    })
}

fn percentage(number: Number) -> Option<u8> {
    number
        .0
        .and_then(|number| u8::try_from(number.clamp(0, 100)).ok())
}

/// A document of the Alerts API.
fn alert(json: &RawValue) -> Result<Alert, DocumentError> {
    let header: Header = document::read(json)?;
    let id = header.alert_id()?;
    let product = header.product();
    let mut draft = Draft::default();
    let time = when(
        &mut draft,
        Stamps(&[
            ("timestamp", &header.timestamp),
            ("context_timestamp", &header.context_timestamp),
            ("created_timestamp", &header.created_timestamp),
            ("updated_timestamp", &header.updated_timestamp),
        ]),
    )?;
    let scale = match product {
        Product::Identity => Scale::MayBeOld,
        _ => Scale::Hundred,
    };
    let severity = severity(
        &mut draft,
        "severity",
        header.severity,
        &header.severity_name,
        scale,
    );
    check_ids(&header, &id, &mut draft);
    let mut prevention = Prevention::default();
    if let Some(disposition) = &header.pattern_disposition_details {
        prevention = disposition.prevention();
        disposition.remark("pattern_disposition_details", &mut draft);
    }
    let kind = match product {
        Product::Endpoint => {
            endpoint::read(json, &mut draft, endpoint::Expect::Everything)?;
            AlertKind::MaliciousProcess
        }
        Product::Identity => {
            identity::read(json, &mut draft)?;
            let names = [&header.name, &header.display_name, &header.scenario];
            identity::kind(names.into_iter().filter_map(Text::raw))
        }
        Product::Cloud => {
            cloud::read(json, &mut draft)?;
            AlertKind::CloudActivity
        }
        Product::Mobile => {
            endpoint::read(json, &mut draft, endpoint::Expect::Mobile)?;
            AlertKind::Other
        }
        Product::Other => {
            endpoint::read(json, &mut draft, endpoint::Expect::Nothing)?;
            AlertKind::Other
        }
    };
    prevention.file_quarantined |= draft.has_quarantined_file();
    let title = header.display_name.line().or_else(|| header.name.line());
    let detection = header
        .detection()
        .unwrap_or_else(|| "unnamed detection".to_owned());
    Ok(Alert {
        source: <super::CrowdStrike as quell_connector::Vendor>::ID.to_owned(),
        id,
        occurrence: None,
        title: title.unwrap_or_else(|| detection.clone()),
        description: header.description.block(),
        severity,
        confidence: percentage(header.confidence),
        kind,
        detection,
        time,
        updated: draft.moment("updated_timestamp", &header.updated_timestamp),
        techniques: header.techniques(),
        status: status(&header.status),
        console_url: console_url(&header.falcon_host_link),
        tenant: header.cid.line().map(|cid| cid.to_ascii_lowercase()),
        prevention,
        asset: draft.asset,
        entities: draft.entities,
        notes: draft.notes,
    })
}

/// A composite id repeats the customer's id in front; a document in which they differ says so.
fn check_ids(header: &Header, id: &str, draft: &mut Draft) {
    let front = id.split(':').next().unwrap_or_default();
    if let Some(cid) = header.cid.raw()
        && is_hex(front, 32)
        && !front.eq_ignore_ascii_case(cid)
    {
        draft.note(
            "cid",
            "The customer id differs from the one in composite_id.",
        );
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Deepest nesting and most members looked through for a composite id.
const SEARCH_DEPTH: usize = 8;
const SEARCH_MEMBERS: usize = 10_000;

/// The composite id of the alert a pushed body is about, wherever the body holds it.
///
/// A workflow's webhook has whatever shape its author gave it, so members named `composite_id` (in
/// any usual spelling) are looked for at every level, the nearest to the root first. Two different
/// ids at the same level are ambiguous and nothing is found.
#[must_use]
pub fn composite_id_in(json: &RawValue) -> Option<String> {
    let root: Value = serde_json::from_str(json.get()).ok()?;
    let mut level = vec![&root];
    let mut seen = 0_usize;
    for _ in 0..SEARCH_DEPTH {
        let mut found: Option<&str> = None;
        let mut below = Vec::new();
        for value in level {
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        seen += 1;
                        match member {
                            Value::String(id) if is_id_name(name) && is_composite_id(id) => {
                                if found.is_some_and(|other| other != id.trim()) {
                                    return None;
                                }
                                found = Some(id.trim());
                            }
                            Value::Array(_) | Value::Object(_) => below.push(member),
                            _ => {}
                        }
                    }
                }
                Value::Array(items) => {
                    seen += items.len();
                    below.extend(
                        items
                            .iter()
                            .filter(|item| item.is_array() || item.is_object()),
                    );
                }
                _ => {}
            }
            if seen > SEARCH_MEMBERS {
                return None;
            }
        }
        if let Some(id) = found {
            return Some(id.to_owned());
        }
        level = below;
    }
    None
}

fn is_id_name(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    letters.eq_ignore_ascii_case("compositeid")
}

/// `<customer>:<kind>:…`; nothing else may be sent on to the vendor.
fn is_composite_id(id: &str) -> bool {
    let id = id.trim();
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ':' | '-' | '_' | '|' | '.' | '/' | '=' | '+' | '@')
    };
    id.contains(':') && id.len() <= text::LINE_LIMIT && id.chars().all(plain)
}

/// The statuses of both APIs; the retired one mixed verdicts in, which all close an alert.
fn known_status(word: &str) -> AlertStatus {
    match word {
        "new" => AlertStatus::New,
        "in_progress" | "in progress" => AlertStatus::InProgress,
        "closed" | "true_positive" | "false_positive" | "ignored" => AlertStatus::Closed,
        "reopened" => AlertStatus::Reopened,
        _ => AlertStatus::Unknown,
    }
}
