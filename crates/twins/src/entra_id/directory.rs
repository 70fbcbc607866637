//! The directory: users as they are and as reads show them, roles, and domains.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::rfc3339_seconds;

/// Template id of the role Global Administrator.
pub const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
/// Template id of the role Privileged Authentication Administrator.
pub const PRIVILEGED_AUTHENTICATION_ADMINISTRATOR: &str = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13";
/// Template id of the role User Administrator.
pub const USER_ADMINISTRATOR: &str = "fe930be7-5e62-47db-91af-98c3a49a38b1";
/// Template id of the role Directory Readers.
pub const DIRECTORY_READERS: &str = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b";
/// Template id of the role that the synchronisation's own account holds.
pub const DIRECTORY_SYNCHRONIZATION: &str = "d29b2b05-8046-44ba-8758-1e26182fcf32";

/// A user to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserSpec {
    /// Object id; made up when empty.
    pub id: String,
    /// User principal name.
    pub principal: String,
    /// Display name.
    pub name: String,
    /// Mail address.
    pub mail: Option<String>,
    /// Further addresses (`smtp:other@example.com`).
    pub proxy_addresses: Vec<String>,
    /// Whether the user may sign in.
    pub enabled: bool,
    /// A guest of this tenant.
    pub guest: bool,
    /// Synchronised from a directory on premises, with this account there.
    pub on_premises: Option<OnPremises>,
    /// Template ids of the directory roles the user holds.
    pub roles: Vec<String>,
    /// Object ids of the groups the user is in, directly or through others.
    pub groups: Vec<String>,
}

/// The account on premises that a user is synchronised from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnPremises {
    /// Security identifier.
    pub sid: String,
    /// Account name.
    pub sam_account_name: String,
    /// DNS name of the domain.
    pub domain: String,
}

impl Default for UserSpec {
    fn default() -> Self {
        Self {
            id: String::new(),
            principal: String::new(),
            name: String::new(),
            mail: None,
            proxy_addresses: Vec::new(),
            enabled: true,
            guest: false,
            on_premises: None,
            roles: Vec::new(),
            groups: Vec::new(),
        }
    }
}

impl UserSpec {
    /// A user of the cloud with this principal name, which is also the mail address.
    #[must_use]
    pub fn new(principal: &str) -> Self {
        let name = principal.split('@').next().unwrap_or_default();
        Self {
            principal: principal.to_owned(),
            name: name.to_owned(),
            mail: Some(principal.to_owned()),
            ..Self::default()
        }
    }

    /// The same user with a role.
    #[must_use]
    pub fn with_role(mut self, template: &str) -> Self {
        self.roles.push(template.to_owned());
        self
    }

    /// The same user in a group, which exists by that.
    #[must_use]
    pub fn in_group(mut self, id: &str) -> Self {
        self.groups.push(id.to_owned());
        self
    }
}

/// What happened to a user through the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct UserCalls {
    /// How often `accountEnabled` really changed.
    pub enablement_changed: u64,
    /// How often sessions were revoked.
    pub sessions_revoked: u64,
    /// How often a password was set.
    pub password_set: u64,
}

/// What changes about a user, and when a read shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facets {
    enabled: bool,
    sessions_valid_from: i64,
    password_changed: i64,
    force_change: bool,
}

/// One user.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) spec: UserSpec,
    pub(crate) calls: UserCalls,
    pub(crate) password: Option<String>,
    now: Facets,
    shown: Facets,
    /// Until then reads show the older state.
    shown_until: i64,
}

impl User {
    pub(crate) fn new(spec: UserSpec, now: i64) -> Self {
        // A day ago: nothing that a test does is mistaken for what was there before.
        let before = now.saturating_sub(86_400_000_000_000);
        let facets = Facets {
            enabled: spec.enabled,
            sessions_valid_from: before,
            password_changed: before,
            force_change: false,
        };
        Self {
            spec,
            calls: UserCalls::default(),
            password: None,
            shown: facets.clone(),
            now: facets,
            shown_until: i64::MIN,
        }
    }

    fn change(&mut self, now: i64, settle: i64, change: impl FnOnce(&mut Facets)) {
        if now >= self.shown_until {
            self.shown = self.now.clone();
        }
        change(&mut self.now);
        self.shown_until = now.saturating_add(settle);
    }

    pub(crate) fn set_enabled(&mut self, enabled: bool, now: i64, settle: i64) {
        if self.now.enabled != enabled {
            self.calls.enablement_changed += 1;
            self.change(now, settle, |facets| facets.enabled = enabled);
        }
    }

    pub(crate) fn revoke_sessions(&mut self, now: i64, settle: i64) {
        self.calls.sessions_revoked += 1;
        self.change(now, settle, |facets| facets.sessions_valid_from = now);
    }

    pub(crate) fn set_password(&mut self, password: String, force: bool, now: i64, settle: i64) {
        self.calls.password_set += 1;
        self.password = Some(password);
        self.change(now, settle, |facets| {
            facets.password_changed = now;
            facets.sessions_valid_from = now;
            facets.force_change = force;
        });
    }

    pub(crate) fn set_force_change(&mut self, force: bool, now: i64, settle: i64) {
        self.change(now, settle, |facets| facets.force_change = force);
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.now.enabled
    }

    pub(crate) fn must_change_password(&self) -> bool {
        self.now.force_change
    }

    /// Every member a read may select.
    pub(crate) fn document(&self, now: i64) -> Map<String, Value> {
        let facets = if now < self.shown_until {
            &self.shown
        } else {
            &self.now
        };
        let spec = &self.spec;
        let premises = spec.on_premises.as_ref();
        let text = |pick: fn(&OnPremises) -> &String| premises.map(|account| pick(account).clone());
        let document = json!({
            "id": spec.id,
            "userPrincipalName": spec.principal,
            "displayName": spec.name,
            "mail": spec.mail,
            "proxyAddresses": spec.proxy_addresses,
            "businessPhones": [],
            "givenName": null,
            "jobTitle": null,
            "mobilePhone": null,
            "officeLocation": null,
            "preferredLanguage": null,
            "surname": null,
            "accountEnabled": facets.enabled,
            "userType": if spec.guest { "Guest" } else { "Member" },
            // Null, not false, for users of the cloud.
            "onPremisesSyncEnabled": premises.map(|_| true),
            "onPremisesSamAccountName": text(|account| &account.sam_account_name),
            "onPremisesDomainName": text(|account| &account.domain),
            "onPremisesSecurityIdentifier": text(|account| &account.sid),
            "signInSessionsValidFromDateTime": rfc3339_seconds(facets.sessions_valid_from),
            "lastPasswordChangeDateTime": rfc3339_seconds(facets.password_changed),
        });
        match document {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}

/// Members a read gives when it selects none.
pub(crate) const USUAL: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// Users, roles and domains.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) users: BTreeMap<String, User>,
    /// Domains that another identity provider signs in for.
    pub(crate) federated: Vec<String>,
}

impl Directory {
    /// A user by object id or principal name, as the vendor takes both in the same place.
    pub(crate) fn user(&mut self, key: &str) -> Option<&mut User> {
        let id = match self.users.contains_key(&key.to_ascii_lowercase()) {
            true => key.to_ascii_lowercase(),
            false => self
                .users
                .values()
                .find(|user| user.spec.principal.eq_ignore_ascii_case(key))?
                .spec
                .id
                .clone(),
        };
        self.users.get_mut(&id)
    }

    pub(crate) fn is_federated(&self, principal: &str) -> bool {
        let domain = principal.rsplit('@').next().unwrap_or_default();
        self.federated
            .iter()
            .any(|known| known.eq_ignore_ascii_case(domain))
    }
}

/// A directory role's object id in this tenant, which is not its template's id.
pub(crate) fn role_id(template: &str) -> String {
    let tail = template.get(8..).unwrap_or_default();
    format!("da7aca7e{tail}")
}

/// The template of a role's object id.
pub(crate) fn template_of<'a>(directory: &'a Directory, role: &str) -> Option<&'a str> {
    directory
        .users
        .values()
        .flat_map(|user| &user.spec.roles)
        .find(|template| role_id(template).eq_ignore_ascii_case(role))
        .map(String::as_str)
}

pub(crate) fn role_document(template: &str) -> Map<String, Value> {
    let name = match template {
        GLOBAL_ADMINISTRATOR => "Global Administrator",
        PRIVILEGED_AUTHENTICATION_ADMINISTRATOR => "Privileged Authentication Administrator",
        USER_ADMINISTRATOR => "User Administrator",
        DIRECTORY_READERS => "Directory Readers",
        DIRECTORY_SYNCHRONIZATION => "Directory Synchronization Accounts",
        _ => "Custom Role",
    };
    let document = json!({
        "@odata.type": "#microsoft.graph.directoryRole",
        "id": role_id(template),
        "displayName": name,
        "description": name,
        "roleTemplateId": template,
    });
    match document {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Whether a role makes its holder somebody whom only the most privileged may change.
pub(crate) fn is_privileged(template: &str) -> bool {
    template != DIRECTORY_READERS
}
