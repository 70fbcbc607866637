//! Alert documents into the model's alert. Pure.
//!
//! Two kinds: alerts of the Alert Center, which have an `alertId` and say in `data.@type` what else they
//! have, and events of the audit of sign-ins (Reports API), which have `events`.

mod draft;
mod login;
mod mail;

use jiff::Timestamp;
use quell_connector::{DocumentError, document};
use quell_model::alert::Prevention;
use quell_model::entity::Host;
use quell_model::{Alert, AlertKind, AlertStatus, AssetClass, AssetFacts, Severity, text};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::CONNECTOR;
pub(super) use login::RISKY;

use draft::{Draft, line, time};

/// Reads one alert document.
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
    if shape.alert_id.is_none() && shape.events.is_some() {
        return login::read(json);
    }
    alert(json)
}

/// The id of the alert a pushed body is about, wherever it stands at the top.
#[must_use]
pub fn alert_id_in(json: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pointer {
        alert_id: String,
    }
    let pointer: Pointer = document::read(json).ok()?;
    Some(pointer.alert_id).filter(|id| is_alert_id(id))
}

/// Whether an id can be the Alert Center's; nothing else is sent to it.
pub(super) fn is_alert_id(id: &str) -> bool {
    (8..=128).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Shape {
    alert_id: Option<IgnoredAny>,
    events: Option<IgnoredAny>,
}

/// What every alert of the Alert Center has.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Header<'a> {
    alert_id: Option<String>,
    customer_id: Option<String>,
    create_time: Option<String>,
    start_time: Option<String>,
    update_time: Option<String>,
    r#type: Option<String>,
    source: Option<String>,
    deleted: Option<bool>,
    security_investigation_tool_link: Option<String>,
    metadata: Option<Metadata>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    status: Option<String>,
    severity: Option<String>,
}

/// The member of `data` that says what else is in it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct DataType {
    #[serde(rename = "@type")]
    name: Option<String>,
}

/// What is about accounts and devices.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AboutAccount {
    email: Option<String>,
    login_details: Option<LoginDetails>,
    events: Option<Vec<DeviceEvent>>,
    /// Whoever did it, in alerts about what administrators do.
    actor_email: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LoginDetails {
    login_time: Option<String>,
    ip_address: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DeviceEvent {
    device_id: Option<String>,
    device_model: Option<String>,
    device_type: Option<String>,
    device_compromised_state: Option<String>,
}

/// Devices of one alert that are kept.
const MOST_DEVICES: usize = 32;

/// What an alert is about, by the last part of `data.@type` and, where that says too little, by its
/// type's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Warning,
    Suspended,
    StateSponsored,
    Device,
    Mail,
    Other,
}

fn about(data_type: &str, source: &str, name: &str) -> About {
    let data_type = data_type.rsplit(['.', '/']).next().unwrap_or_default();
    match data_type {
        "AccountWarning" if name.starts_with("user suspended") => About::Suspended,
        "AccountWarning" => About::Warning,
        "StateSponsoredAttack" => About::StateSponsored,
        "DeviceCompromised" | "SuspiciousActivity" => About::Device,
        "MailPhishing" | "BadWhitelist" | "PhishingSpike" => About::Mail,
        "" => match source {
            "google identity" if name.starts_with("user suspended") => About::Suspended,
            "google identity" => About::Warning,
            "state sponsored attack" => About::StateSponsored,
            "gmail phishing" => About::Mail,
            _ => About::Other,
        },
        _ => About::Other,
    }
}

/// How bad, where the alert does not say.
fn usual_severity(about: About, name: &str) -> Severity {
    match about {
        About::StateSponsored => Severity::High,
        About::Warning
            if name.contains("leaked password") || name.contains("programmatic login") =>
        {
            Severity::High
        }
        About::Device if name.contains("compromised") => Severity::High,
        About::Mail if name.contains("reclassification") => Severity::High,
        About::Mail if name.contains("spam") => Severity::Low,
        _ => Severity::Medium,
    }
}

/// A document of the Alert Center.
fn alert(json: &RawValue) -> Result<Alert, DocumentError> {
    let header: Header<'_> = document::read(json)?;
    let Some(id) = header.alert_id.as_deref().and_then(text::present) else {
        let problem = "missing; only alerts of the Alert Center and events of the audit of sign-ins can be read";
        return Err(DocumentError::missing("$.alertId", problem));
    };
    if text::line(id) != id {
        return Err(DocumentError::new(
            "$.alertId",
            "is no id: too long, or with control characters",
        ));
    }
    let mut draft = Draft::default();
    let name = line(header.r#type.as_deref()).unwrap_or_else(|| "unnamed alert".to_owned());
    let lower = name.to_lowercase();
    let source = line(header.source.as_deref())
        .unwrap_or_default()
        .to_lowercase();
    let data_type = match header.data {
        Some(data) => {
            let data: DataType = document::read(data).map_err(|e| e.inside("$.data"))?;
            data.name.unwrap_or_default()
        }
        None => String::new(),
    };
    let about = about(&data_type, &source, &lower);
    let mut found = Found::default();
    if let Some(data) = header.data {
        let read = match about {
            About::Mail => mail::read(data, &mut draft),
            _ => accounts(data, about, &mut draft).map(|read| found = read),
        };
        read.map_err(|error| error.inside("$.data"))?;
    }
    let metadata = header.metadata.unwrap_or_default();
    let severity = match found.harmless {
        true => Severity::Informational,
        false => {
            severity(metadata.severity.as_deref()).unwrap_or_else(|| usual_severity(about, &lower))
        }
    };
    let stamps = [
        ("startTime", header.start_time.as_deref()),
        ("createTime", header.create_time.as_deref()),
        ("updateTime", header.update_time.as_deref()),
    ];
    let mut moments = stamps
        .iter()
        .filter_map(|(field, given)| time(&mut draft, field, *given));
    let Some(when) = found.time.or_else(|| moments.next()) else {
        let problem = "missing, and nothing else says when it happened";
        return Err(DocumentError::missing("$.createTime", problem));
    };
    drop(moments);
    Ok(Alert {
        source: CONNECTOR.to_owned(),
        id: id.to_owned(),
        title: draft.title(&name),
        description: None,
        severity,
        confidence: None,
        kind: match about {
            About::Warning | About::Suspended | About::StateSponsored => AlertKind::RiskySignIn,
            About::Device => AlertKind::IdentityActivity,
            About::Mail => AlertKind::PhishingEmail,
            About::Other => AlertKind::Other,
        },
        detection: name,
        occurrence: found.occurrence,
        time: when,
        updated: time(&mut draft, "updateTime", header.update_time.as_deref()),
        techniques: Vec::new(),
        status: match header.deleted {
            Some(true) => AlertStatus::Closed,
            _ => status(metadata.status.as_deref()),
        },
        console_url: console_url(header.security_investigation_tool_link.as_deref()),
        tenant: customer(header.customer_id.as_deref()),
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: draft.entities,
        notes: draft.notes,
    })
}

/// What an alert about accounts says beside its entities.
#[derive(Default)]
struct Found {
    time: Option<Timestamp>,
    occurrence: Option<String>,
    /// It only says that all is well again.
    harmless: bool,
}

fn accounts(data: &RawValue, about: About, draft: &mut Draft) -> Result<Found, DocumentError> {
    let read: AboutAccount = match document::read(data) {
        Ok(read) => read,
        // Of what Quell knows no plan for, nothing has to fit.
        Err(_) if about == About::Other => return Ok(Found::default()),
        Err(error) => return Err(error),
    };
    let email = read.email.as_deref().or(read.actor_email.as_deref());
    draft.account("data.email", email);
    if email.is_none() && about != About::Other {
        draft.note(
            "data.email",
            "The alert names no account, so none can be acted on.",
        );
    }
    let mut found = Found::default();
    if let Some(details) = &read.login_details {
        draft.ip("data.loginDetails.ipAddress", details.ip_address.as_deref());
        let at = details.login_time.as_deref();
        found.time = time(draft, "data.loginDetails.loginTime", at);
        found.occurrence = found.time.and_then(|at| occurrence(email?, at));
        // Google documents that only a sign-in that succeeded has a time.
        if found.time.is_none() {
            let text = "Google gives no time of the sign-in, which means that it was blocked.";
            draft.note("data.loginDetails.loginTime", text);
        }
    }
    if about == About::Suspended {
        let text = "Google has suspended the account by itself; whoever brings it back brings back the stolen password.";
        draft.note("type", text);
    }
    let events = read.events.unwrap_or_default();
    for event in events.iter().take(MOST_DEVICES) {
        let kind = event
            .device_type
            .as_deref()
            .unwrap_or_default()
            .to_lowercase();
        let mobile = ["android", "ios"].iter().any(|word| kind.contains(word));
        let id = line(event.device_id.as_deref());
        if id.is_some() {
            draft.add(Host {
                id,
                name: line(event.device_model.as_deref()),
                class: if mobile {
                    AssetClass::Mobile
                } else {
                    AssetClass::Unknown
                },
                platform: Some(kind)
                    .filter(|kind| !kind.is_empty())
                    .map(|kind| text::line(&kind)),
                ..Host::default()
            });
        }
    }
    let well = |event: &DeviceEvent| {
        let state = event.device_compromised_state.as_deref();
        state.is_some_and(|state| state.eq_ignore_ascii_case("not compromised"))
    };
    found.harmless = about == About::Device && !events.is_empty() && events.iter().all(well);
    Ok(found)
}

/// What a sign-in is recognised by in the Alert Center and in the audit: who, and the second. Google gives
/// the two no id in common.
fn occurrence(email: &str, at: Timestamp) -> Option<String> {
    let email = text::line(email).to_lowercase();
    Some(format!("sign-in:{email}@{}", at.as_second()))
}

fn severity(word: Option<&str>) -> Option<Severity> {
    Some(match word?.trim().to_ascii_uppercase().as_str() {
        "HIGH" => Severity::High,
        "MEDIUM" => Severity::Medium,
        "LOW" => Severity::Low,
        _ => return None,
    })
}

fn status(word: Option<&str>) -> AlertStatus {
    match word
        .unwrap_or_default()
        .trim()
        .to_ascii_uppercase()
        .as_str()
    {
        "NOT_STARTED" => AlertStatus::New,
        "IN_PROGRESS" => AlertStatus::InProgress,
        "CLOSED" => AlertStatus::Closed,
        _ => AlertStatus::Unknown,
    }
}

/// The customer's id as the Admin console shows it; the Alert Center leaves the `C` in front out.
fn customer(id: Option<&str>) -> Option<String> {
    let id = line(id)?;
    Some(if id.starts_with('C') {
        id
    } else {
        format!("C{id}")
    })
}

/// An address in the vendor's console, if it can be linked to without harm.
fn console_url(link: Option<&str>) -> Option<String> {
    line(link).filter(|link| {
        link.starts_with("https://admin.google.com/")
            && !link.contains(|c: char| c.is_whitespace() || "\"'<>\\`…".contains(c))
    })
}
