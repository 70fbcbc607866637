//! Events of the System Log into the model's alert. Pure.
//!
//! The member `severity` of an event is its log level and says nothing of how bad it is: the risk
//! Okta names counts, else the type of the event.

use std::net::IpAddr;

use jiff::Timestamp;
use quell_connector::{DocumentError, Vendor, document};
use quell_model::alert::{Note, Prevention};
use quell_model::entity::{Account, Entity, IndicatorKind, NetworkIndicator};
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Severity, text};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Okta, PROVIDER};
use crate::lenient::{List, Text};

#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "camelCase",
    expecting = "an event of the System Log (a JSON object)"
)]
struct Event {
    uuid: Text,
    published: Text,
    event_type: Text,
    display_message: Text,
    actor: Option<Party>,
    target: List<Party>,
    client: Option<Client>,
    security_context: Option<SecurityContext>,
    outcome: Option<Outcome>,
    transaction: Option<Transaction>,
    debug_context: Option<DebugContext>,
}

/// Who did it, or to whom or what.
#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "camelCase",
    expecting = "an object with id and type"
)]
struct Party {
    id: Text,
    r#type: Text,
    alternate_id: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Client {
    ip_address: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecurityContext {
    risk: Option<Risk>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Risk {
    level: Text,
    previous_level: Text,
    reasons: List<Text>,
    detection_name: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Outcome {
    result: Text,
    reason: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Transaction {
    id: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DebugContext {
    // Okta promises nothing of what is in here, so no shape of it is an error.
    debug_data: Value,
}

/// What a type of event means.
#[derive(Clone, Copy)]
struct Meaning {
    kind: AlertKind,
    /// Where Okta names no risk.
    severity: Severity,
    /// What a named risk may do to it.
    risk: Influence,
    /// Whether the users in it are who it is about.
    users: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Influence {
    /// The risk decides.
    Decides,
    /// The risk may only make it worse.
    Raises,
    /// It is what it is.
    None,
}

const SIGN_IN: &str = "user.session.start";
const RISK_CHANGE: &str = "user.risk.change";

fn meaning(event_type: &str) -> Meaning {
    let means = |kind, severity, risk| Meaning {
        kind,
        severity,
        risk,
        users: true,
    };
    match event_type {
        SIGN_IN => means(
            AlertKind::RiskySignIn,
            Severity::Informational,
            Influence::Decides,
        ),
        "user.risk.detect" | RISK_CHANGE | "policy.entity_risk.evaluate" => {
            means(AlertKind::RiskySignIn, Severity::Medium, Influence::Decides)
        }
        "user.session.context.change" => {
            means(AlertKind::RiskySignIn, Severity::Low, Influence::Decides)
        }
        "user.account.report_suspicious_activity_by_enduser"
        | "security.breached_credential.detected" => {
            means(AlertKind::RiskySignIn, Severity::High, Influence::Raises)
        }
        "user.mfa.okta_verify.deny_push" | "user.mfa.okta_verify.deny_push_upgrade_needed" => {
            means(AlertKind::RiskySignIn, Severity::Medium, Influence::Raises)
        }
        // About an address that attacks. The users it tried are its victims: acting on them would
        // do the attacker's work.
        "security.threat.detected" => Meaning {
            users: false,
            ..means(AlertKind::NetworkActivity, Severity::High, Influence::None)
        },
        "security.attack.start" => Meaning {
            users: false,
            ..means(AlertKind::Other, Severity::High, Influence::None)
        },
        "security.attack.end" => Meaning {
            users: false,
            ..means(AlertKind::Other, Severity::Informational, Influence::None)
        },
        // What these prove is that somebody acted, Quell perhaps.
        "user.session.clear"
        | "user.session.end"
        | "user.authentication.universal_logout"
        | "user.account.expire_password"
        | "user.account.reset_password"
        | "policy.entity_risk.action" => means(
            AlertKind::IdentityActivity,
            Severity::Informational,
            Influence::None,
        ),
        other if other.starts_with("user.lifecycle.") => means(
            AlertKind::IdentityActivity,
            Severity::Informational,
            Influence::None,
        ),
        _ => means(
            AlertKind::IdentityActivity,
            Severity::Medium,
            Influence::Decides,
        ),
    }
}

fn level(word: &str) -> Option<Severity> {
    Some(match word.to_ascii_uppercase().as_str() {
        "LOW" => Severity::Low,
        "MEDIUM" => Severity::Medium,
        "HIGH" => Severity::High,
        "CRITICAL" => Severity::Critical,
        _ => return None,
    })
}

/// A member of a text such as `{previousLevel=LOW, level=HIGH, reasons=New IP, New Device}`, as
/// `debugData` carries the risk. The members that matter hold one word or name; a list runs on into the
/// next member, and is not read.
fn named_in<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let members = text.trim_matches(['{', '}']).split(", ");
    let value = members.filter_map(|member| member.trim().strip_prefix(name)?.strip_prefix('='));
    // Reasons may hold anything; what Okta itself says comes after them.
    value
        .last()
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

impl Event {
    fn risk(&self) -> Option<&Risk> {
        self.security_context.as_ref()?.risk.as_ref()
    }

    /// A member of `debugData`, if it is a text.
    fn debug(&self, name: &str) -> Option<&str> {
        self.debug_context.as_ref()?.debug_data.get(name)?.as_str()
    }

    /// What Okta says of the risk: a member of its own in newer events, a part of a text in others.
    fn of_risk(&self, member: fn(&Risk) -> &Text, name: &str) -> Option<String> {
        let own = self.risk().and_then(|risk| member(risk).line());
        own.or_else(|| named_in(self.debug("risk")?, name).map(text::line))
    }

    /// The level Okta names, as it writes it.
    fn level(&self) -> Option<String> {
        self.of_risk(|risk| &risk.level, "level")
    }

    /// What happened that this is one of the messages about. Okta traces everything that comes of one
    /// finding under one id; everything of one request has another in common.
    fn occurrence(&self) -> Option<String> {
        let trace = self
            .debug("traceId")
            .and_then(text::present)
            .map(text::line);
        trace.or_else(|| known(&self.transaction.as_ref()?.id))
    }

    /// Whether it is a sign-in that Okta turned down.
    fn failed_sign_in(&self, event_type: &str) -> bool {
        let result = self
            .outcome
            .as_ref()
            .and_then(|outcome| outcome.result.raw());
        event_type == SIGN_IN
            && matches!(
                result,
                Some("FAILURE" | "DENY" | "RATE_LIMIT" | "ABANDONED")
            )
    }

    fn severity(&self, event_type: &str, notes: &mut Vec<Note>) -> Severity {
        let meaning = meaning(event_type);
        let named = self.level();
        let risk = named.as_deref().and_then(level);
        if let (Some(word), None) = (&named, risk) {
            let words =
                format!("`{word}` is no level of risk Quell knows; the type of event counts.");
            notes.push(note("securityContext.risk.level", &words));
        }
        let severity = match (meaning.risk, risk) {
            // Only the one who knows the password is a risk to the account.
            (Influence::Decides, Some(risk)) if self.failed_sign_in(event_type) => {
                let words = "The sign-in did not succeed, so its risk is no sign that the account is taken.";
                notes.push(note("outcome.result", words));
                risk.min(Severity::Low)
            }
            (Influence::Decides, Some(risk)) => risk,
            (Influence::Raises, Some(risk)) => risk.max(meaning.severity),
            _ => meaning.severity,
        };
        // Nearly every sign-in has a low risk: that is no finding.
        match (event_type, severity) {
            (SIGN_IN, Severity::Low) if !self.failed_sign_in(event_type) => Severity::Informational,
            _ => severity,
        }
    }

    /// Okta took its own finding back.
    fn is_settled(&self, event_type: &str) -> bool {
        let now = self.level().as_deref().and_then(level);
        let before = self
            .risk()
            .and_then(|risk| level(risk.previous_level.raw()?));
        let lower = before.is_none_or(|before| now.is_some_and(|now| now < before));
        event_type == RISK_CHANGE && now.is_some_and(|now| now <= Severity::Low) && lower
    }

    /// The users it is about: those it was done to, else who did it.
    fn users(&self) -> Vec<&Party> {
        let is_user = |party: &&Party| party.r#type.raw() == Some("User");
        let targets: Vec<&Party> = self.target.iter().filter(is_user).collect();
        match targets.is_empty() {
            true => self.actor.iter().filter(is_user).collect(),
            false => targets,
        }
    }

    fn description(&self) -> Option<String> {
        let mut said = Vec::new();
        if let Some(level) = self.level() {
            said.push(format!("Risk: {level}."));
        }
        if let Some(risk) = self.risk() {
            let reasons: Vec<String> = risk.reasons.iter().filter_map(Text::line).collect();
            if !reasons.is_empty() {
                said.push(format!("Reasons: {}.", reasons.join(", ")));
            }
        }
        if let Some(outcome) = &self.outcome {
            let words = [outcome.result.line(), outcome.reason.line()];
            let words: Vec<String> = words.into_iter().flatten().collect();
            if !words.is_empty() {
                said.push(format!("Outcome: {}.", words.join(", ")));
            }
        }
        (!said.is_empty()).then(|| text::block(&said.join(" ")))
    }
}

fn note(field: &str, words: &str) -> Note {
    Note {
        field: field.to_owned(),
        text: text::line(words),
        doubt: false,
    }
}

/// A value that is there; Okta also writes `unknown`.
fn known(text: &Text) -> Option<String> {
    text.line()
        .filter(|value| !value.eq_ignore_ascii_case("unknown"))
}

/// Most users of one event that are taken.
const MOST_USERS: usize = 20;

fn entities(event: &Event, meaning: Meaning, notes: &mut Vec<Note>) -> Vec<Entity> {
    let mut entities: Vec<Entity> = Vec::new();
    let users = if meaning.users {
        event.users()
    } else {
        Vec::new()
    };
    for user in users.into_iter().take(MOST_USERS) {
        let account = Account {
            id: known(&user.id),
            principal: known(&user.alternate_id),
            provider: Some(PROVIDER.to_owned()),
            ..Account::default()
        };
        let named = account.id.is_some() || account.principal.is_some();
        let entity = Entity::from(account);
        if named && !entities.contains(&entity) {
            entities.push(entity);
        }
    }
    if meaning.users && entities.is_empty() {
        let words = "The event names no user, so no account can be acted on.";
        notes.push(note("target", words));
    }
    let address = event
        .client
        .as_ref()
        .and_then(|client| known(&client.ip_address));
    if let Some(address) = address {
        match address.parse::<IpAddr>() {
            Ok(ip) if !ip.is_unspecified() => entities.push(
                NetworkIndicator {
                    kind: IndicatorKind::Ip,
                    value: ip.to_string(),
                }
                .into(),
            ),
            _ => {
                let words = format!("`{address}` is not an address that could be blocked.");
                notes.push(note("client.ipAddress", &words));
            }
        }
    }
    entities
}

/// Reads one event of the System Log.
///
/// # Errors
/// With the JSON path of a member that is missing or cannot be read.
pub fn normalise(json: &RawValue) -> Result<Alert, DocumentError> {
    let event: Event = document::read(json)?;
    let missing = |path: &str, why: &str| DocumentError::missing(path, format!("missing; {why}"));
    let event_type = event.event_type.line().ok_or_else(|| {
        missing(
            "$.eventType",
            "an event of the System Log says what kind it is",
        )
    })?;
    let id = event
        .uuid
        .raw()
        .ok_or_else(|| missing("$.uuid", "without it the event cannot be told from others"))?;
    if text::line(id) != id {
        let problem = format!(
            "is no id: longer than {} characters, or with control characters",
            text::LINE_LIMIT
        );
        return Err(DocumentError::new("$.uuid", problem));
    }
    let published = event.published.raw();
    let published = published.ok_or_else(|| missing("$.published", "nothing else says when"))?;
    let time: Timestamp = published.parse().map_err(|_| {
        let problem = format!("`{}` is not a time", text::line(published));
        DocumentError::new("$.published", problem)
    })?;
    let meaning = meaning(&event_type);
    let mut notes = Vec::new();
    let severity = event.severity(&event_type, &mut notes);
    let quiet = event_type == SIGN_IN && severity < Severity::Low;
    let named = event.of_risk(|risk| &risk.detection_name, "detectionName");
    let detection = match named {
        Some(name) => format!("{event_type}: {name}"),
        None => event_type.clone(),
    };
    let status = match event.is_settled(&event_type) {
        true => AlertStatus::Closed,
        false => AlertStatus::Unknown,
    };
    Ok(Alert {
        source: <Okta as Vendor>::ID.to_owned(),
        id: id.to_owned(),
        occurrence: event.occurrence(),
        title: event
            .display_message
            .line()
            .unwrap_or_else(|| detection.clone()),
        description: event.description(),
        severity,
        confidence: None,
        kind: match quiet {
            true => AlertKind::IdentityActivity,
            false => meaning.kind,
        },
        detection: text::line(&detection),
        time,
        updated: None,
        techniques: Vec::new(),
        status,
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: entities(&event, meaning, &mut notes),
        notes,
    })
}

/// Whether an event is a sign-in without a finding. An organization has thousands of them a day, and
/// none of them is an alert.
pub(super) fn is_ordinary_sign_in(json: &RawValue) -> bool {
    let Ok(event) = document::read::<Event>(json) else {
        return false;
    };
    event.event_type.raw() == Some(SIGN_IN)
        && event.severity(SIGN_IN, &mut Vec::new()) < Severity::Medium
}

/// When an event was published.
pub(super) fn published(json: &RawValue) -> Option<Timestamp> {
    let event: Event = document::read(json).ok()?;
    event.published.raw()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_found_wherever_it_stands_in_the_text() {
        for (text, expected) in [
            ("{reasons=Anomalous Location, level=HIGH}", Some("HIGH")),
            (
                "{previousLevel=LOW, level=MEDIUM, reasons=New Device, New IP}",
                Some("MEDIUM"),
            ),
            ("level=LOW", Some("LOW")),
            ("{reasons=level=odd, level=HIGH}", Some("HIGH")),
            ("{reasons=a, level=LOW, level=HIGH}", Some("HIGH")),
            ("{previousLevel=LOW}", None),
            ("{level=}", None),
            ("HIGH", None),
            ("", None),
        ] {
            assert_eq!(named_in(text, "level"), expected, "{text}");
        }
    }
}
