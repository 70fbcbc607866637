//! What stands in the way of an action, known from the live record before it is tried.

use quell_connector::contract::{Instead, Obstacle};
use quell_connector::{Call, Error, Kind, Result};
use quell_model::entity::Account;
use quell_model::property::Enablement;
use tokio::sync::MutexGuard;

use super::users::Known;
use super::{EntraId, api, wire};

/// Template id of the role Global Administrator.
const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
/// Roles that may disable and reset administrators: Global Administrator and Privileged Authentication Administrator.
const REACH_ADMINISTRATORS: [&str; 2] =
    [GLOBAL_ADMINISTRATOR, "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"];

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Disable,
    RevokeSessions,
    ResetPassword,
}

fn obstacle(rule: &'static str, instead: Instead, text: String) -> Option<Obstacle> {
    Some(Obstacle {
        rule,
        text,
        instead,
    })
}

impl EntraId {
    /// The first thing that stands in the way, the gravest first.
    pub(super) async fn obstacle(
        &self,
        cx: &Call,
        known: &Known,
        deed: Deed,
    ) -> Result<Option<Obstacle>> {
        let name = known.user.name();
        if known.user.is_guest() {
            let text = format!(
                "{name} is a guest: sessions and password belong to the tenant the guest comes from."
            );
            return Ok(obstacle("guest-account", Instead::Person, text));
        }
        // Somebody whom policy protects may be among those who cannot be told.
        if known.labels.is_none() {
            let text = format!(
                "Which groups {name} is in cannot be read, so nobody knows whether policy protects the account; grant the app `{}`.",
                api::READ_GROUPS
            );
            return Ok(obstacle("above-quell", Instead::Person, text));
        }
        // Sessions are the cloud's, also of users whose password is not, and whoever is meant can sign in again.
        if deed == Deed::RevokeSessions {
            return Ok(None);
        }
        if !known.roles_are_readable() {
            let text = format!(
                "Which directory roles {name} holds cannot be read; grant the app `{}`.",
                api::READ_ROLES
            );
            return Ok(obstacle("above-quell", Instead::Person, text));
        }
        if known.is_synchronisation() {
            let text = format!("{name} is the account that synchronises the directory.");
            return Ok(obstacle("built-in-account", Instead::Nothing, text));
        }
        if let Some(role) = known.holds(GLOBAL_ADMINISTRATOR)
            && self.is_last(cx, known, role).await?
        {
            let text = format!("{name} is the only Global Administrator who can sign in.");
            return Ok(obstacle("last-administrator", Instead::Nothing, text));
        }
        if known.user.is_synchronised() {
            let text = format!(
                "{name} is synchronised from Active Directory, which holds the account and its password."
            );
            let target = Box::new(on_premises(&known.user).into());
            let connector = "active-directory";
            let instead = Instead::Other { connector, target };
            return Ok(obstacle("synchronized-account", instead, text));
        }
        if let Some(text) = self.beyond_reach(known) {
            return Ok(obstacle("above-quell", Instead::Person, text));
        }
        if deed == Deed::ResetPassword && self.is_federated(cx, &known.user).await? {
            let domain = known.user.domain().unwrap_or_default();
            let text = format!(
                "{name} signs in with another identity provider: the domain {domain} is federated."
            );
            return Ok(obstacle("federated-password", Instead::Person, text));
        }
        Ok(None)
    }

    /// Whether nobody else who can sign in holds the role.
    async fn is_last(&self, cx: &Call, known: &Known, role: &wire::Role) -> Result<bool> {
        let now = cx.clock().now();
        let another = |one: &wire::User| {
            one.account_enabled == Some(true)
                && !one.is_guest()
                && !one.id.eq_ignore_ascii_case(&known.user.id)
                && self.written.to(&one.id, now) != Some(Enablement::Disabled)
        };
        let enough = |found: &[wire::User]| found.iter().any(another);
        let members = api::role_members(&self.plane, cx, &role.id, enough).await?;
        Ok(!members.iter().any(another))
    }

    /// Refuses to disable the last Global Administrator, at the last moment: two at once would each be let go because
    /// the other one is left. What is given back is held until the write is done.
    pub(super) async fn spare_the_last(
        &self,
        cx: &Call,
        known: &Known,
    ) -> Result<Option<MutexGuard<'_, ()>>> {
        let Some(role) = known.holds(GLOBAL_ADMINISTRATOR) else {
            return Ok(None);
        };
        let turn = self.written.turn.lock().await;
        if !self.is_last(cx, known, role).await? {
            return Ok(Some(turn));
        }
        let detail = "the user is the only Global Administrator who can sign in";
        Err(Error::new(Kind::VendorRejected, api::USER_ENABLE, detail))
    }

    /// Why the app's own roles do not reach the user, as far as its token tells.
    fn beyond_reach(&self, known: &Known) -> Option<String> {
        let held = known.privileges().next()?;
        let own = self.standing.roles()?;
        let reaches = own.iter().any(|role| {
            REACH_ADMINISTRATORS
                .iter()
                .any(|template| role.eq_ignore_ascii_case(template))
        });
        if reaches {
            return None;
        }
        let role = held.display_name.as_deref().unwrap_or("a directory role");
        Some(format!(
            "{} holds {}, and the app no role that reaches administrators (Privileged Authentication Administrator).",
            known.user.name(),
            quell_model::text::line(role)
        ))
    }

    /// Whether another identity provider holds the password. Without the permission to ask, the vendor refuses the
    /// password itself.
    async fn is_federated(&self, cx: &Call, user: &wire::User) -> Result<bool> {
        let Some(domain) = user.domain() else {
            return Ok(false);
        };
        match api::read_domain(&self.plane, cx, domain).await {
            Ok(domain) => {
                let kind = domain.authentication_type.unwrap_or_default();
                Ok(kind.eq_ignore_ascii_case("federated"))
            }
            Err(error) if matches!(error.kind, Kind::PermissionMissing | Kind::TargetNotFound) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// The account in Active Directory that a user is synchronised from.
fn on_premises(user: &wire::User) -> Account {
    Account {
        sid: user.on_premises_security_identifier.clone(),
        name: user.on_premises_sam_account_name.clone(),
        domain: user.on_premises_domain_name.clone(),
        principal: user.user_principal_name.clone(),
        provider: Some("active_directory".to_owned()),
        id: None,
    }
}
