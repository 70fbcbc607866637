//! Feedback on alerts of the Alert Center: its only answer that is not an edit of somebody's work.

use quell_connector::{AlertUpdate, BoxFuture, Call, Result, Verdict, WriteBack};

use super::{GoogleWorkspace, alerts, api};

impl WriteBack for GoogleWorkspace {
    fn write_back<'a>(
        &'a self,
        cx: &'a Call,
        alert: &'a str,
        update: &'a AlertUpdate,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let kind = match update.verdict {
                Some(Verdict::Compromised) => "VERY_USEFUL",
                Some(Verdict::Benign) => "NOT_USEFUL",
                None => return Ok(()),
            };
            // Audit events take no feedback.
            if !alerts::is_alert_id(alert) {
                return Ok(());
            }
            api::give_feedback(&self.access.alerts, cx, alert, kind).await
        })
    }
}
