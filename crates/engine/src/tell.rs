//! What people are told, in sentences, and to whom. Plain text: each channel escapes it.

use jiff::Timestamp;
use quell_model::{
    Action, ActionState, ActionType, EffectBy, Notice, NoticeKind, Outcome, Severity,
};
use quell_store::Envelope;

use crate::engine::Engine;

/// What people are told of a moment: its kind, and words of its own where the kind has none.
pub(crate) struct Telling {
    kind: NoticeKind,
    headline: Option<String>,
}

impl Telling {
    pub(crate) fn titled(kind: NoticeKind, headline: impl Into<String>) -> Self {
        Self {
            kind,
            headline: Some(headline.into()),
        }
    }
}

impl From<NoticeKind> for Telling {
    fn from(kind: NoticeKind) -> Self {
        Self {
            kind,
            headline: None,
        }
    }
}

/// The messages a change of an action gives rise to: one for each channel that tells people, and
/// one for the alert's own console.
pub(crate) fn messages(
    engine: &Engine,
    action: &Action,
    telling: &Telling,
    at: Timestamp,
) -> Vec<Envelope> {
    let kind = telling.kind;
    let rules = engine.rules();
    let mut messages = Vec::new();
    for connection in engine.connections() {
        let concerned = if rules
            .settings
            .approvals
            .escalates_to(&connection.connected.id)
        {
            escalated(action, kind)
        } else {
            kind != NoticeKind::Escalation && worth_telling(action, kind)
        };
        if concerned && connection.connected.abilities.notify.is_some() {
            messages.push(Envelope {
                channel: connection.connected.id.to_string(),
                // Filled in by the store while the incident is not known yet.
                thread: if action.state == ActionState::Proposed {
                    String::new()
                } else {
                    action.incident.to_string()
                },
                notice: notice(action, telling, at),
            });
        }
    }
    let source = engine.connection(&action.connection);
    let comments = source.is_some_and(|c| c.connected.abilities.write_back.is_some());
    if comments
        && matches!(
            kind,
            NoticeKind::Completed | NoticeKind::Failed | NoticeKind::Reverted
        )
    {
        messages.push(Envelope {
            channel: action.connection.to_string(),
            thread: action.alert.to_string(),
            notice: notice(action, telling, at),
        });
    }
    messages
}

/// Whether it concerns those who are told of escalations: of them, and of what became of those.
const fn escalated(action: &Action, kind: NoticeKind) -> bool {
    match kind {
        NoticeKind::Escalation => true,
        NoticeKind::Proposed | NoticeKind::ApprovalNeeded | NoticeKind::Reminder => false,
        _ => action.clocks.escalated.is_some(),
    }
}

/// Whether people are told at all. An alert below the severity anything is done at would only be
/// noise; it is recorded all the same.
fn worth_telling(action: &Action, kind: NoticeKind) -> bool {
    let loud = action.basis.severity >= Severity::High || action.asset.critical;
    match kind {
        NoticeKind::Proposed => {
            loud && (action.decision.outcome != Outcome::Never || action.asset.critical)
        }
        _ => true,
    }
}

/// What to say about an action.
pub(crate) fn notice(action: &Action, telling: &Telling, at: Timestamp) -> Notice {
    let Telling { kind, headline } = telling;
    let kind = *kind;
    let what = format!("{} {}", action.action.phrase(), action.target);
    let title = match kind {
        _ if let Some(headline) = headline => format!("{headline}: {what}"),
        NoticeKind::Proposed => match action.state {
            ActionState::Shadowed => format!("Shadow mode: would {what}"),
            ActionState::Manual => format!("For a person: {what}"),
            _ => format!("Not done by policy: {what}"),
        },
        NoticeKind::ApprovalNeeded => format!("Approval needed: {what}"),
        NoticeKind::Reminder => format!("Reminder: {what}"),
        NoticeKind::Escalation => format!("Escalation: {what}"),
        NoticeKind::Decided => match action.state {
            ActionState::Rejected => format!("Rejected: {what}"),
            ActionState::Expired => format!("Nobody answered in time, not done: {what}"),
            ActionState::Denied => format!("Not done by policy: {what}"),
            _ => format!("Going to {what}"),
        },
        NoticeKind::Completed => match action.effect_by {
            EffectBy::Other => format!("Already in place: {what}"),
            _ => format!("Done: {what}"),
        },
        NoticeKind::Failed => match action.state {
            ActionState::Unknown => format!("Outcome unknown, please look: {what}"),
            ActionState::Unverified => format!("Accepted but not confirmed yet: {what}"),
            ActionState::RevertFailed => format!("Could not take back: {what}"),
            _ => format!("Failed: {what}"),
        },
        NoticeKind::Reverted => format!("Taken back: {what}"),
    };
    let mut lines = vec![format!(
        "Alert: {} (severity {}, from {}).",
        action.basis.detection,
        action.basis.severity.as_str(),
        action.connection
    )];
    if !action.note.is_empty() {
        lines.push(action.note.clone());
    }
    let asks = matches!(
        kind,
        NoticeKind::ApprovalNeeded | NoticeKind::Reminder | NoticeKind::Escalation
    );
    // Whoever is asked why somebody was cut off has perhaps seen this message alone.
    let done = kind == NoticeKind::Completed && action.effect_by == EffectBy::Quell;
    if asks || done || matches!(kind, NoticeKind::Proposed | NoticeKind::Decided) {
        lines.extend(
            action
                .decision
                .reasons
                .iter()
                .map(|reason| reason.text.clone()),
        );
    }
    if asks {
        lines.push(format!("If approved: {}", action.action.impact()));
        let quorum = action.decision.quorum;
        if !quorum.is_one() {
            lines.push(format!("It needs the yes of {}.", quorum.words()));
        }
        if let Some(deadline) = action.clocks.answer_by {
            lines.push(format!(
                "Without an answer by {} nothing is done.",
                moment(deadline, at)
            ));
        }
    }
    let id = action.id;
    let answer = match kind {
        _ if asks => Some(format!("quell approve {id} --reason \"…\"")),
        NoticeKind::Completed if done && action.action.revert().is_some() => {
            Some(format!("quell revert {id} --reason \"…\""))
        }
        // Whoever may see it is asked who they are; the message itself never has it.
        NoticeKind::Completed if action.action == ActionType::ResetPassword => {
            Some(format!("quell password {id}"))
        }
        NoticeKind::Failed if action.state == ActionState::Unknown => {
            Some(format!("quell show {id}"))
        }
        _ => None,
    };
    Notice {
        kind,
        incident: Some(action.incident),
        action: Some(id),
        at,
        title,
        lines,
        answer,
        console_url: None,
    }
}

/// "14:30 UTC", with the day where it is another one.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let today = at.strftime("%F").to_string() == now.strftime("%F").to_string();
    let form = if today { "%H:%M UTC" } else { "%F %H:%M UTC" };
    at.strftime(form).to_string()
}
