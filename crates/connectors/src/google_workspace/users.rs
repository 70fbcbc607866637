//! `account.enabled`, and who an account is: the live record, and what stands in the way of acting on it.

use quell_connector::{
    Call, Control, Error, Instead, Kind, Observed, Obstacle, Reading, Receipt, Result,
};
use quell_model::entity::Account;
use quell_model::property::{AccountEnabled, Enablement};
use quell_model::{AssetFacts, text};
use serde_json::json;

use super::{GoogleWorkspace, PROVIDER, api, wire};

/// Whether a text can be an address that may stand in a path.
pub(super) fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "!#$&'*+-=^_`{|}~.".contains(c);
    let (local, domain) = text.split_once('@').unwrap_or_default();
    let is_domain = |domain: &str| {
        domain
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.'))
    };
    text.len() <= 320
        && !local.is_empty()
        && !domain.is_empty()
        && local.chars().all(plain)
        && is_domain(domain)
}

/// Whether a text can be one of Google's numbers for users.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number an account certainly has: only what says that it is Google's is believed.
pub(super) fn own_id(account: &Account) -> Result<Option<&str>> {
    let ours = account.provider.as_deref() == Some(PROVIDER);
    match account.id.as_deref().and_then(text::present) {
        Some(id) if ours && is_id(id) => Ok(Some(id)),
        Some(id) if ours => Err(unknown(id)),
        _ => Ok(None),
    }
}

fn unknown(who: &str) -> Error {
    let detail = format!("Google Workspace has no user `{}`", text::line(who));
    Error::new(Kind::TargetNotFound, api::USER_READ, detail)
}

/// What is about to be done to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Suspend,
    SignOut,
    ResetPassword,
}

impl GoogleWorkspace {
    /// The live record of an account.
    pub(super) async fn user(&self, cx: &Call, account: &Account) -> Result<wire::User> {
        let address = account.principal.as_deref().and_then(text::present);
        let mut given = own_id(account)?;
        // A number that nobody says is Google's counts only together with an address it agrees with.
        let doubted = given.is_none() && account.provider.is_none();
        let id = account.id.as_deref().and_then(text::present);
        if let Some(id) = id.filter(|id| doubted && is_id(id)) {
            given = Some(id);
        }
        let user = match (given, address) {
            (Some(id), _) => api::read_user(&self.access.users, cx, id).await?,
            (None, Some(address)) if is_address(address) => {
                let user = api::read_user(&self.access.users, cx, address).await?;
                if !user.answers_to(address) {
                    return Err(unknown(address));
                }
                user
            }
            (None, Some(address)) => return Err(unknown(address)),
            (None, None) => {
                let detail = "the account has neither a Google id nor an address";
                return Err(Error::new(Kind::Unsupported, api::USER_READ, detail));
            }
        };
        if let Some(address) = address
            && doubted
            && !user.answers_to(address)
        {
            let detail = "the account's id and its address are two users' in Google Workspace";
            return Err(Error::new(Kind::TargetAmbiguous, api::USER_READ, detail));
        }
        if !is_id(&user.id) {
            let detail = "the vendor's reply names no user";
            return Err(api::unreadable(api::USER_READ, false, detail));
        }
        Ok(user)
    }

    /// What stands in the way of doing that to this user.
    pub(super) async fn obstacle(
        &self,
        cx: &Call,
        user: &wire::User,
        deed: Deed,
    ) -> Result<Option<Obstacle>> {
        let name = text::line(&user.primary_email);
        let found = |rule, text, instead| {
            Ok(Some(Obstacle {
                rule,
                text,
                instead,
            }))
        };
        if user.answers_to(&self.admin) {
            let text = format!("Quell acts as `{name}` itself.");
            return found("own-account", text, Instead::Nothing);
        }
        // What is already so needs no more questions; it is read again and again while it settles.
        if deed == Deed::Suspend && user.is_locked() {
            return Ok(None);
        }
        if user.is_guest_user && deed == Deed::ResetPassword {
            let text = format!("`{name}` is a guest; the password is not this organization's.");
            return found("guest-account", text, Instead::Person);
        }
        if user.is_admin || user.is_delegated_admin {
            let own = api::read_user(&self.access.users, cx, &self.admin).await?;
            if !own.is_admin {
                let text = format!(
                    "`{name}` is an administrator, and `{}` is no super administrator.",
                    self.admin
                );
                return found("above-quell", text, Instead::Person);
            }
        }
        let locks_out = matches!(deed, Deed::Suspend | Deed::ResetPassword);
        if user.is_admin && locks_out && !user.is_locked() && !self.has_other(cx, user).await? {
            let text = format!(
                "`{name}` is the last super administrator who can sign in, besides the account Quell acts as."
            );
            return found("last-administrator", text, Instead::Nothing);
        }
        Ok(None)
    }

    /// Whether there is another super administrator who can sign in. The account Quell acts as does not
    /// count: nobody signs in as it.
    async fn has_other(&self, cx: &Call, user: &wire::User) -> Result<bool> {
        let mut page: Option<String> = None;
        loop {
            let found = api::list_admins(&self.access.users, cx, page.as_deref()).await?;
            let other = |admin: &&wire::User| {
                admin.is_admin
                    && admin.id != user.id
                    && !admin.is_locked()
                    && !admin.answers_to(&self.admin)
            };
            if found.users.iter().any(|admin| other(&admin)) {
                return Ok(true);
            }
            match found.next_page_token {
                Some(next) if Some(&next) != page.as_ref() => page = Some(next),
                _ => return Ok(false),
            }
        }
    }
}

/// What the live record says of an account.
pub(super) fn facts(user: &wire::User) -> AssetFacts {
    let labels = [
        ("privileged", user.is_admin || user.is_delegated_admin),
        ("guest", user.is_guest_user),
    ];
    let labels = labels.into_iter().filter(|(_, holds)| *holds);
    AssetFacts {
        labels: labels.map(|(label, _)| label.to_owned()).collect(),
        ..AssetFacts::default()
    }
}

fn enablement(user: &wire::User) -> Result<Enablement> {
    match user.suspended {
        _ if user.archived => Ok(Enablement::Disabled),
        Some(true) => Ok(Enablement::Disabled),
        Some(false) => Ok(Enablement::Enabled),
        None => {
            let detail = "the vendor's reply does not say whether the user is suspended";
            Err(api::unreadable(api::USER_READ, false, detail))
        }
    }
}

impl Control<AccountEnabled> for GoogleWorkspace {
    async fn read(&self, cx: &Call, account: &Account) -> Result<Observed<Enablement>> {
        let user = self.user(cx, account).await?;
        Ok(Observed {
            asset: facts(&user),
            obstacle: self.obstacle(cx, &user, Deed::Suspend).await?,
            ..Observed::of(Reading::Settled(enablement(&user)?))
        })
    }

    async fn write(&self, cx: &Call, account: &Account, want: &Enablement) -> Result<Receipt> {
        // The vendor answers the same whether it changed anything or not, so it is read before.
        let user = self.user(cx, account).await?;
        let evidence = json!({
            "user": user.id,
            "suspended_before": user.suspended,
            "reason_before": user.suspension_reason.as_deref().map(text::line),
        });
        if enablement(&user)? == *want {
            return Ok(Receipt::unchanged(evidence));
        }
        let suspended = *want == Enablement::Disabled;
        let after = api::suspend(&self.access.users, cx, &user.id, suspended).await?;
        if after.id != user.id || after.suspended != Some(suspended) {
            let operation = if suspended {
                api::USER_SUSPEND
            } else {
                api::USER_RESTORE
            };
            let detail = "the vendor's reply does not say what became of the user";
            return Err(api::unreadable(operation, true, detail));
        }
        Ok(Receipt::of(evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_numbers_get_into_a_path() {
        for good in ["ana@northwind.example", "o'neil+x@b-1.example"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "..", "a@b/../c", "a@b?x", "@b", "a@", "a b@c", "a@b@c", "a%2f@b",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
        assert!(is_id("105250506097979753968"));
        assert!(!is_id("") && !is_id("..") && !is_id("1/2"));
    }
}
