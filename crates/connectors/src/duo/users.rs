//! `account.enabled`: a user's status. Two of Duo's five statuses are values of the property; what the
//! others mean stands here.

use quell_connector::contract::{Instead, Obstacle};
use quell_connector::{Call, Control, Error, Kind, Observed, Reading, Receipt, Result};
use quell_model::entity::Account;
use quell_model::property::{AccountEnabled, Enablement};
use quell_model::{AssetFacts, text};
use serde_json::json;

use super::wire::User;
use super::{Duo, PROVIDER, api};

/// A user's status, as the vendor spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Signs in with a second factor.
    Active,
    /// Signs in without one.
    Bypass,
    /// May not sign in.
    Disabled,
    /// May not sign in for now: too many failures.
    LockedOut,
    /// May not sign in, and will be gone in a few days.
    PendingDeletion,
}

impl Status {
    fn of(user: &User) -> Result<Self> {
        let status = user.status.raw().unwrap_or_default().to_ascii_lowercase();
        Ok(match status.replace('_', " ").as_str() {
            "active" => Self::Active,
            "bypass" => Self::Bypass,
            "disabled" => Self::Disabled,
            "locked out" => Self::LockedOut,
            "pending deletion" => Self::PendingDeletion,
            _ => {
                let detail = format!("the user's status is `{status}`, which Quell does not know");
                return Err(Error::new(Kind::ReplyUnreadable, api::USERS_READ, detail));
            }
        })
    }

    /// A locked-out user counts as enabled: the lock may open by itself.
    const fn value(self) -> Enablement {
        match self {
            Self::Active | Self::Bypass | Self::LockedOut => Enablement::Enabled,
            Self::Disabled | Self::PendingDeletion => Enablement::Disabled,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Bypass => "bypass",
            Self::Disabled => "disabled",
            Self::LockedOut => "locked out",
            Self::PendingDeletion => "pending deletion",
        }
    }

    /// Why a person has to disable a user in this status: what Quell sets on undo is `active`.
    fn obstacle(self, user: &User) -> Option<Obstacle> {
        let name = user.username.line().unwrap_or_default();
        let text = match self {
            Self::Bypass => format!(
                "`{name}` is in bypass and signs in without a second factor; Quell could disable it but not put the bypass back. Disable it in the Duo Admin Panel."
            ),
            Self::LockedOut => format!(
                "`{name}` is locked out by Duo for now; Quell could disable it but not put the lock back. Disable it in the Duo Admin Panel."
            ),
            Self::Active | Self::Disabled | Self::PendingDeletion => return None,
        };
        Some(Obstacle {
            rule: "not-in-this-state",
            text,
            instead: Instead::Person,
        })
    }
}

impl Duo {
    /// The live record of the one user the account is. Never a guess.
    async fn user(&self, cx: &Call, account: &Account) -> Result<User> {
        let own = account.provider.as_deref().is_none_or(|p| p == PROVIDER);
        if let Some(id) = account
            .id
            .as_deref()
            .and_then(text::present)
            .filter(|_| own)
        {
            let user = api::read_user(&self.plane, cx, id).await?;
            return identified(user);
        }
        // A name is only as good as the directory it is from; a principal stands for itself.
        let name = account
            .name
            .as_deref()
            .filter(|_| own || account.domain.is_none());
        let sought = account
            .principal
            .as_deref()
            .or(name)
            .and_then(text::present);
        let Some(sought) = sought else {
            let detail = "the account has neither a user id of Duo's nor a principal to look up";
            return Err(Error::new(Kind::Unsupported, api::USERS_FIND, detail));
        };
        let mut found = api::find_users(&self.plane, cx, "username", sought).await?;
        found.retain(|user| user.goes_by(sought));
        if found.is_empty() && sought.contains('@') {
            found = api::find_users(&self.plane, cx, "email", sought).await?;
            found.retain(|user| user.receives(sought));
        }
        let several = found.len() > 1;
        match found.pop() {
            Some(user) if !several => identified(user),
            Some(_) => {
                let detail = format!("several Duo users answer to `{sought}`");
                Err(Error::new(Kind::TargetAmbiguous, api::USERS_FIND, detail))
            }
            None => {
                let detail = format!("no Duo user has the name, alias or address `{sought}`");
                Err(Error::new(Kind::TargetNotFound, api::USERS_FIND, detail))
            }
        }
    }
}

/// A user with an id; without one nothing could be done to it.
fn identified(user: User) -> Result<User> {
    if user.user_id.raw().is_some() {
        return Ok(user);
    }
    let detail = "Duo's record of the user has no id";
    Err(Error::new(Kind::ReplyUnreadable, api::USERS_READ, detail))
}

fn facts(user: &User) -> AssetFacts {
    let groups = user.groups.iter().filter_map(|group| group.name.line());
    let mut labels: std::collections::BTreeSet<String> =
        groups.map(|name| name.to_lowercase()).collect();
    if user.last_directory_sync.raw().is_some() {
        labels.insert("synchronized".to_owned());
    }
    AssetFacts {
        labels,
        ..AssetFacts::default()
    }
}

impl Control<AccountEnabled> for Duo {
    async fn read(&self, cx: &Call, account: &Account) -> Result<Observed<Enablement>> {
        let user = self.user(cx, account).await?;
        let status = Status::of(&user)?;
        Ok(Observed {
            asset: facts(&user),
            obstacle: status.obstacle(&user),
            ..Observed::of(Reading::Settled(status.value()))
        })
    }

    async fn write(&self, cx: &Call, account: &Account, want: &Enablement) -> Result<Receipt> {
        let user = self.user(cx, account).await?;
        let (status, id) = (Status::of(&user)?, user.user_id.raw().unwrap_or_default());
        let evidence = |was: Status| json!({ "user_id": id, "was": was.as_str() });
        if status.value() == *want {
            return Ok(Receipt::unchanged(evidence(status)));
        }
        if let Some(obstacle) = status.obstacle(&user) {
            return Err(Error::new(
                Kind::Unsupported,
                api::USERS_MODIFY,
                obstacle.text,
            ));
        }
        if status == Status::PendingDeletion {
            let detail = "the user is about to be deleted; restore it in the Duo Admin Panel";
            return Err(Error::new(Kind::Unsupported, api::USERS_MODIFY, detail));
        }
        let wanted = match want {
            Enablement::Disabled => Status::Disabled,
            Enablement::Enabled => Status::Active,
        };
        let changed = api::set_status(&self.plane, cx, self.signature, id, wanted.as_str()).await?;
        if Status::of(&changed)? != wanted {
            let detail = "Duo accepted the change and answered with another status";
            return Err(Error::new(Kind::MaybeApplied, api::USERS_MODIFY, detail));
        }
        Ok(Receipt::of(evidence(status)))
    }
}
