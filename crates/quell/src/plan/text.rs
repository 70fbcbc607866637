//! A plan as a person reads it.

use anstyle::Style;
use quell_model::{AlertStatus, Entity, Outcome, Severity};

use super::view::{ActionView, AlertView, PlanView};
use crate::output::{
    BAD, BUSY, Columns, GOOD, PLAIN, QUIET, STRONG, WAITS, WIDTH, reasoned, shorten, styled,
    wrapped,
};

/// The whole plan.
pub(crate) fn text(plan: &PlanView, vendor: &str) -> String {
    let mut out = String::new();
    let alerts = match plan.alerts.len() {
        0 => "no alerts".to_owned(),
        1 => "1 alert".to_owned(),
        many => format!("{many} alerts"),
    };
    let policy = plan
        .policy
        .config
        .as_deref()
        .unwrap_or("the rules that ship with Quell");
    out.push_str(&format!("{alerts} from {vendor}, decided by {policy}\n"));
    let text = "What nobody opted in to is decided and recorded like this, and not done.";
    out.push_str(&styled(QUIET, wrapped(text, "").trim_end()));
    out.push('\n');
    for alert in &plan.alerts {
        out.push('\n');
        describe(alert, plan, &mut out);
    }
    out
}

fn describe(alert: &AlertView, plan: &PlanView, out: &mut String) {
    let severity = alert.severity.as_str().to_uppercase();
    let title = shorten(&alert.title, WIDTH - severity.len() - 2);
    out.push_str(&format!(
        "{}  {}\n",
        styled(severity_style(alert.severity), &severity),
        styled(STRONG, &title)
    ));
    let mut facts = vec![alert.kind.as_str().replace('_', " ")];
    facts.extend(
        alert
            .confidence
            .map(|confidence| format!("confidence {confidence}")),
    );
    facts.push(
        format!("{:.0}", alert.time)
            .replace('T', " ")
            .replace('Z', " UTC"),
    );
    let status = match alert.status {
        AlertStatus::New => Some("new"),
        AlertStatus::InProgress => Some("in progress"),
        AlertStatus::Closed => Some("closed"),
        AlertStatus::Reopened => Some("reopened"),
        AlertStatus::Unknown => None,
    };
    facts.extend(status.map(str::to_owned));
    facts.extend(
        alert
            .techniques
            .iter()
            .map(|technique| match &technique.name {
                Some(name) => format!("{} {name}", technique.id),
                None => technique.id.clone(),
            }),
    );
    out.push_str(&wrapped(&facts.join(" · "), "  "));
    if let Some(url) = &alert.console_url {
        out.push_str(&format!("  {}\n", styled(QUIET, url)));
    }
    out.push('\n');
    let mut entities = Columns::default();
    for entity in &alert.entities {
        entities.row([
            (QUIET, entity.entity_type().words().to_owned()),
            (PLAIN, shorten(&entity.to_string(), 60)),
            (QUIET, shorten(&details(entity), 60)),
        ]);
    }
    out.push_str(&entities.lines("  "));
    for note in &alert.notes {
        let text = format!("{}: {}", note.field, note.text);
        out.push_str(&styled(WAITS, wrapped(&text, "  note: ").trim_end()));
        out.push('\n');
    }
    if !alert.entities.is_empty() || !alert.notes.is_empty() {
        out.push('\n');
    }
    let actions: Vec<_> = plan
        .actions
        .iter()
        .filter(|action| action.alert == alert.id)
        .collect();
    for action in &actions {
        decided(action, out);
    }
    let skipped: Vec<_> = plan
        .skipped
        .iter()
        .filter(|skipped| skipped.alert == alert.id)
        .collect();
    for skipped in &skipped {
        let text = format!("{}  {}", styled(QUIET, "skip  "), skipped.action.phrase());
        out.push_str(&format!("  {text}\n"));
        out.push_str(&reasoned(&skipped.reason, "          "));
    }
    if let Some(reason) = &alert.nothing_proposed {
        out.push_str(&reasoned(reason, "  "));
    } else if actions.is_empty() && skipped.is_empty() {
        out.push_str("  Nothing is proposed.\n");
    }
}

fn decided(action: &ActionView, out: &mut String) {
    let (style, word) = outcome(action.decision);
    let what = format!("{} {}", action.action.phrase(), action.target_name);
    out.push_str(&format!(
        "  {}  {}\n",
        styled(style, &format!("{word:<6}")),
        shorten(&what, 70)
    ));
    for reason in &action.reasons {
        out.push_str(&reasoned(reason, "          "));
    }
}

/// The word for an outcome and its colour.
pub(crate) const fn outcome(outcome: Outcome) -> (Style, &'static str) {
    match outcome {
        Outcome::Auto => (GOOD, "auto"),
        Outcome::Ask => (WAITS, "ask"),
        Outcome::Manual => (BUSY, "manual"),
        Outcome::Never => (BAD, "never"),
    }
}

/// The colour of a severity.
pub(crate) const fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Critical | Severity::High => BAD,
        Severity::Medium => WAITS,
        Severity::Low | Severity::Informational => QUIET,
    }
}

/// What else there is to say of an entity, short.
fn details(entity: &Entity) -> String {
    let mut parts: Vec<String> = Vec::new();
    match entity {
        Entity::Host(host) => {
            parts.push(host.class.words().to_owned());
            parts.extend(host.os_version.clone().or_else(|| host.platform.clone()));
            if host.id.is_none() {
                parts.push("no device id".to_owned());
            }
        }
        Entity::Process(process) => {
            parts.push(format!("{:?}", process.role).to_lowercase());
            parts.extend(process.user.clone());
            parts.extend(process.command_line.clone());
        }
        Entity::File(file) => {
            parts.extend(file.path.clone());
            if file.quarantined {
                parts.push("in the vendor's quarantine".to_owned());
            }
        }
        Entity::Account(account) => {
            parts.extend(account.id.clone());
            parts.extend(account.provider.clone());
        }
        Entity::CloudInstance(instance) => {
            parts.extend(instance.provider.clone());
            parts.extend(instance.region.clone());
        }
        Entity::AccessKey(key) => {
            parts.extend(key.provider.clone());
            parts.extend(key.user.clone());
        }
        Entity::NetworkIndicator(_)
        | Entity::Sender(_)
        | Entity::EmailMessage(_)
        | Entity::InboxRule(_) => {}
    }
    parts.join(" · ")
}
