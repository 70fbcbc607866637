//! `account.reset_password`: a temporary password that Okta makes up, to be changed at the next
//! sign-in.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::{
    Call, Error, Instead, Kind, Obstacle, Perform, Progress, Receipt, Result, Sight,
};
use quell_model::entity::Account;
use quell_model::property::ResetPassword;

use super::accounts::{Deed, Found, Life, Source, obstacle, source};
use super::sessions::Done;
use super::{Okta, api};

/// How long the new state is waited for.
const PATIENCE: Duration = Duration::from_secs(45);

/// Why this user's password is not to be reset here, from the record alone.
fn not_here(found: &Found) -> Result<Option<Obstacle>> {
    let person = |rule, text: String| Some(obstacle(rule, text, Instead::Person));
    let provider = &found.user.credentials.provider;
    let name = provider.name.line().unwrap_or_default();
    let elsewhere = match source(&found.user) {
        Source::Okta => None,
        Source::Directory => {
            let text = format!("The password belongs to Active Directory (`{name}`).");
            let target = Account {
                principal: found.user.profile.login.line(),
                domain: provider.name.line(),
                provider: Some("active_directory".to_owned()),
                ..Account::default()
            };
            let instead = Instead::Other {
                connector: "active-directory",
                target: Box::new(target.into()),
            };
            Some(obstacle("synchronized-account", text, instead))
        }
        Source::Ldap => {
            let text =
                format!("The password belongs to the LDAP directory `{name}`; reset it there.");
            person("synchronized-account", text)
        }
        Source::Elsewhere => {
            let kind = provider
                .r#type
                .line()
                .unwrap_or_else(|| "nobody known".to_owned());
            let text =
                format!("The password is not Okta's: the user's provider is {kind} (`{name}`).");
            person("federated-password", text)
        }
    };
    if elsewhere.is_some() {
        return Ok(elsewhere);
    }
    let status = found.status();
    Ok(match (found.life()?, status) {
        (Life::Suspended, _) => person(
            "not-in-this-state",
            "The user is suspended, and Okta resets no suspended user's password; unsuspend first."
                .to_owned(),
        ),
        (Life::Outside, _) | (_, "PROVISIONED") => person(
            "not-in-this-state",
            format!("The user is {status} and has no password to reset."),
        ),
        (Life::Active | Life::Between, _) => None,
    })
}

impl Perform<ResetPassword> for Okta {
    async fn look(&self, cx: &Call, account: &Account) -> Result<Sight> {
        let found = self.find(cx, account).await?;
        let (asset, common) = self.look_at(cx, &found, Deed::ShutsOut).await?;
        let obstacle = match common {
            Some(obstacle) => Some(obstacle),
            None => not_here(&found)?,
        };
        Ok(Sight { asset, obstacle })
    }

    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let found = self.find(cx, account).await?;
        // What has changed since the look: Okta would expire a password in Active Directory too.
        if let Some(obstacle) = not_here(&found)? {
            return Err(Error::new(
                Kind::Unsupported,
                api::PASSWORD_REPLACE,
                obstacle.text,
            ));
        }
        let (password, request) = api::replace_password(&self.plane, cx, &found.id).await?;
        let done = Done {
            user: found.id,
            at: cx.clock().now(),
            since: found.at,
            request,
        };
        cx.keep_password(&password).await.map_err(|error| {
            let detail = "the password was replaced, and the temporary one could not be kept: reset it once more in the Okta console";
            Error::new(Kind::MaybeApplied, api::PASSWORD_REPLACE, detail)
                .request_id(done.request.clone())
                .source(error)
        })?;
        Ok(done.receipt())
    }

    async fn progress(&self, cx: &Call, _: &Account, receipt: &Receipt) -> Result<Progress> {
        let done = Done::read(api::PASSWORD_REPLACE, receipt)?;
        let (user, _) = api::read_user(&self.plane, cx, &done.user).await?;
        let status = user.status.line().unwrap_or_else(|| "unknown".to_owned());
        if status == "PASSWORD_EXPIRED" {
            let note = "The user has to set a new password at the next sign-in.".to_owned();
            return Ok(Progress::Done { note });
        }
        // The record may lag, so a user who is active is only then one who was quick.
        if !done.is_older_than(cx, PATIENCE) {
            return Ok(Progress::Pending);
        }
        let changed = user
            .password_changed
            .raw()
            .and_then(|text| text.parse::<Timestamp>().ok());
        Ok(
            if status == "ACTIVE" && changed.is_some_and(|changed| changed > done.since) {
                let note =
                    "The password was replaced, and the user has set a new one since.".to_owned();
                Progress::Done { note }
            } else {
                let note = format!("Okta accepted it, and the user is {status} now.");
                Progress::Unconfirmed { note }
            },
        )
    }
}
