//! Which user an account is, what the live record says of them, and what stands in the way.

use jiff::Timestamp;
use quell_connector::http::Plane;
use quell_connector::{Call, Error, Instead, Kind, Obstacle, Result};
use quell_model::AssetFacts;
use quell_model::entity::Account;
use quell_model::text;

use super::auth::Identity;
use super::{Okta, PROVIDER, api, wire};

/// Label of accounts with an administrator's rights.
const PRIVILEGED: &str = "privileged";
/// Label of accounts that a directory of the organization's own holds.
const SYNCHRONIZED: &str = "synchronized";
/// The role that may do everything, and that only its holders may touch.
const SUPER_ADMIN: &str = "SUPER_ADMIN";
/// Most administrators looked at to find another one who can take over.
const MOST_ADMINISTRATORS: usize = 50;

/// A user as found just now.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) user: wire::User,
    /// The vendor's time when the record was read.
    pub(super) at: Timestamp,
}

/// Where a user is in their life, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Active,
    Suspended,
    /// Cannot sign in: not yet, or not any more.
    Outside,
    /// Signs in again by themselves in some way, and cannot be suspended.
    Between,
}

impl Found {
    /// The status as the vendor writes it.
    pub(super) fn status(&self) -> &str {
        self.user.status.raw().unwrap_or("unknown")
    }

    pub(super) fn life(&self) -> Result<Life> {
        life(self.status()).ok_or_else(|| {
            let status = text::line(self.status());
            let detail = format!("the user's status is `{status}`, one Quell does not know");
            Error::new(Kind::ReplyUnreadable, api::USER_READ, detail)
        })
    }
}

/// What a status means; nothing for one that is not known.
pub(super) fn life(status: &str) -> Option<Life> {
    Some(match status {
        "ACTIVE" => Life::Active,
        "SUSPENDED" => Life::Suspended,
        "STAGED" | "DEPROVISIONED" => Life::Outside,
        "LOCKED_OUT" | "PASSWORD_EXPIRED" | "RECOVERY" | "PROVISIONED" => Life::Between,
        _ => return None,
    })
}

/// What an action does to an account, as far as obstacles depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// The person can sign in again by themselves.
    Harmless,
    /// The person cannot sign in without somebody's help.
    ShutsOut,
}

/// An id of Okta's: letters and digits. Anything else would be a login, or end a path or a text.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a record says itself that this is its login or mail address.
fn is_named(user: &wire::User, principal: &str) -> bool {
    let principal = principal.to_lowercase();
    let names = [&user.profile.login, &user.profile.email];
    names.iter().any(|name| {
        name.raw()
            .is_some_and(|name| name.to_lowercase() == principal)
    })
}

impl Okta {
    /// The user an account is, read anew. By Okta's own id, else by a login or mail address that
    /// exactly one user has.
    pub(super) async fn find(&self, cx: &Call, account: &Account) -> Result<Found> {
        let own = account
            .provider
            .as_deref()
            .is_none_or(|name| name == PROVIDER);
        if let Some(id) = account
            .id
            .as_deref()
            .and_then(text::present)
            .filter(|_| own)
        {
            return self.read(cx, id).await;
        }
        let principal = account.principal.as_deref().and_then(text::present);
        let Some(principal) = principal else {
            let detail =
                "the account has neither an id of Okta's nor a login; a name may belong to several";
            return Err(Error::new(Kind::Unsupported, api::USER_SEARCH, detail));
        };
        let found = api::search_users(&self.plane, cx, principal).await?;
        let named = text::line(principal);
        let mut named_so = found.iter().filter(|user| is_named(user, principal));
        let unknown = || {
            let detail = format!("Okta has no user with the login or mail address `{named}`");
            Error::new(Kind::TargetNotFound, api::USER_SEARCH, detail)
        };
        match (named_so.next(), named_so.next()) {
            (Some(user), None) => {
                let found = self.read(cx, user.id.raw().unwrap_or_default()).await?;
                // The search index lags behind the record.
                let still = is_named(&found.user, principal);
                still.then_some(found).ok_or_else(unknown)
            }
            (None, _) => Err(unknown()),
            (Some(_), Some(_)) => {
                let detail =
                    format!("Okta has several users with the login or mail address `{named}`");
                Err(Error::new(Kind::TargetAmbiguous, api::USER_SEARCH, detail))
            }
        }
    }

    async fn read(&self, cx: &Call, id: &str) -> Result<Found> {
        let unknown = || {
            let detail = format!("Okta has no user with the id `{}`", text::line(id));
            Error::new(Kind::TargetNotFound, api::USER_READ, detail)
        };
        if !is_id(id) {
            return Err(unknown());
        }
        let (user, at) = match api::read_user(&self.plane, cx, id).await {
            Err(error) if error.kind == Kind::TargetNotFound => return Err(unknown()),
            read => read?,
        };
        // The path also takes logins, and `me`.
        if user.id.raw() != Some(id) {
            return Err(unknown());
        }
        let id = id.to_owned();
        Ok(Found { id, user, at })
    }

    /// What the live record says of a user, and what stands in the way of a deed whoever it is done to.
    pub(super) async fn look_at(
        &self,
        cx: &Call,
        found: &Found,
        deed: Deed,
    ) -> Result<(AssetFacts, Option<Obstacle>)> {
        let mut facts = AssetFacts::default();
        let roles = match api::user_roles(&self.plane, cx, &found.id).await {
            // Whoever may be an administrator counts as one. Nobody is shut out without knowing whether
            // somebody else is left.
            Err(error) if error.kind == Kind::PermissionMissing && deed == Deed::Harmless => {
                facts.labels.insert(PRIVILEGED.to_owned());
                Vec::new()
            }
            roles => roles?,
        };
        if roles.iter().any(is_held) {
            facts.labels.insert(PRIVILEGED.to_owned());
        }
        if matches!(source(&found.user), Source::Directory | Source::Ldap) {
            facts.labels.insert(SYNCHRONIZED.to_owned());
        }
        if self.own_id(cx).await? == Some(found.id.as_str()) {
            let text = "Quell's own API token belongs to this administrator.";
            return Ok((facts, Some(obstacle("own-account", text, Instead::Nothing))));
        }
        let above_all = is_super(&roles);
        if above_all && !self.is_super(cx).await? {
            let text = "Only a super administrator may touch a super administrator, and Quell's credentials are none.";
            return Ok((facts, Some(obstacle("above-quell", text, Instead::Person))));
        }
        let gets_in = matches!(life(found.status()), Some(Life::Active | Life::Between));
        if above_all && deed == Deed::ShutsOut && gets_in {
            let blocked = self.last_of(cx, &found.id).await?;
            return Ok((facts, blocked));
        }
        Ok((facts, None))
    }

    /// The administrator whose API token it is; nobody for a service app.
    async fn own_id(&self, cx: &Call) -> Result<Option<&str>> {
        let Identity::Token = self.identity else {
            return Ok(None);
        };
        let own = self.own.get_or_try_init(|| own_id(&self.plane, cx)).await?;
        Ok(Some(own.as_str()))
    }

    /// Whether Quell's own credentials are a super administrator's.
    async fn is_super(&self, cx: &Call) -> Result<bool> {
        Ok(is_super(&self.own_roles(cx).await?))
    }

    /// Roles of Quell's own credentials.
    pub(super) async fn own_roles(&self, cx: &Call) -> Result<Vec<wire::Role>> {
        match (&self.identity, self.own_id(cx).await?) {
            (Identity::App { client_id }, _) => api::app_roles(&self.plane, cx, client_id).await,
            (Identity::Token, own) => {
                api::user_roles(&self.plane, cx, own.unwrap_or_default()).await
            }
        }
    }

    /// The obstacle that nobody else could take over, unless another super administrator can sign in.
    async fn last_of(&self, cx: &Call, id: &str) -> Result<Option<Obstacle>> {
        let (mut after, mut looked_at) = (None::<String>, 0);
        loop {
            let page = api::assignees(&self.plane, cx, after.as_deref()).await?;
            let (admins, next) = page;
            for admin in admins
                .iter()
                .filter(|admin| admin.as_str() != id && is_id(admin))
            {
                if looked_at == MOST_ADMINISTRATORS {
                    let text = format!(
                        "None of the first {MOST_ADMINISTRATORS} administrators is another super administrator who can sign in."
                    );
                    return Ok(Some(obstacle("last-administrator", text, Instead::Person)));
                }
                looked_at += 1;
                if is_super(&api::user_roles(&self.plane, cx, admin).await?) {
                    let (user, _) = api::read_user(&self.plane, cx, admin).await?;
                    if user.status.raw().and_then(life) == Some(Life::Active) {
                        return Ok(None);
                    }
                }
            }
            // A page that leads to itself would never end.
            if next.is_none() || next == after {
                let text = "No other super administrator can sign in.";
                return Ok(Some(obstacle("last-administrator", text, Instead::Nothing)));
            }
            after = next;
        }
    }
}

async fn own_id(plane: &Plane, cx: &Call) -> Result<String> {
    let (user, _) = api::read_user(plane, cx, "me").await?;
    let id = user.id.raw().filter(|id| is_id(id)).map(str::to_owned);
    id.ok_or_else(|| {
        let detail = "Okta does not say whose API token it is";
        Error::new(Kind::ReplyUnreadable, api::USER_READ, detail)
    })
}

/// A role that counts. One without a status is one that is held.
fn is_held(role: &wire::Role) -> bool {
    role.status.raw().is_none_or(|status| status == "ACTIVE")
}

fn is_super(roles: &[wire::Role]) -> bool {
    let is_super = |role: &wire::Role| is_held(role) && role.r#type.raw() == Some(SUPER_ADMIN);
    roles.iter().any(is_super)
}

/// The roles that are held, in words for people.
pub(super) fn role_names(roles: &[wire::Role]) -> String {
    let names = roles.iter().filter(|role| is_held(role));
    let names: Vec<String> = names.filter_map(|role| role.r#type.line()).collect();
    names.join(", ")
}

/// Who holds a user's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Okta,
    /// Active Directory.
    Directory,
    Ldap,
    /// Another identity provider, or something that is not known.
    Elsewhere,
}

pub(super) fn source(user: &wire::User) -> Source {
    match user.credentials.provider.r#type.raw() {
        Some("OKTA") => Source::Okta,
        Some("ACTIVE_DIRECTORY") => Source::Directory,
        Some("LDAP") => Source::Ldap,
        _ => Source::Elsewhere,
    }
}

pub(super) fn obstacle(rule: &'static str, text: impl Into<String>, instead: Instead) -> Obstacle {
    Obstacle {
        rule,
        text: text.into(),
        instead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_and_digits_are_an_id() {
        for id in ["00u1ero7vZFVEIYLWPBN", "12345"] {
            assert!(is_id(id), "{id}");
        }
        for odd in [
            "",
            ".",
            "..",
            "a/b",
            "ana@example.com",
            "00u%2e",
            "é",
            &"a".repeat(65),
        ] {
            assert!(!is_id(odd), "{odd}");
        }
    }
}
