//! Alerts from what GitHub writes: security alerts, pushed or listed, and events of the audit log.
//!
//! The value of a leaked secret never gets this far: a document that holds one is refused.

use std::net::IpAddr;

use jiff::Timestamp;
use quell_connector::{DocumentError, Vendor, document};
use quell_model::alert::{Note, Prevention};
use quell_model::entity::{Account, Entity, IndicatorKind, NetworkIndicator};
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Severity, text};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{GitHub, PROVIDER};
use crate::lenient::{Flag, Number, Text, or_default};

/// What tells the kinds of document apart.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an event (a JSON object)")]
struct Shape {
    alert: Option<IgnoredAny>,
    number: Text,
    #[serde(rename = "_document_id")]
    document_id: Text,
    membership: Option<IgnoredAny>,
    member: Option<IgnoredAny>,
    blocked_user: Option<IgnoredAny>,
}

/// A webhook about a security alert. Its sender only triggered it, and is nobody's suspect.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an event (a JSON object)")]
struct Pushed {
    action: Text,
    #[serde(deserialize_with = "or_default")]
    alert: Finding,
    #[serde(deserialize_with = "or_default")]
    repository: Repository,
}

/// A security alert of any of the three kinds.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an alert (a JSON object)")]
struct Finding {
    number: Text,
    state: Text,
    created_at: Text,
    updated_at: Text,
    html_url: Text,
    resolution: Text,
    resolved_at: Text,
    #[serde(deserialize_with = "or_default")]
    repository: Repository,
    secret_type: Text,
    secret_type_display_name: Text,
    secret: Text,
    validity: Text,
    publicly_leaked: Flag,
    #[serde(deserialize_with = "or_default")]
    push_protection_bypassed_by: User,
    rule: Option<Rule>,
    security_advisory: Option<Advisory>,
    #[serde(deserialize_with = "or_default")]
    security_vulnerability: Advisory,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a rule (a JSON object)")]
struct Rule {
    id: Text,
    description: Text,
    severity: Text,
    security_severity_level: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "an advisory (a JSON object)")]
struct Advisory {
    ghsa_id: Text,
    summary: Text,
    severity: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a repository (a JSON object)")]
struct Repository {
    full_name: Text,
    pushed_at: Text,
    updated_at: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a user (a JSON object)")]
struct User {
    login: Text,
    id: Text,
}

/// An event of the audit log.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "an event (a JSON object)")]
struct Audited {
    #[serde(rename = "_document_id")]
    document_id: Text,
    #[serde(rename = "@timestamp")]
    timestamp: Number,
    action: Text,
    actor: Text,
    actor_id: Text,
    actor_ip: Text,
    user: Text,
    user_id: Text,
    org: Text,
    repo: Text,
}

/// Reads one event.
///
/// # Errors
/// With the JSON path of what is missing or does not fit.
pub fn normalise(json: &RawValue) -> Result<Alert, DocumentError> {
    let shape: Shape = document::read(json)?;
    if shape.alert.is_some() {
        let pushed: Pushed = document::read(json)?;
        return finding("$.alert", &pushed.alert, &pushed.repository, &pushed.action);
    }
    if shape.document_id.raw().is_some() {
        return audited(&document::read(json)?);
    }
    if shape.number.raw().is_some() {
        let listed: Finding = document::read(json)?;
        return finding("$", &listed, &listed.repository, &Text::default());
    }
    for (member, is_there) in [
        ("membership", shape.membership.is_some()),
        ("member", shape.member.is_some()),
        ("blocked_user", shape.blocked_user.is_some()),
    ] {
        if is_there {
            return Err(DocumentError::new(
                format!("$.{member}"),
                "a webhook about members does not say when it happened; the audit log does",
            ));
        }
    }
    Err(DocumentError::missing(
        "$.alert",
        "missing; neither a security alert nor an event of the audit log",
    ))
}

/// What a security alert is about.
struct Subject {
    /// Part of its address, which tells alerts of the three kinds with one number apart.
    kind: &'static str,
    alert: AlertKind,
    severity: Severity,
    title: String,
    detection: String,
}

fn finding(
    path: &str,
    found: &Finding,
    repository: &Repository,
    action: &Text,
) -> Result<Alert, DocumentError> {
    if found
        .secret
        .raw()
        .is_some_and(|secret| !secret.bytes().all(|b| b == b'*'))
    {
        let problem =
            "is the leaked secret itself, which Quell does not keep; ask with `hide_secret=true`";
        return Err(DocumentError::new(format!("{path}.secret"), problem));
    }
    let number = identifier(&format!("{path}.number"), &found.number)?;
    let name = identifier("$.repository.full_name", &repository.full_name)?;
    let subject = subject(path, found, &name)?;
    let mut draft = Draft::default();
    let time = when(path, found, repository, &mut draft)?;
    draft.account(
        &found.push_protection_bypassed_by.login,
        &found.push_protection_bypassed_by.id,
    );
    if subject.alert == AlertKind::IdentityActivity && draft.entities.is_empty() {
        let said = "The alert does not say who leaked the secret; its locations at GitHub name the commits.";
        draft.note("alert", said);
    }
    let owner = name.split('/').next().unwrap_or_default();
    Ok(Alert {
        title: text::line(&subject.title),
        severity: subject.severity,
        kind: subject.alert,
        detection: subject.detection,
        time,
        updated: moment(&found.updated_at),
        status: status(found, action),
        console_url: console_url(&found.html_url),
        tenant: Some(owner.to_owned()),
        ..draft.alert(format!("{name}/{}/{number}", subject.kind))
    })
}

fn subject(path: &str, found: &Finding, repository: &str) -> Result<Subject, DocumentError> {
    if let Some(kind) = found.secret_type.line() {
        let named = found
            .secret_type_display_name
            .line()
            .unwrap_or_else(|| kind.clone());
        let public = if found.publicly_leaked.is_set() {
            " in public"
        } else {
            ""
        };
        let validity = found
            .validity
            .raw()
            .unwrap_or_default()
            .to_ascii_lowercase();
        return Ok(Subject {
            kind: "secret-scanning",
            alert: AlertKind::IdentityActivity,
            severity: match validity.as_str() {
                _ if found.publicly_leaked.is_set() => Severity::High,
                "active" => Severity::High,
                "inactive" => Severity::Low,
                _ => Severity::Medium,
            },
            title: format!("{named} leaked{public} in {repository}"),
            detection: format!("Leaked secret {kind}"),
        });
    }
    if let Some(rule) = &found.rule {
        let id = rule.id.line().unwrap_or_else(|| "unnamed rule".to_owned());
        let what = rule.description.line().unwrap_or_else(|| id.clone());
        // Listed alerts have a level of their own; webhooks only say how grave a mistake the rule finds.
        let level = rule
            .security_severity_level
            .raw()
            .or_else(|| rule.severity.raw());
        return Ok(Subject {
            kind: "code-scanning",
            alert: AlertKind::Other,
            severity: severity(level),
            title: format!("{what} in {repository}"),
            detection: format!("Code scanning {id}"),
        });
    }
    if let Some(advisory) = &found.security_advisory {
        let level = found
            .security_vulnerability
            .severity
            .raw()
            .or_else(|| advisory.severity.raw());
        let id = advisory
            .ghsa_id
            .line()
            .unwrap_or_else(|| "unnamed advisory".to_owned());
        let what = advisory.summary.line().unwrap_or_else(|| id.clone());
        return Ok(Subject {
            kind: "dependabot",
            alert: AlertKind::Other,
            severity: severity(level),
            title: format!("{what} in {repository}"),
            detection: format!("Dependabot {id}"),
        });
    }
    Err(DocumentError::missing(
        format!("{path}.secret_type"),
        "missing, and so are `rule` and `security_advisory`; an alert of a kind Quell does not know",
    ))
}

fn when(
    path: &str,
    found: &Finding,
    repository: &Repository,
    draft: &mut Draft,
) -> Result<Timestamp, DocumentError> {
    if let Some(time) = moment(&found.created_at).or_else(|| moment(&found.updated_at)) {
        return Ok(time);
    }
    // Servers of some years ago leave the alert's own times out.
    if let Some(time) = moment(&repository.pushed_at).or_else(|| moment(&repository.updated_at)) {
        draft.note(
            "alert.created_at",
            "Missing; the repository's last change is taken for it.",
        );
        return Ok(time);
    }
    let problem = "missing, and nothing else says when it happened";
    Err(DocumentError::missing(
        format!("{path}.created_at"),
        problem,
    ))
}

fn audited(event: &Audited) -> Result<Alert, DocumentError> {
    let id = identifier("$._document_id", &event.document_id)?;
    let milliseconds = event.timestamp.0.filter(|count| *count > 0);
    let time = milliseconds
        .and_then(|count| Timestamp::from_millisecond(count).ok())
        .ok_or_else(|| DocumentError::missing("$.@timestamp", "missing, or no time"))?;
    let action = event
        .action
        .line()
        .unwrap_or_else(|| "an unnamed action".to_owned());
    let actor = event.actor.line().unwrap_or_else(|| "somebody".to_owned());
    let place = event.repo.line().or_else(|| event.org.line());
    let about = [event.user.line(), place.map(|place| format!("in {place}"))];
    let about: Vec<String> = about.into_iter().flatten().collect();
    let mut draft = Draft::default();
    draft.account(&event.user, &event.user_id);
    draft.account(&event.actor, &event.actor_id);
    draft.ip("actor_ip", &event.actor_ip);
    Ok(Alert {
        title: text::line(format!("{actor}: {action} {}", about.join(" ")).trim()),
        severity: Severity::Informational,
        kind: AlertKind::IdentityActivity,
        detection: text::line(&format!("Audit log {action}")),
        time,
        status: AlertStatus::Unknown,
        tenant: event.org.line(),
        ..draft.alert(id)
    })
}

/// The vendor's levels, and the ones that linters use.
fn severity(level: Option<&str>) -> Severity {
    match level.unwrap_or_default().to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "high" | "error" => Severity::High,
        "low" | "note" => Severity::Low,
        "none" => Severity::Informational,
        _ => Severity::Medium,
    }
}

/// Where the alert stands. Webhooks about secrets have no `state`, only what resolved them.
fn status(found: &Finding, action: &Text) -> AlertStatus {
    let word = |text: &Text| text.raw().unwrap_or_default().to_ascii_lowercase();
    let (state, action) = (word(&found.state), word(action));
    let resolved = found.resolution.raw().is_some() || found.resolved_at.raw().is_some();
    match state.as_str() {
        "resolved" | "fixed" | "dismissed" | "auto_dismissed" | "closed" => AlertStatus::Closed,
        "" if resolved => AlertStatus::Closed,
        "open" | "" if action.contains("reopened") || action == "reintroduced" => {
            AlertStatus::Reopened
        }
        "open" | "" => AlertStatus::New,
        _ => AlertStatus::Unknown,
    }
}

fn moment(given: &Text) -> Option<Timestamp> {
    given.raw()?.parse().ok()
}

/// An id as the vendor wrote it. One that had to be cleaned would name something else.
fn identifier(path: &str, given: &Text) -> Result<String, DocumentError> {
    match given.raw() {
        None => Err(DocumentError::missing(
            path,
            "missing; without it the alert cannot be told from others",
        )),
        Some(id) if text::line(id) == id => Ok(id.to_owned()),
        Some(_) => Err(DocumentError::new(
            path,
            "is no id: too long, or with control characters",
        )),
    }
}

/// An address at GitHub, if it can be linked to without harm.
fn console_url(link: &Text) -> Option<String> {
    link.line().filter(|link| {
        link.starts_with("https://")
            && !link.contains(|c: char| c.is_whitespace() || "\"'<>\\`…".contains(c))
    })
}

/// Entities and notes found so far.
#[derive(Default)]
struct Draft {
    entities: Vec<Entity>,
    notes: Vec<Note>,
}

impl Draft {
    fn account(&mut self, login: &Text, id: &Text) {
        let account = Account {
            id: id.line(),
            name: login.line(),
            provider: Some(PROVIDER.to_owned()),
            ..Account::default()
        };
        let entity = Entity::from(account);
        if entity.key().is_some() && !self.entities.contains(&entity) {
            self.entities.push(entity);
        }
    }

    fn ip(&mut self, field: &str, address: &Text) {
        let Some(given) = address.raw() else { return };
        match given.parse::<IpAddr>() {
            Ok(ip) if !ip.is_unspecified() => self.entities.push(
                NetworkIndicator {
                    kind: IndicatorKind::Ip,
                    value: ip.to_string(),
                }
                .into(),
            ),
            _ => {
                let given = text::line(given);
                self.note(
                    field,
                    &format!("`{given}` is not an address that could be blocked."),
                );
            }
        }
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
            source: GitHub::ID.to_owned(),
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
