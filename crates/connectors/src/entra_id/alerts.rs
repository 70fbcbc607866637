//! Risk detections of Identity Protection into the model's alert, and whatever else comes the same way to whoever reads it.
//! Pure.
//!
//! The same record comes from Microsoft Graph and, inside `properties`, from the export to an event hub.

use std::net::IpAddr;

use jiff::Timestamp;
use quell_connector::{DocumentError, document};
use quell_model::alert::{Note, Prevention};
use quell_model::entity::{Account, IndicatorKind, NetworkIndicator};
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Severity, Technique, text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{PROVIDER, risky_users};

/// Reads one risk detection, or one risky user.
///
/// # Errors
/// With the JSON path of a member that is missing or cannot be read.
pub fn normalise(json: &RawValue) -> Result<Alert, DocumentError> {
    if !json.get().starts_with('{') {
        let problem = "expected a risk detection (a JSON object)";
        return Err(DocumentError::new("$", problem));
    }
    let exported: Exported = document::read(json)?;
    match exported.properties {
        Some(inner) if inner.get().starts_with('{') => {
            let alert = record(inner).map_err(|error| error.inside("$.properties"))?;
            let tenant = exported.tenant.as_deref().and_then(text::present);
            Ok(Alert {
                tenant: tenant.map(text::line),
                ..alert
            })
        }
        _ => record(json),
    }
}

fn record(json: &RawValue) -> Result<Alert, DocumentError> {
    if risky_users::is_one(json) {
        return risky_users::normalise(json);
    }
    let detection: Detection = document::read(json)?;
    alert(&detection)
}

/// Finds the detection's id in a pushed body of any shape.
#[must_use]
pub fn detection_id_in(json: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        id: Option<String>,
    }
    let exported: Exported = document::read(json).ok()?;
    let record = exported.properties.unwrap_or(json);
    if risky_users::is_one(record) {
        return None;
    }
    let named: Named = document::read(record).ok()?;
    named.id.filter(|id| is_detection_id(id))
}

/// The envelope of an export, if it is one.
#[derive(Deserialize)]
#[serde(expecting = "a risk detection (a JSON object)")]
struct Exported<'a> {
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    #[serde(rename = "tenantId")]
    tenant: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "camelCase",
    expecting = "a risk detection (a JSON object)"
)]
struct Detection {
    id: Option<String>,
    request_id: Option<String>,
    risk_event_type: Option<String>,
    risk_type: Option<String>,
    risk_state: Option<String>,
    risk_level: Option<String>,
    risk_detail: Option<String>,
    source: Option<String>,
    detection_timing_type: Option<String>,
    ip_address: Option<String>,
    location: Option<Location>,
    activity_date_time: Option<String>,
    detected_date_time: Option<String>,
    last_updated_date_time: Option<String>,
    user_id: Option<String>,
    user_display_name: Option<String>,
    user_principal_name: Option<String>,
    additional_info: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Location {
    city: Option<String>,
    state: Option<String>,
    country_or_region: Option<String>,
}

/// One fact of `additionalInfo`, which is a text with JSON inside.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fact {
    key: String,
    value: serde_json::Value,
}

/// The word of a member, unless it is one of the spellings of nothing.
pub(super) fn word(member: &Option<String>) -> Option<&str> {
    member.as_deref().and_then(text::present)
}

/// An id that may be sent on to the vendor.
pub(super) fn is_detection_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // A first letter or digit, so that it is never a step up in a path.
    id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.len() <= 128 && id.chars().all(plain)
}

fn alert(detection: &Detection) -> Result<Alert, DocumentError> {
    let mut notes = Vec::new();
    let id = word(&detection.id)
        .ok_or_else(|| DocumentError::missing("$.id", "missing; a risk detection has an id"))?;
    if !is_detection_id(id) {
        let problem = "is no id of a risk detection";
        return Err(DocumentError::new("$.id", problem));
    }
    let event = word(&detection.risk_event_type).or_else(|| word(&detection.risk_type));
    let event = event.map(text::line).ok_or_else(|| {
        let problem = "missing; a risk detection says what kind of risk it is";
        DocumentError::missing("$.riskEventType", problem)
    })?;
    let found = moment(
        &mut notes,
        "detectedDateTime",
        &detection.detected_date_time,
    );
    let happened = moment(
        &mut notes,
        "activityDateTime",
        &detection.activity_date_time,
    );
    let time = happened.or(found).ok_or_else(|| {
        let problem = "missing, and nothing else says when it happened";
        DocumentError::missing("$.activityDateTime", problem)
    })?;
    let updated = moment(
        &mut notes,
        "lastUpdatedDateTime",
        &detection.last_updated_date_time,
    );
    let facts = facts(&mut notes, detection);
    let account = account(
        &mut notes,
        Who {
            id: &detection.user_id,
            principal: &detection.user_principal_name,
        },
    );
    let who = account
        .as_ref()
        .and_then(|account| account.principal.clone().or_else(|| account.id.clone()));
    let address = address(&mut notes, detection);
    let title = match &who {
        Some(who) => format!("{} of {who}", title(&event)),
        None => title(&event),
    };
    Ok(Alert {
        source: super::ID.to_owned(),
        id: id.to_owned(),
        occurrence: word(&detection.request_id).map(text::line),
        title: text::line(&title),
        description: description(detection, &facts),
        severity: severity(&event, detection),
        confidence: None,
        kind: AlertKind::RiskySignIn,
        techniques: techniques(&facts),
        detection: event,
        time,
        updated,
        status: status(&detection.risk_state),
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: account
            .map(Into::into)
            .into_iter()
            .chain(address.map(Into::into))
            .collect(),
        notes,
    })
}

pub(super) fn note(notes: &mut Vec<Note>, field: &str, text: String) {
    notes.push(Note {
        field: field.to_owned(),
        text: text::line(&text),
        doubt: false,
    });
}

pub(super) fn moment(
    notes: &mut Vec<Note>,
    field: &str,
    given: &Option<String>,
) -> Option<Timestamp> {
    let given = word(given)?;
    let read = given.parse().ok();
    if read.is_none() {
        let text = format!("`{given}` is not a time Quell can read; left out.");
        note(notes, field, text);
    }
    read
}

/// The members that name a user.
pub(super) struct Who<'a> {
    pub(super) id: &'a Option<String>,
    pub(super) principal: &'a Option<String>,
}

pub(super) fn account(notes: &mut Vec<Note>, who: Who<'_>) -> Option<Account> {
    let id = word(who.id).map(text::line);
    let principal = word(who.principal).map(text::line);
    if id.is_none() && principal.is_none() {
        let text = "The document names no user, so nothing can be done about one.";
        note(notes, "userId", text.to_owned());
        return None;
    }
    let parts = principal.as_deref().and_then(|name| name.rsplit_once('@'));
    Some(Account {
        name: parts.map(|(name, _)| name.to_owned()),
        domain: parts.map(|(_, domain)| domain.to_owned()),
        id,
        principal,
        provider: Some(PROVIDER.to_owned()),
        sid: None,
    })
}

fn address(notes: &mut Vec<Note>, detection: &Detection) -> Option<NetworkIndicator> {
    let given = word(&detection.ip_address)?;
    match given.parse::<IpAddr>() {
        Ok(ip) if !ip.is_unspecified() => Some(NetworkIndicator {
            kind: IndicatorKind::Ip,
            value: ip.to_string(),
        }),
        _ => {
            let text = format!("`{given}` is not an address that could be blocked.");
            note(notes, "ipAddress", text);
            None
        }
    }
}

/// Most facts that are kept of `additionalInfo`.
const MOST_FACTS: usize = 32;

/// What `additionalInfo` says, name and value.
fn facts(notes: &mut Vec<Note>, detection: &Detection) -> Vec<(String, String)> {
    let Some(given) = word(&detection.additional_info) else {
        return Vec::new();
    };
    let Ok(facts) = serde_json::from_str::<Vec<Fact>>(given) else {
        let text = "The additional information cannot be read; left out.";
        note(notes, "additionalInfo", text.to_owned());
        return Vec::new();
    };
    let plain = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    facts
        .into_iter()
        .take(MOST_FACTS)
        .map(|fact| (fact.key, plain(fact.value)))
        .collect()
}

fn fact<'a>(facts: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let found = facts.iter().find(|(name, _)| name == key);
    found.and_then(|(_, value)| text::present(value))
}

/// Techniques, which newer detections name.
fn techniques(facts: &[(String, String)]) -> Vec<Technique> {
    let named = fact(facts, "mitreTechniques").unwrap_or_default();
    let is_technique = |id: &&str| {
        id.strip_prefix('T')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            && id.len() <= 9
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    };
    named
        .split(',')
        .map(str::trim)
        .filter(is_technique)
        .map(|id| Technique {
            id: id.to_owned(),
            name: None,
            tactic: None,
        })
        .collect()
}

fn description(detection: &Detection, facts: &[(String, String)]) -> Option<String> {
    let place = detection.location.as_ref().map(|location| {
        let parts = [&location.city, &location.state, &location.country_or_region];
        let parts: Vec<_> = parts.into_iter().filter_map(word).collect();
        parts.join(", ")
    });
    let parts = [
        ("User", word(&detection.user_display_name)),
        ("from", place.as_deref().and_then(text::present)),
        ("with", fact(facts, "userAgent")),
        ("found", word(&detection.detection_timing_type)),
        ("by", word(&detection.source)),
        ("because", word(&detection.risk_detail)),
    ];
    sentence(&parts)
}

/// What there is of a description, with the words before each part.
pub(super) fn sentence(parts: &[(&str, Option<&str>)]) -> Option<String> {
    let said: Vec<_> = parts
        .iter()
        .filter_map(|(before, said)| Some(format!("{before} {}", (*said)?)))
        .collect();
    (!said.is_empty()).then(|| text::block(&format!("{}.", said.join(", "))))
}

/// Confirming a user as compromised raises a detection itself, which proves nothing but that somebody did: an
/// administrator, or Quell.
const OF_SOMEBODYS_MAKING: &str = "adminConfirmedUserCompromised";

fn severity(event: &str, detection: &Detection) -> Severity {
    if is_somebodys_word(Some(event)) {
        return Severity::Informational;
    }
    level(&detection.risk_level)
}

/// Whether a risk is there because somebody said so.
pub(super) fn is_somebodys_word(why: Option<&str>) -> bool {
    why == Some(OF_SOMEBODYS_MAKING)
}

pub(super) fn level(risk_level: &Option<String>) -> Severity {
    match word(risk_level) {
        Some("high") => Severity::High,
        Some("low") => Severity::Low,
        // `hidden` is what tenants without the licence see.
        _ => Severity::Medium,
    }
}

pub(super) fn status(risk_state: &Option<String>) -> AlertStatus {
    // `none` is a state here, not a missing one.
    match risk_state.as_deref().map(str::trim) {
        Some("atRisk") => AlertStatus::New,
        Some("confirmedCompromised") => AlertStatus::InProgress,
        Some("remediated" | "dismissed" | "confirmedSafe" | "none") => AlertStatus::Closed,
        _ => AlertStatus::Unknown,
    }
}

/// The vendor's name of an event in words; an unknown one is taken apart at its capitals.
fn title(event: &str) -> String {
    let known = match event {
        "adminConfirmedUserCompromised" => "User confirmed as compromised",
        "anonymizedIPAddress" => "Sign-in from an anonymous address",
        "generic" => "Additional risk",
        "impossibleTravel" | "mcasImpossibleTravel" => "Impossible travel",
        "investigationsThreatIntelligence" => "Activity known from threat intelligence",
        "leakedCredentials" => "Leaked credentials",
        "maliciousIPAddress" => "Sign-in from a malicious address",
        "malwareInfectedIPAddress" => "Sign-in from an address with malware",
        "mcasSuspiciousInboxManipulationRules" => "Suspicious inbox rules",
        "newCountry" => "Sign-in from a new country",
        "riskyIPAddress" | "suspiciousIPAddress" => "Sign-in from a risky address",
        "suspiciousAPITraffic" => "Suspicious API traffic",
        "unfamiliarFeatures" => "Unfamiliar sign-in",
        "unlikelyTravel" => "Atypical travel",
        _ => return in_words(event),
    };
    known.to_owned()
}

fn in_words(event: &str) -> String {
    let mut words = String::with_capacity(event.len() + 4);
    for (index, letter) in event.chars().enumerate() {
        match letter {
            letter if index == 0 => words.extend(letter.to_uppercase()),
            letter if letter.is_uppercase() => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            letter => words.push(letter),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_nobody_knew_gets_a_title_all_the_same() {
        assert_eq!(title("unfamiliarFeatures"), "Unfamiliar sign-in");
        assert_eq!(
            title("suspiciousSendingPatterns"),
            "Suspicious sending patterns"
        );
        assert_eq!(title("Ünknown"), "Ünknown");
    }
}
