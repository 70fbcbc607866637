//! Telling Identity Protection what a detection turned out to be.

use quell_connector::ability::{AlertUpdate, Verdict, WriteBack};
use quell_connector::{BoxFuture, Call, Error, Kind, Result};

use super::users::is_object_id;
use super::wire::DetectionStamp;
use super::{EntraId, api, risky_users};

impl EntraId {
    /// The vendor takes a verdict about a user, not about a detection, and neither status nor comment.
    async fn judge(&self, cx: &Call, id: &str, update: &AlertUpdate) -> Result<()> {
        let (action, settled) = match update.verdict {
            Some(Verdict::Compromised) => ("confirmCompromised", "confirmedCompromised"),
            Some(Verdict::Benign) => ("dismiss", "dismissed"),
            None => return Ok(()),
        };
        let risky = risky_users::user_in(id);
        let (list, id) = match risky {
            Some(user) => (api::RISKY_USERS, user),
            None => (api::RISK_DETECTIONS, id),
        };
        let found: DetectionStamp = list.one(&self.plane, cx, id).await?.json()?;
        let state = found.risk_state.unwrap_or_default();
        // What somebody has decided meanwhile is not overruled.
        if state == settled || !matches!(state.as_str(), "atRisk" | "confirmedCompromised") {
            return Ok(());
        }
        let user = risky.map(str::to_owned).or(found.user_id);
        let user = user.filter(|user| is_object_id(user));
        let user = user.ok_or_else(|| {
            let detail = "the detection names no user";
            Error::new(Kind::Unsupported, api::RISK_DECIDE, detail)
        })?;
        api::decide_risk(&self.plane, cx, action, &user).await
    }
}

impl WriteBack for EntraId {
    fn write_back<'a>(
        &'a self,
        cx: &'a Call,
        alert: &'a str,
        update: &'a AlertUpdate,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.judge(cx, alert, update))
    }
}
