//! Sending what is in the outbox. A channel that is down delays its own messages and nothing else.

use std::collections::BTreeSet;

use quell_connector::{AlertUpdate, Connected, Verdict};
use quell_model::{ActionId, ActionState, AlertStatus, Notice, NoticeKind};
use quell_store::{Job, Result};
use tracing::{error, warn};

use crate::engine::Engine;
use crate::pace;

/// Messages in one send; the rest follows in the next.
const TOGETHER: usize = 20;

impl Engine {
    /// A `send` job: everything that waits for one channel and thread, as one message.
    pub(crate) async fn send(&self, job: &Job) -> Result<()> {
        let Some((channel, thread, dispatch)) =
            self.0.store.dispatch(&job.subject, TOGETHER).await?
        else {
            return self.0.store.finish(job.claim.clone()).await;
        };
        let connected = channel
            .parse()
            .ok()
            .and_then(|id| self.connection(&id))
            .map(|c| c.connected.clone());
        let sent = match &connected {
            _ if dispatch.notices.is_empty() => Ok(()),
            Some(connected) => {
                self.deliver(connected, &thread, &dispatch.key(), &dispatch.notices)
                    .await
            }
            None => {
                warn!(
                    channel,
                    "messages are dropped: the channel is no longer configured"
                );
                Ok(())
            }
        };
        let outcome = match sent {
            Ok(()) => "sent",
            Err(error) if error.kind.passes() && job.attempts < pace::SENDS => {
                warn!(
                    channel,
                    error = &error as &dyn std::error::Error,
                    "messages are sent later"
                );
                let due = quell_connector::call::later(
                    self.now(),
                    pace::resend(job.attempts, error.retry_after),
                );
                return self.postpone(job, due).await;
            }
            Err(error) => {
                error!(
                    channel,
                    error = &error as &dyn std::error::Error,
                    "messages could not be sent"
                );
                "given_up"
            }
        };
        metrics::counter!("quell_messages_total", "channel" => channel, "outcome" => outcome)
            .increment(u64::try_from(dispatch.notices.len()).unwrap_or(0));
        self.0
            .store
            .dispatched(job.claim.clone(), &job.subject, dispatch, self.now())
            .await
    }

    async fn deliver(
        &self,
        connected: &Connected,
        thread: &str,
        key: &str,
        notices: &[Notice],
    ) -> quell_connector::Result<()> {
        let cx = self.call(thread);
        if let Some(notify) = &connected.abilities.notify {
            return notify
                .notify(&cx, &format!("{thread}.{key}"), notices)
                .await;
        }
        let Some(write_back) = &connected.abilities.write_back else {
            return Ok(());
        };
        let Some(action) = notices.iter().find_map(|notice| notice.action) else {
            return Ok(());
        };
        let alerts = self.0.store.alerts_of(action).await.unwrap_or_default();
        let update = AlertUpdate {
            status: status(notices),
            comment: comment(notices),
            verdict: self.verdict(action).await,
        };
        let mut told = BTreeSet::new();
        // The alerts that joined the action are told as well: each stands for itself in the console.
        for record in alerts
            .iter()
            .filter(|record| record.connection == connected.id)
        {
            // A person's answer is told on the page of what they were asked about.
            if let Ok(id) = self.vendors_id(&record.alert).await
                && told.insert(id.clone())
            {
                write_back.write_back(&cx, &id, &update).await?;
            }
        }
        Ok(())
    }
}

impl Engine {
    /// What the alerts behind an action turned out to be, as far as what became of it says so.
    async fn verdict(&self, action: ActionId) -> Option<Verdict> {
        let stored = self.0.store.action(self.organization(), action).await;
        match stored.ok()?.action.state {
            ActionState::Completed => Some(Verdict::Compromised),
            ActionState::Rejected | ActionState::Reverted => Some(Verdict::Benign),
            _ => None,
        }
    }
}

/// An alert Quell acted on is in somebody's hands; closing it is a person's decision.
fn status(notices: &[Notice]) -> Option<AlertStatus> {
    let acted = notices
        .iter()
        .any(|notice| notice.kind == NoticeKind::Completed);
    acted.then_some(AlertStatus::InProgress)
}

fn comment(notices: &[Notice]) -> String {
    let mut lines = Vec::new();
    for notice in notices {
        let action = notice.action.map(|id| format!(" ({id})"));
        lines.push(format!(
            "Quell: {}{}",
            notice.title,
            action.unwrap_or_default()
        ));
        // The first is about the alert, on whose page this stands.
        lines.extend(notice.lines.iter().skip(1).cloned());
        let back = notice.kind == NoticeKind::Completed;
        lines.extend(
            notice
                .answer
                .iter()
                .filter(|_| back)
                .map(|answer| format!("To take it back: {answer}")),
        );
    }
    lines.join("\n")
}
