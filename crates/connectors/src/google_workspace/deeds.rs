//! `account.revoke_sessions` and `account.reset_password`.

use jiff::Timestamp;
use quell_connector::{Call, Perform, Progress, Receipt, Result, Sight};
use quell_model::entity::Account;
use quell_model::property::{ResetPassword, RevokeSessions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::users::{Deed, facts, own_id};
use super::{GoogleWorkspace, api};

/// What is kept of a deed.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    /// The user's number.
    user: String,
    /// When Google accepted it.
    at: Timestamp,
    /// The user had to choose a new password before, so that this proves nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    forced_before: bool,
}

impl Done {
    fn receipt(&self) -> Receipt {
        Receipt::of(serde_json::to_value(self).unwrap_or(Value::Null))
    }

    fn of(receipt: &Receipt) -> Option<Self> {
        Self::deserialize(&receipt.evidence).ok()
    }
}

impl GoogleWorkspace {
    async fn sight(&self, cx: &Call, account: &Account, deed: Deed) -> Result<Sight> {
        let user = self.user(cx, account).await?;
        Ok(Sight {
            asset: facts(&user),
            obstacle: self.obstacle(cx, &user, deed).await?,
        })
    }
}

impl Perform<RevokeSessions> for GoogleWorkspace {
    async fn look(&self, cx: &Call, account: &Account) -> Result<Sight> {
        self.sight(cx, account, Deed::SignOut).await
    }

    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let user = match own_id(account)? {
            Some(id) => id.to_owned(),
            None => self.user(cx, account).await?.id,
        };
        api::sign_out(&self.access.security, cx, &user).await?;
        let done = Done {
            user,
            at: cx.clock().now(),
            forced_before: false,
        };
        Ok(done.receipt())
    }

    async fn progress(&self, _: &Call, _: &Account, receipt: &Receipt) -> Result<Progress> {
        let Some(done) = Done::of(receipt) else {
            return Ok(Progress::Lost);
        };
        Ok(Progress::Unconfirmed {
            note: format!(
                "Google accepted the sign-out at {} UTC and has no way to show that sessions ended. Apps the account granted access, and app passwords, work on until somebody removes them.",
                done.at.strftime("%H:%M")
            ),
        })
    }
}

impl Perform<ResetPassword> for GoogleWorkspace {
    async fn look(&self, cx: &Call, account: &Account) -> Result<Sight> {
        self.sight(cx, account, Deed::ResetPassword).await
    }

    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let user = self.user(cx, account).await?;
        let password = cx.password().await?;
        let after = api::set_password(&self.access.users, cx, &user.id, &password).await?;
        if after.id != user.id {
            let detail = "the vendor's reply does not say what became of the user";
            return Err(api::unreadable(api::USER_PASSWORD, true, detail));
        }
        let done = Done {
            user: user.id,
            at: cx.clock().now(),
            forced_before: user.change_password_at_next_login == Some(true),
        };
        Ok(done.receipt())
    }

    async fn progress(&self, cx: &Call, _: &Account, receipt: &Receipt) -> Result<Progress> {
        let Some(done) = Done::of(receipt) else {
            return Ok(Progress::Lost);
        };
        if done.forced_before {
            let note = "Google accepted the new password. The account already had to choose one at the next sign-in, so nothing else shows it.";
            return Ok(Progress::Unconfirmed { note: note.into() });
        }
        let user = api::read_user(&self.access.users, cx, &done.user).await?;
        Ok(match user.change_password_at_next_login {
            Some(true) => Progress::Done {
                note: "The account has to choose a new password at the next sign-in.".into(),
            },
            // Not there yet, or the person has chosen one already.
            _ => Progress::Pending,
        })
    }
}
