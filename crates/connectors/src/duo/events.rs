//! Alerts from what Duo writes: Trust Monitor events and records of the authentication log. Users and
//! the administrator log are no alerts.

use std::net::IpAddr;

use jiff::Timestamp;
use quell_connector::{DocumentError, Vendor, document};
use quell_model::alert::{Note, Prevention};
use quell_model::entity::{Account, Entity, IndicatorKind, NetworkIndicator};
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Severity, text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Duo, PROVIDER};
use crate::lenient::{Flag, List, Number, Text, or_default};

/// Outcomes and reasons of a sign-in that are an alert by themselves: what the user or Duo called
/// wrong. A single denial for any other reason is an everyday slip.
pub(super) const TELLING: &[(&str, &str)] =
    &[("denied", "anomalous_push"), ("denied", "locked_out")];

/// A record of the authentication log, and what Trust Monitor quotes of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an event (a JSON object)")]
pub(super) struct SignIn {
    txid: Text,
    timestamp: Number,
    isotimestamp: Text,
    pub(super) result: Text,
    pub(super) reason: Text,
    event_type: Text,
    factor: Text,
    #[serde(deserialize_with = "or_default")]
    user: Named,
    email: Text,
    #[serde(deserialize_with = "or_default")]
    application: Named,
    #[serde(deserialize_with = "or_default")]
    access_device: Device,
}

/// Anything with a key and a name.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object with key and name")]
struct Named {
    key: Text,
    name: Text,
}

/// Where a sign-in came from. The device that answered the push is the user's own.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object with an address")]
struct Device {
    ip: Text,
    #[serde(deserialize_with = "or_default")]
    location: Location,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object with city and country")]
struct Location {
    city: Text,
    state: Text,
    country: Text,
}

/// A Trust Monitor event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an event (a JSON object)")]
struct Surfaced {
    sekey: Text,
    r#type: Text,
    state: Text,
    surfaced_timestamp: Number,
    state_updated_timestamp: Number,
    priority_event: Flag,
    explanations: List<Explanation>,
    triage_event_uri: Text,
    #[serde(deserialize_with = "or_default")]
    surfaced_auth: SignIn,
    #[serde(deserialize_with = "or_default")]
    enabled_for: Named,
    #[serde(deserialize_with = "or_default")]
    enabled_by: Named,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object with summary and type")]
struct Explanation {
    summary: Text,
    r#type: Text,
}

/// What tells the kinds of document apart.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an event (a JSON object)")]
struct Shape {
    sekey: Text,
    txid: Text,
    user_id: Text,
    action: Text,
    response: Option<serde::de::IgnoredAny>,
}

/// Reads one event.
///
/// # Errors
/// With the JSON path of what is missing or does not fit.
pub fn normalise(json: &RawValue) -> Result<Alert, DocumentError> {
    let shape: Shape = document::read(json)?;
    match () {
        () if shape.sekey.raw().is_some() => surfaced(&document::read(json)?),
        () if shape.txid.raw().is_some() => signed_in(&document::read(json)?),
        () if shape.response.is_some() => Err(DocumentError::missing(
            "$.response",
            "has no `events` or `authlogs`; it is another reply than one with alerts",
        )),
        () if shape.user_id.raw().is_some() => Err(DocumentError::missing(
            "$.sekey",
            "missing; this is a user's record, not an event",
        )),
        () if shape.action.raw().is_some() => Err(DocumentError::missing(
            "$.sekey",
            "missing; this is a record of the administrator log, not an alert",
        )),
        () => Err(DocumentError::missing(
            "$.sekey",
            "missing, and so is `txid`; neither a Trust Monitor event nor a sign-in",
        )),
    }
}

fn surfaced(event: &Surfaced) -> Result<Alert, DocumentError> {
    let id = identifier("$.sekey", &event.sekey)?;
    let flagged = moment(event.surfaced_timestamp.0, 1000);
    let auth = &event.surfaced_auth;
    let time = auth.time().or(flagged).ok_or_else(|| {
        let problem = "missing, and nothing else says when it happened";
        DocumentError::missing("$.surfaced_timestamp", problem)
    })?;
    let why: Vec<String> = event
        .explanations
        .iter()
        .filter_map(|e| e.summary.line())
        .collect();
    let because = if why.is_empty() {
        String::new()
    } else {
        format!(": {}", why.join(", "))
    };
    let mut draft = Draft::default();
    let kind = event.r#type.line().unwrap_or_else(|| "event".to_owned());
    let (alert_kind, title) = match kind.as_str() {
        "auth" => {
            draft.sign_in("surfaced_auth.", auth);
            let title = format!(
                "Unusual sign-in of {} to {}{because}",
                auth.who(),
                auth.what()
            );
            (AlertKind::RiskySignIn, title)
        }
        "bypass_status" => {
            draft.account("enabled_for", &event.enabled_for, &Text::default());
            let (who, by) = (words(&event.enabled_for), words(&event.enabled_by));
            let title = format!("{who} may sign in without a second factor; set by {by}");
            (AlertKind::IdentityActivity, title)
        }
        "device_registration" => {
            draft.sign_in("surfaced_auth.", auth);
            (
                AlertKind::IdentityActivity,
                format!("Unusual registration of a device{because}"),
            )
        }
        other => {
            draft.sign_in("surfaced_auth.", auth);
            (
                AlertKind::Other,
                format!("Trust Monitor surfaced `{other}`{because}"),
            )
        }
    };
    let first = event.explanations.iter().find_map(|e| e.r#type.line());
    let detection = match first {
        Some(first) => format!("Trust Monitor {kind} {first}"),
        None => format!("Trust Monitor {kind}"),
    };
    let severity = if event.priority_event.is_set() {
        Severity::High
    } else {
        Severity::Medium
    };
    Ok(Alert {
        occurrence: auth.txid.line(),
        title: text::line(&title),
        description: auth.description(),
        severity,
        kind: alert_kind,
        detection,
        time,
        updated: moment(event.state_updated_timestamp.0, 1000),
        status: status(&event.state),
        console_url: console_url(&event.triage_event_uri),
        ..draft.alert(id)
    })
}

fn signed_in(record: &SignIn) -> Result<Alert, DocumentError> {
    let id = identifier("$.txid", &record.txid)?;
    let time = record.time().ok_or_else(|| {
        DocumentError::missing(
            "$.timestamp",
            "missing, and `isotimestamp` does not say when it happened",
        )
    })?;
    let result = record
        .result
        .line()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let reason = record.reason.line().unwrap_or_default();
    let (who, what, because) = (record.who(), record.what(), reason.replace('_', " "));
    let (severity, title) = match result.as_str() {
        "fraud" => {
            let title = format!("{who} reported a request to sign in to {what} as fraud");
            (Severity::High, title)
        }
        "denied" | "failure" => {
            let telling = TELLING.iter().any(|(_, telling)| *telling == reason);
            let severity = if telling {
                Severity::Medium
            } else {
                Severity::Low
            };
            (
                severity,
                format!("Sign-in of {who} to {what} was refused: {because}"),
            )
        }
        "success" => (
            Severity::Informational,
            format!("{who} signed in to {what}"),
        ),
        _ => (
            Severity::Informational,
            format!("Sign-in of {who} to {what} ended with `{result}`"),
        ),
    };
    let kind = match record.event_type.raw() {
        None | Some("authentication") => AlertKind::RiskySignIn,
        Some(_) => AlertKind::IdentityActivity,
    };
    let mut draft = Draft::default();
    draft.sign_in("", record);
    Ok(Alert {
        occurrence: Some(id.clone()),
        title: text::line(&title),
        description: record.description(),
        severity,
        kind,
        detection: text::line(format!("Sign-in {result} {reason}").trim()),
        time,
        ..draft.alert(id)
    })
}

impl SignIn {
    /// Whether the record is an alert by itself.
    pub(super) fn tells(&self) -> bool {
        let is = |text: &Text, wanted: &str| {
            text.raw()
                .is_some_and(|text| text.eq_ignore_ascii_case(wanted))
        };
        is(&self.result, "fraud")
            || TELLING
                .iter()
                .any(|(result, reason)| is(&self.result, result) && is(&self.reason, reason))
    }

    /// When it happened. Seconds here, milliseconds everywhere around.
    pub(super) fn time(&self) -> Option<Timestamp> {
        let exact = self.isotimestamp.raw().and_then(|text| text.parse().ok());
        exact.or_else(|| moment(self.timestamp.0, 1))
    }

    /// The transaction, by which the log tells records apart.
    pub(super) fn transaction(&self) -> Option<&str> {
        self.txid.raw()
    }

    fn who(&self) -> String {
        words(&self.user)
    }

    fn what(&self) -> String {
        self.application
            .name
            .line()
            .unwrap_or_else(|| "an application".to_owned())
    }

    /// How and from where.
    fn description(&self) -> Option<String> {
        let place = &self.access_device.location;
        let place: Vec<String> = [&place.city, &place.state, &place.country]
            .into_iter()
            .filter_map(Text::line)
            .collect();
        let from = (!place.is_empty()).then(|| format!("from {}", place.join(", ")));
        let factor = self
            .factor
            .line()
            .filter(|factor| factor != "not_available");
        let by = factor.map(|factor| format!("by {}", factor.replace('_', " ")));
        let parts: Vec<String> = [by, from].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| text::line(&format!("Sign-in {}.", parts.join(" "))))
    }
}

/// The name of somebody, for a sentence.
fn words(named: &Named) -> String {
    named
        .name
        .line()
        .or_else(|| named.key.line())
        .unwrap_or_else(|| "somebody".to_owned())
}

/// Entities and notes found so far.
#[derive(Default)]
struct Draft {
    entities: Vec<Entity>,
    notes: Vec<Note>,
}

impl Draft {
    fn sign_in(&mut self, path: &str, record: &SignIn) {
        self.account(&format!("{path}user"), &record.user, &record.email);
        let Some(given) = record.access_device.ip.raw() else {
            return;
        };
        match given.parse::<IpAddr>() {
            Ok(ip) if !ip.is_unspecified() => self.entities.push(
                NetworkIndicator {
                    kind: IndicatorKind::Ip,
                    value: ip.to_string(),
                }
                .into(),
            ),
            _ => {
                let said = format!(
                    "`{}` is not an address that could be blocked.",
                    text::line(given)
                );
                self.note(&format!("{path}access_device.ip"), &said);
            }
        }
    }

    fn account(&mut self, field: &str, named: &Named, email: &Text) {
        let name = named.name.line();
        let mail = |text: &String| text.contains('@');
        let account = Account {
            id: named.key.line(),
            principal: email
                .line()
                .filter(mail)
                .or_else(|| name.clone().filter(mail)),
            name,
            provider: Some(PROVIDER.to_owned()),
            ..Account::default()
        };
        if account.id.is_none() && account.name.is_none() {
            self.note(
                field,
                "The document names no account, so none can be acted on.",
            );
            return;
        }
        self.entities.push(account.into());
    }

    fn note(&mut self, field: &str, said: &str) {
        self.notes.push(Note {
            field: field.to_owned(),
            text: text::line(said),
            doubt: false,
        });
    }

    /// An alert with these entities; the rest is for the caller to say.
    fn alert(self, id: String) -> Alert {
        Alert {
            source: Duo::ID.to_owned(),
            id,
            occurrence: None,
            title: String::new(),
            description: None,
            severity: Severity::Medium,
            confidence: None,
            kind: AlertKind::Other,
            detection: String::new(),
            time: Timestamp::UNIX_EPOCH,
            updated: None,
            techniques: Vec::new(),
            status: AlertStatus::Unknown,
            console_url: None,
            tenant: None,
            prevention: Prevention::default(),
            asset: AssetFacts::default(),
            entities: self.entities,
            notes: self.notes,
        }
    }
}

/// An id as the vendor wrote it. One that had to be cleaned would name something else.
fn identifier(path: &str, given: &Text) -> Result<String, DocumentError> {
    let id = given.raw().unwrap_or_default();
    if id.is_empty() || text::line(id) != id {
        let problem = "is no id: empty, too long, or with control characters";
        return Err(DocumentError::new(path, problem));
    }
    Ok(id.to_owned())
}

/// A count since 1970, so many to a second.
fn moment(count: Option<i64>, per_second: i64) -> Option<Timestamp> {
    let count = count.filter(|count| *count > 0)?;
    Timestamp::from_millisecond(count.checked_mul(1000 / per_second)?).ok()
}

fn status(given: &Text) -> AlertStatus {
    match given
        .raw()
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "new" => AlertStatus::New,
        "in_progress" | "in progress" => AlertStatus::InProgress,
        "closed" | "dismissed" | "processed" | "resolved" => AlertStatus::Closed,
        "reopened" => AlertStatus::Reopened,
        _ => AlertStatus::Unknown,
    }
}

/// An address in the vendor's console, if it can be linked to without harm.
fn console_url(link: &Text) -> Option<String> {
    link.line().filter(|link| {
        link.starts_with("https://")
            && !link.contains(|c: char| c.is_whitespace() || "\"'<>\\`…".contains(c))
    })
}
