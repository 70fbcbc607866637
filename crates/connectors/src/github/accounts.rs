//! `account.enabled`: which user is meant, what must not be done to it, and which product does it.

use quell_connector::contract::{Instead, Obstacle};
use quell_connector::{Call, Control, Error, Kind, Observed, Receipt, Result};
use quell_model::entity::Account;
use quell_model::property::{AccountEnabled, Enablement};
use quell_model::{AssetFacts, text};

use super::config::Product;
use super::wire::User;
use super::{GitHub, PROVIDER, api};

/// A user that was found, with the login that calls take.
pub(super) struct Person {
    pub(super) user: User,
    pub(super) login: String,
}

/// Whether the account's id and name are GitHub's.
pub(super) fn is_ours(account: &Account) -> bool {
    account
        .provider
        .as_deref()
        .is_none_or(|provider| provider == PROVIDER)
}

pub(super) fn present(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).and_then(text::present)
}

/// Something only a person can do, or nobody may.
pub(super) const fn obstacle(rule: &'static str, text: String, instead: Instead) -> Obstacle {
    Obstacle {
        rule,
        text,
        instead,
    }
}

/// The same as an error, for a write that was not preceded by a look.
pub(super) fn refusal(operation: &'static str, obstacle: Obstacle) -> Error {
    Error::new(Kind::Unsupported, operation, obstacle.text)
}

/// A success status with something else than the success it stands for.
pub(super) fn odd(operation: &'static str) -> Error {
    let detail =
        "GitHub's reply is not the one this change has; nobody knows whether it was applied";
    Error::new(Kind::MaybeApplied, operation, detail)
}

/// What is known of a user.
pub(super) fn facts(privileged: bool) -> AssetFacts {
    let labels = privileged.then(|| "privileged".to_owned());
    AssetFacts {
        labels: labels.into_iter().collect(),
        ..AssetFacts::default()
    }
}

impl GitHub {
    /// The one user the account is. A login of another directory may be a stranger's here, so nothing but
    /// what GitHub itself calls somebody is looked up.
    pub(super) async fn person(&self, cx: &Call, account: &Account) -> Result<Person> {
        let ours = is_ours(account);
        let id = present(account.id.as_ref()).filter(|_| ours);
        let login = present(account.name.as_ref())
            .or_else(|| present(account.principal.as_ref()))
            .filter(|login| ours && !login.contains('@'));
        let request = match (id, login) {
            (Some(id), _) => self.api.user_by_id(id),
            (None, Some(login)) => self.api.user_by_login(login),
            (None, None) => {
                let detail = "the alert names nobody by a login of GitHub's, and GitHub finds nobody by anything else";
                return Err(Error::new(Kind::TargetNotFound, api::USER_READ, detail));
            }
        };
        let user: User = self.api.send(cx, request).await?.json()?;
        let found = user.login.raw().map(str::to_owned);
        let same = match (id, login) {
            (Some(id), _) => user.id.raw() == Some(id),
            (None, Some(login)) => found
                .as_ref()
                .is_some_and(|f| f.eq_ignore_ascii_case(login)),
            (None, None) => false,
        };
        match found.filter(|_| same) {
            Some(login) => Ok(Person { user, login }),
            None => {
                let detail = "GitHub answered with another user than the one asked for";
                Err(Error::new(Kind::ReplyUnreadable, api::USER_READ, detail))
            }
        }
    }

    /// Login of the token's user, if it has one.
    pub(super) async fn own_login(&self, cx: &Call) -> Result<Option<&str>> {
        let ask = async || {
            let user: User = self.api.send(cx, self.api.own_user()).await?.json()?;
            Ok(user.login.line())
        };
        self.own.get_or_try_init(ask).await.map(Option::as_deref)
    }

    /// What stands in the way whatever the product.
    pub(super) async fn obstacle_of(&self, cx: &Call, person: &Person) -> Result<Option<Obstacle>> {
        let login = text::line(&person.login);
        let kind = person.user.r#type.raw().unwrap_or("User");
        if kind != "User" {
            let kind = text::line(&kind.to_lowercase());
            let said = format!(
                "`{login}` is no person but a {kind}; programs depend on it. Decide at GitHub."
            );
            return Ok(Some(obstacle("service-account", said, Instead::Person)));
        }
        let own = self.own_login(cx).await?;
        if own.is_some_and(|own| own.eq_ignore_ascii_case(&person.login)) {
            let said = format!("`{login}` is the account whose token Quell uses here.");
            return Ok(Some(obstacle("own-account", said, Instead::Nothing)));
        }
        Ok(None)
    }
}

impl Control<AccountEnabled> for GitHub {
    async fn read(&self, cx: &Call, account: &Account) -> Result<Observed<Enablement>> {
        match self.product {
            Product::Org => self.membership_of(cx, account).await,
            Product::Ghes => self.suspension_of(cx, account).await,
            Product::Emu => self.activity_of(cx, account).await,
        }
    }

    async fn write(&self, cx: &Call, account: &Account, want: &Enablement) -> Result<Receipt> {
        match self.product {
            Product::Org => self.set_membership(cx, account, want).await,
            Product::Ghes => self.set_suspension(cx, account, want).await,
            Product::Emu => self.set_activity(cx, account, want).await,
        }
    }
}
