//! Users at risk into the model's alert. Pure.
//!
//! A user's risk is derived from detections, which are alerts of their own. It is no sign-in: counted as one it would make
//! two of each.

use jiff::Timestamp;
use quell_connector::{DocumentError, document};
use quell_model::alert::Prevention;
use quell_model::{Alert, AlertKind, AssetFacts, Severity, text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::alerts::{self, Who};
use super::users::is_object_id;

/// What ids of these alerts begin with; those of detections never do.
const PREFIX: &str = "user_";

#[derive(Default, Deserialize)]
#[serde(
    default,
    rename_all = "camelCase",
    expecting = "a risky user (a JSON object)"
)]
struct RiskyUser {
    id: Option<String>,
    risk_last_updated_date_time: Option<String>,
    risk_level: Option<String>,
    risk_state: Option<String>,
    risk_detail: Option<String>,
    user_display_name: Option<String>,
    user_principal_name: Option<String>,
}

/// Whether a document is a risky user and no detection.
pub(super) fn is_one(json: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Marks<'a> {
        #[serde(rename = "@odata.type")]
        kind: Option<String>,
        #[serde(borrow, rename = "riskLastUpdatedDateTime")]
        updated: Option<&'a RawValue>,
    }
    let marks: Result<Marks<'_>, _> = document::read(json);
    marks.is_ok_and(|marks| match marks.kind {
        Some(kind) => kind.ends_with(".riskyUser"),
        None => marks.updated.is_some(),
    })
}

/// The user whom an alert's id is about, unless it is a detection's.
pub(super) fn user_in(alert: &str) -> Option<&str> {
    let user = alert.strip_prefix(PREFIX)?.split('_').next()?;
    is_object_id(user).then_some(user)
}

/// Reads one risky user.
pub(super) fn normalise(json: &RawValue) -> Result<Alert, DocumentError> {
    let user: RiskyUser = document::read(json)?;
    let mut notes = Vec::new();
    let id = alerts::word(&user.id)
        .ok_or_else(|| DocumentError::missing("$.id", "missing; a risky user has an object id"))?;
    if !is_object_id(id) {
        return Err(DocumentError::new("$.id", "is no object id of a user"));
    }
    let field = "riskLastUpdatedDateTime";
    let updated = alerts::moment(&mut notes, field, &user.risk_last_updated_date_time);
    if updated.is_none() {
        let text = "Nothing says when the risk changed, so it counts as old.";
        alerts::note(&mut notes, field, text.to_owned());
    }
    let account = alerts::account(
        &mut notes,
        Who {
            id: &user.id,
            principal: &user.user_principal_name,
        },
    );
    let principal = account.as_ref().and_then(|one| one.principal.as_deref());
    Ok(Alert {
        source: super::ID.to_owned(),
        id: alert_id(id, updated),
        occurrence: None,
        title: text::line(&format!("Risk of {}", principal.unwrap_or(id))),
        description: description(&user),
        severity: severity(&user),
        confidence: None,
        kind: AlertKind::IdentityActivity,
        techniques: Vec::new(),
        detection: "riskyUser".to_owned(),
        time: updated.unwrap_or(Timestamp::UNIX_EPOCH),
        updated,
        status: alerts::status(&user.risk_state),
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: account.map(Into::into).into_iter().collect(),
        notes,
    })
}

/// Another one whenever the risk has changed.
fn alert_id(user: &str, updated: Option<Timestamp>) -> String {
    let user = user.to_ascii_lowercase();
    match updated {
        Some(at) => format!("{PREFIX}{user}_{}", at.strftime("%Y%m%dT%H%M%S%.fZ")),
        None => format!("{PREFIX}{user}"),
    }
}

fn severity(user: &RiskyUser) -> Severity {
    if alerts::is_somebodys_word(alerts::word(&user.risk_detail)) {
        return Severity::Informational;
    }
    match user.risk_level.as_deref().map(str::trim) {
        // A level here, not a missing one.
        Some("none") => Severity::Informational,
        _ => alerts::level(&user.risk_level),
    }
}

fn description(user: &RiskyUser) -> Option<String> {
    let parts = [
        ("User", alerts::word(&user.user_display_name)),
        ("at risk", alerts::word(&user.risk_level)),
        ("because", alerts::word(&user.risk_detail)),
    ];
    alerts::sentence(&parts)
}
