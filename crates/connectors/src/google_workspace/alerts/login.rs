//! Events of the audit of sign-ins (Reports API).

use jiff::Timestamp;
use quell_connector::{DocumentError, document};
use quell_model::alert::Prevention;
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Severity, text};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::CONNECTOR;
use super::draft::{Draft, line, time};
use super::{customer, occurrence};

/// The events that are worth an alert, each with what to think of it. The feed asks for these by name.
pub(in super::super) const RISKY: [(&str, Severity); 6] = [
    ("suspicious_login", Severity::Medium),
    ("suspicious_login_less_secure_app", Severity::Medium),
    ("suspicious_programmatic_login", Severity::High),
    ("account_disabled_password_leak", Severity::High),
    ("account_disabled_hijacked", Severity::High),
    ("gov_attack_warning", Severity::High),
];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Activity {
    id: Id,
    actor: Option<Actor>,
    ip_address: Option<String>,
    events: Vec<Event>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Id {
    time: Option<String>,
    unique_qualifier: Option<String>,
    application_name: Option<String>,
    customer_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Actor {
    email: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    name: Option<String>,
    parameters: Option<Vec<Parameter>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Parameter {
    name: Option<String>,
    value: Option<String>,
    /// A number in a text; a bare one is understood as well.
    int_value: Option<Value>,
}

impl Event {
    fn parameter(&self, name: &str) -> Option<&Parameter> {
        let mut all = self.parameters.iter().flatten();
        all.find(|parameter| parameter.name.as_deref() == Some(name))
    }

    fn risk(&self) -> Option<Severity> {
        let name = self.name.as_deref()?;
        let known = RISKY.iter().find(|(known, _)| *known == name);
        known.map(|(_, severity)| *severity)
    }

    /// The account a warning is about; its actor can be Google itself.
    fn affected(&self) -> Option<&str> {
        let parameter = self.parameter("affected_email_address")?;
        parameter.value.as_deref().and_then(text::present)
    }

    /// When the sign-in was, in microseconds since 1970.
    fn signed_in(&self) -> Option<Timestamp> {
        let microseconds = match self.parameter("login_timestamp")?.int_value.as_ref()? {
            Value::String(text) => text.parse().ok()?,
            number => number.as_i64()?,
        };
        Timestamp::from_microsecond(microseconds).ok()
    }
}

pub(super) fn read(json: &RawValue) -> Result<Alert, DocumentError> {
    let activity: Activity = document::read(json)?;
    let mut draft = Draft::default();
    let missing = |path: &str| DocumentError::missing(path, "missing; it tells events apart");
    let qualifier = line(activity.id.unique_qualifier.as_deref())
        .ok_or_else(|| missing("$.id.uniqueQualifier"))?;
    let recorded = time(&mut draft, "id.time", activity.id.time.as_deref())
        .ok_or_else(|| missing("$.id.time"))?;
    let risky = activity.events.iter().find(|event| event.risk().is_some());
    let Some(event) = risky.or_else(|| activity.events.first()) else {
        let problem = "is empty; an audit event holds at least one";
        return Err(DocumentError::new("$.events", problem));
    };
    let sign_in = activity.id.application_name.as_deref().unwrap_or("login") == "login";
    let risk = event.risk().filter(|_| sign_in);
    let actor = activity.actor.unwrap_or_default();
    let email = event.affected().or(actor.email.as_deref());
    // The actor's number is left out: the Alert Center gives none, and both must name an account alike,
    // or one sign-in would be answered twice.
    draft.account("actor.email", email);
    if draft.entities.is_empty() {
        let sentence = "The event names no account, so none can be acted on.";
        draft.note("actor.email", sentence);
    }
    draft.ip("ipAddress", activity.ip_address.as_deref());
    let name = line(event.name.as_deref()).unwrap_or_else(|| "unnamed event".to_owned());
    let signed_in = event.signed_in();
    Ok(Alert {
        source: CONNECTOR.to_owned(),
        id: text::line(&format!("login:{recorded}:{qualifier}")),
        title: draft.title(&sentence(&name)),
        description: None,
        // What is not on the list only says that somebody did something.
        severity: risk.unwrap_or(Severity::Informational),
        confidence: None,
        kind: match risk {
            Some(_) => AlertKind::RiskySignIn,
            None => AlertKind::IdentityActivity,
        },
        detection: name,
        occurrence: signed_in.and_then(|at| occurrence(email?, at)),
        time: signed_in.unwrap_or(recorded),
        updated: None,
        techniques: Vec::new(),
        status: AlertStatus::Unknown,
        console_url: None,
        tenant: customer(activity.id.customer_id.as_deref()),
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: draft.entities,
        notes: draft.notes,
    })
}

/// `suspicious_login` as people write it.
fn sentence(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}
