//! What people are told, in sentences, and to whom. Plain text: each channel escapes it.

use jiff::Timestamp;
use quell_model::{Action, ActionState, EffectBy, Notice, NoticeKind, Outcome, Severity};
use quell_store::Envelope;

use crate::engine::Engine;

/// The messages a change of an action gives rise to: one for each channel that tells people, and
/// one for the alert's own console.
pub(crate) fn messages(
    engine: &Engine,
    action: &Action,
    kind: NoticeKind,
    at: Timestamp,
) -> Vec<Envelope> {
    let mut messages = Vec::new();
    for connection in engine.connections() {
        if connection.connected.abilities.notify.is_some() && worth_telling(action, kind) {
            messages.push(Envelope {
                channel: connection.connected.id.to_string(),
                // Filled in by the store while the incident is not known yet.
                thread: if action.state == ActionState::Proposed {
                    String::new()
                } else {
                    action.incident.to_string()
                },
                notice: notice(action, kind, at),
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
            notice: notice(action, kind, at),
        });
    }
    messages
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
pub(crate) fn notice(action: &Action, kind: NoticeKind, at: Timestamp) -> Notice {
    let what = format!("{} {}", action.action.phrase(), action.target);
    let title = match kind {
        NoticeKind::Proposed => match action.state {
            ActionState::Shadowed => format!("Shadow mode: would {what}"),
            ActionState::Manual => format!("For a person: {what}"),
            _ => format!("Not done by policy: {what}"),
        },
        NoticeKind::ApprovalNeeded => format!("Approval needed: {what}"),
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
    if matches!(
        kind,
        NoticeKind::Proposed | NoticeKind::ApprovalNeeded | NoticeKind::Decided
    ) {
        lines.extend(
            action
                .decision
                .reasons
                .iter()
                .map(|reason| reason.text.clone()),
        );
    }
    if kind == NoticeKind::ApprovalNeeded {
        lines.push(format!("If approved: {}", action.action.impact()));
    }
    let id = action.id;
    let answer = match kind {
        NoticeKind::ApprovalNeeded => Some(format!("quell approve {id} --reason \"…\"")),
        NoticeKind::Completed
            if action.effect_by == EffectBy::Quell && action.action.revert().is_some() =>
        {
            Some(format!("quell revert {id} --reason \"…\""))
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
