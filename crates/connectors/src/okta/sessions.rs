//! `account.revoke_sessions`: ending sessions, and the record of it in the System Log.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::{Call, Error, Kind, Perform, Progress, Receipt, Result, Sight, call};
use quell_model::entity::Account;
use quell_model::property::RevokeSessions;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::accounts::Deed;
use super::{Okta, api};

/// How long the System Log is waited for.
const PATIENCE: Duration = Duration::from_secs(90);
/// What access tokens live for unless an administrator chose otherwise.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// What a receipt keeps.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    /// The user's id.
    pub(super) user: String,
    /// When, on our clock.
    pub(super) at: Timestamp,
    /// The vendor's time just before.
    pub(super) since: Timestamp,
    /// The vendor's id of the request.
    pub(super) request: Option<String>,
}

impl Done {
    pub(super) fn receipt(&self) -> Receipt {
        Receipt::of(serde_json::to_value(self).unwrap_or(Value::Null))
    }

    pub(super) fn read(operation: &'static str, receipt: &Receipt) -> Result<Self> {
        Self::deserialize(&receipt.evidence).map_err(|error| {
            let detail = "the receipt does not say what was done";
            Error::new(Kind::ReplyUnreadable, operation, detail).source(error)
        })
    }

    /// Whether the vendor has had long enough to show it.
    pub(super) fn is_older_than(&self, cx: &Call, patience: Duration) -> bool {
        cx.clock().now() >= call::later(self.at, patience)
    }
}

/// Until when tokens may work that nobody asks Okta about.
fn remaining(at: Timestamp) -> String {
    let until = call::later(at, TOKEN_LIFE).strftime("%H:%M UTC");
    format!(
        "An access token that an application checks by itself may work until {until}, or as long as its authorization server grants."
    )
}

impl Perform<RevokeSessions> for Okta {
    async fn look(&self, cx: &Call, account: &Account) -> Result<Sight> {
        let found = self.find(cx, account).await?;
        let (asset, obstacle) = self.look_at(cx, &found, Deed::Harmless).await?;
        Ok(Sight { asset, obstacle })
    }

    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let found = self.find(cx, account).await?;
        let reply = api::clear_sessions(&self.plane, cx, &found.id).await?;
        let done = Done {
            user: found.id,
            at: cx.clock().now(),
            since: found.at,
            request: reply.request_id,
        };
        Ok(done.receipt())
    }

    async fn progress(&self, cx: &Call, _: &Account, receipt: &Receipt) -> Result<Progress> {
        let done = Done::read(api::SESSIONS_CLEAR, receipt)?;
        let rest = remaining(done.at);
        let events = match api::session_clears(&self.plane, cx, &done.user, done.since).await {
            Err(error) if error.kind == Kind::PermissionMissing => {
                let note = format!(
                    "Okta accepted it; the System Log, which would prove it, cannot be read without `{}`. {rest}",
                    api::LOGS_READ
                );
                return Ok(Progress::Unconfirmed { note });
            }
            events => events?,
        };
        let proof = events.iter().find(|event| {
            let ended = event.outcome.result.raw();
            ended.is_none_or(|result| result == "SUCCESS" || result == "ALLOW")
        });
        Ok(match proof {
            Some(event) => {
                let when = event.published.line().unwrap_or_default();
                let note = format!("The System Log says that the sessions ended at {when}. {rest}");
                Progress::Done { note }
            }
            None if done.is_older_than(cx, PATIENCE) => {
                let note = format!("Okta accepted it, and the System Log does not show it. {rest}");
                Progress::Unconfirmed { note }
            }
            None => Progress::Pending,
        })
    }
}
