//! Status, comments and Quell's tag on alerts in the Falcon console.

use quell_connector::{AlertUpdate, BoxFuture, Call, Error, Kind, Result, WriteBack};
use quell_model::{AlertStatus, text};

use super::wire::ActionParameter;
use super::{CrowdStrike, api};

/// Tag that lets analysts find what Quell worked on.
const TAG: &str = "quell";

const fn word(status: AlertStatus) -> Option<&'static str> {
    Some(match status {
        AlertStatus::New => "new",
        AlertStatus::InProgress => "in_progress",
        AlertStatus::Closed => "closed",
        AlertStatus::Reopened => "reopened",
        AlertStatus::Unknown => return None,
    })
}

impl CrowdStrike {
    async fn update(&self, cx: &Call, id: &str, update: &AlertUpdate) -> Result<()> {
        let comment = text::block(&update.comment);
        let mut parameters = vec![ActionParameter {
            name: "add_tag",
            value: TAG,
        }];
        if let Some(status) = update.status.and_then(word) {
            parameters.push(ActionParameter {
                name: "update_status",
                value: status,
            });
        }
        if !comment.is_empty() {
            parameters.push(ActionParameter {
                name: "append_comment",
                value: &comment,
            });
        }
        let answer = api::update_alert(&self.plane, cx, id, &parameters).await?;
        if let Some(error) = answer.failure(true) {
            return Err(error);
        }
        // The vendor answers 200 for ids it does not know; only the count tells.
        let affected = answer
            .meta
            .writes
            .as_ref()
            .and_then(|writes| writes.resources_affected.0);
        match affected {
            Some(0) => {
                let detail = format!(
                    "CrowdStrike changed nothing: it knows no alert `{}`",
                    text::line(id)
                );
                Err(Error::new(Kind::TargetNotFound, api::ALERTS_UPDATE, detail)
                    .request_id(answer.reply.request_id.clone()))
            }
            Some(_) => Ok(()),
            None => Err(api::unreadable(
                &answer.reply,
                true,
                "the vendor's reply does not say what was changed",
            )),
        }
    }
}

impl WriteBack for CrowdStrike {
    fn write_back<'a>(
        &'a self,
        cx: &'a Call,
        alert: &'a str,
        update: &'a AlertUpdate,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.update(cx, alert, update))
    }
}
