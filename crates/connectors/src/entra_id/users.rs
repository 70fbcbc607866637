//! Finding the user an account means, and what the live record says of the user.

use std::collections::BTreeSet;

use quell_connector::{Call, Error, Kind, Result};
use quell_model::entity::Account;
use quell_model::{AssetFacts, text};

use super::{EntraId, api, wire};

/// Roles that do no more than read or invite: whoever holds only these is no administrator, and any role that may act
/// on users reaches them.
const HARMLESS: [&str; 5] = [
    // Directory Readers
    "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
    // Guest Inviter
    "95e79109-95c0-4d8e-aee3-d01accf2d47b",
    // Message Center Reader
    "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b",
    // Reports Reader
    "4a5d8f65-41da-4de4-8968-e035b65339cf",
    // Usage Summary Reports Reader
    "75934031-6c7e-415a-99d7-48dbd49e875e",
];
/// The role of the account that synchronises the directory on premises.
const SYNCHRONIZATION: &str = "d29b2b05-8046-44ba-8758-1e26182fcf32";

/// A user with the directory roles the user holds and the labels of the user's groups; neither when they cannot be read.
pub(super) struct Known {
    pub(super) user: wire::User,
    pub(super) roles: Option<Vec<wire::Role>>,
    pub(super) labels: Option<BTreeSet<String>>,
}

impl wire::Role {
    pub(super) fn is(&self, template: &str) -> bool {
        let held = self.role_template_id.as_deref().unwrap_or_default();
        held.eq_ignore_ascii_case(template)
    }

    /// A role that cannot be told counts as an administrator's.
    fn is_privileged(&self) -> bool {
        !HARMLESS.iter().any(|template| self.is(template))
    }
}

impl wire::User {
    /// Somebody who signs in at another tenant and is only invited here.
    pub(super) fn is_guest(&self) -> bool {
        let principal = self.user_principal_name.as_deref().unwrap_or_default();
        let kind = self.user_type.as_deref().unwrap_or_default();
        kind.eq_ignore_ascii_case("guest") || principal.to_ascii_uppercase().contains("#EXT#@")
    }

    pub(super) fn is_synchronised(&self) -> bool {
        self.on_premises_sync_enabled == Some(true)
    }

    /// The name for people.
    pub(super) fn name(&self) -> String {
        let principal = self.user_principal_name.as_deref().and_then(text::present);
        text::line(principal.unwrap_or(&self.id))
    }

    /// The domain of the user principal name.
    pub(super) fn domain(&self) -> Option<&str> {
        let principal = self.user_principal_name.as_deref()?;
        principal.rsplit_once('@').map(|(_, domain)| domain)
    }
}

impl Known {
    /// Whether it is known which roles these are: without the permission to read them, they come by their ids alone.
    pub(super) fn roles_are_readable(&self) -> bool {
        let named = |role: &wire::Role| role.role_template_id.is_some();
        self.roles
            .as_ref()
            .is_some_and(|roles| roles.iter().all(named))
    }

    pub(super) fn is_synchronisation(&self) -> bool {
        self.holds(SYNCHRONIZATION).is_some()
    }

    /// The role with this template, if the user holds it.
    pub(super) fn holds(&self, template: &str) -> Option<&wire::Role> {
        let mut roles = self.roles.iter().flatten();
        roles.find(|role| role.is(template))
    }

    /// An administrator's roles.
    pub(super) fn privileges(&self) -> impl Iterator<Item = &wire::Role> {
        self.roles
            .iter()
            .flatten()
            .filter(|role| role.is_privileged())
    }

    /// What policy goes by.
    pub(super) fn facts(&self) -> AssetFacts {
        let labels = [
            ("privileged", self.privileges().next().is_some()),
            ("service-account", self.is_synchronisation()),
            ("guest", self.user.is_guest()),
            ("synchronized", self.user.is_synchronised()),
        ];
        let held = labels.into_iter().filter(|(_, held)| *held);
        AssetFacts {
            labels: held
                .map(|(label, _)| label.to_owned())
                .chain(self.labels.iter().flatten().cloned())
                .collect(),
            ..AssetFacts::default()
        }
    }
}

impl EntraId {
    /// The one user an account means.
    ///
    /// An object id counts only when it is this directory's; a security identifier is that of the account on premises
    /// which the user is synchronised from.
    pub(super) async fn user(&self, cx: &Call, account: &Account) -> Result<wire::User> {
        let provider = account.provider.as_deref();
        let own = provider.is_none_or(|provider| provider == super::PROVIDER);
        let id = account.id.as_deref().and_then(text::present);
        if let Some(id) = id.filter(|id| own && is_object_id(id)) {
            return api::read_user(&self.reads, cx, id).await;
        }
        let present = |member: &Option<String>| {
            let member = member.as_deref().and_then(text::present);
            member.map(|member| member.replace('\'', "''"))
        };
        let filter = match (present(&account.principal), present(&account.sid)) {
            (Some(name), _) => format!(
                "userPrincipalName eq '{name}' or mail eq '{name}' or proxyAddresses/any(p:p eq 'smtp:{name}')"
            ),
            (None, Some(sid)) => format!("onPremisesSecurityIdentifier eq '{sid}'"),
            (None, None) => {
                let detail = match id {
                    Some(id) => format!("`{}` is no object id of this directory", text::line(id)),
                    None => "the account has no object id, principal name or SID".to_owned(),
                };
                return Err(Error::new(Kind::TargetNotFound, api::USER_READ, detail));
            }
        };
        let mut found = api::find_users(&self.plane, cx, &filter).await?;
        match (found.pop(), found.len()) {
            (Some(user), 0) if is_object_id(&user.id) => Ok(user),
            (Some(_), 0) => {
                let detail = "the vendor's record of the user has no object id";
                Err(Error::new(Kind::ReplyUnreadable, api::USER_READ, detail))
            }
            (Some(_), _) => {
                let detail = "several users answer to this name; use the object id";
                Err(Error::new(Kind::TargetAmbiguous, api::USER_READ, detail))
            }
            (None, _) => {
                let detail = "no user of the tenant has this name, address or SID";
                Err(Error::new(Kind::TargetNotFound, api::USER_READ, detail))
            }
        }
    }

    /// The user an account means, with all that a decision goes by.
    pub(super) async fn known(&self, cx: &Call, account: &Account) -> Result<Known> {
        let user = self.user(cx, account).await?;
        let labels = self.labels_of(cx, &user.id).await?;
        Ok(Known {
            labels,
            ..self.with_roles(cx, user).await?
        })
    }

    pub(super) async fn with_roles(&self, cx: &Call, user: wire::User) -> Result<Known> {
        let roles = match api::roles_of(&self.plane, &self.reads, cx, &user.id).await {
            Ok(roles) => Some(roles),
            // What can be taken back must not depend on reading roles; what must not be done says so itself.
            Err(error) if error.kind == Kind::PermissionMissing => None,
            Err(error) => return Err(error),
        };
        let labels = None;
        Ok(Known {
            user,
            roles,
            labels,
        })
    }
}

/// Eight, four, four, four and twelve hexadecimal digits. The same place of a path also takes principal names, so
/// nothing else may get there as an id.
pub(super) fn is_object_id(id: &str) -> bool {
    let mut parts = id.split('-');
    let fits = [8, 4, 4, 4, 12].iter().all(|digits| {
        parts.next().is_some_and(|part| {
            part.len() == *digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    fits && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(template: Option<&str>) -> wire::Role {
        wire::Role {
            id: "r".into(),
            role_template_id: template.map(str::to_owned),
            ..wire::Role::default()
        }
    }

    #[test]
    fn a_name_is_never_taken_for_an_object_id() {
        assert!(is_object_id("3a7c1e52-9b40-4f6d-8e21-5d0c7b9a4f13"));
        for other in [
            "ada@corp.example",
            "",
            "3a7c1e52-9b40-4f6d-8e21",
            "3a7c1e52-9b40-4f6d-8e21-5d0c7b9a4f13-",
            "me",
        ] {
            assert!(!is_object_id(other), "{other}");
        }
    }

    #[test]
    fn a_role_that_cannot_be_told_counts_as_an_administrators() {
        assert!(role(None).is_privileged());
        assert!(role(Some("00000000-0000-0000-0000-000000000000")).is_privileged());
        assert!(!role(Some(HARMLESS[0])).is_privileged());
    }

    #[test]
    fn an_external_member_is_a_guest_as_well() {
        let user = wire::User {
            user_principal_name: Some("eve_out.example#EXT#@corp.example".into()),
            user_type: Some("Member".into()),
            ..wire::User::default()
        };
        assert!(user.is_guest());
    }
}
