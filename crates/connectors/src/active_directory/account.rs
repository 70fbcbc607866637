//! One account as the directory has it.

use std::collections::BTreeSet;

use quell_connector::{Error, Kind, Result};
use quell_model::AssetFacts;

use super::ldap::Entry;
use super::needs;
use super::sid::{Sid, guid};

/// What is read of an account. `tokenGroups` is only given out when one entry is read by its name.
pub(super) const ATTRIBUTES: &[&str] = &[
    "objectClass",
    "objectGUID",
    "objectSid",
    "sAMAccountName",
    "userAccountControl",
    "pwdLastSet",
    "adminCount",
    "isCriticalSystemObject",
    "servicePrincipalName",
    "tokenGroups",
    "uSNChanged",
];

/// Bits of `userAccountControl`.
pub(super) mod control {
    pub(crate) const DISABLED: i64 = 0x2;
    /// Trusts between domains, workstations and servers, domain controllers.
    pub(crate) const MACHINES: i64 = 0x800 | 0x1000 | 0x2000;
    pub(crate) const NEVER_EXPIRES: i64 = 0x1_0000;
}

/// Groups of a domain whose members administer it: domain controllers, domain, schema and enterprise
/// administrators, read-only domain controllers, key administrators of domain and enterprise.
const DOMAIN_GROUPS: [u32; 7] = [516, DOMAIN_ADMINS, 518, 519, 521, 526, 527];
/// Groups of every Windows that come to the same on a domain controller: administrators, operators of
/// accounts, servers, printers and backups.
const BUILT_IN_GROUPS: [u32; 5] = [544, 548, 549, 550, 551];
/// Relative identifier of the group of domain administrators.
pub(super) const DOMAIN_ADMINS: u32 = 512;

/// Object classes of accounts whose password the directory itself makes and changes.
const MANAGED: [&str; 3] = [
    "msDS-ManagedServiceAccount",
    "msDS-GroupManagedServiceAccount",
    "msDS-DelegatedManagedServiceAccount",
];

/// What kind of account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Person,
    Managed,
    Machine,
}

/// One account.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) guid: String,
    pub(super) sid: Sid,
    pub(super) name: String,
    pub(super) sort: Sort,
    /// `userAccountControl`.
    pub(super) control: i64,
    /// When the password was set, in 100 ns since 1601; 0 when it has to be changed.
    pub(super) password_set: i64,
    /// The change of the server asked that last touched the account. Other servers count differently.
    pub(super) change: i64,
    /// Whatever it belongs to, directly or not.
    pub(super) groups: Vec<Sid>,
    /// Windows itself needs it.
    pub(super) critical: bool,
    protected: bool,
    service: bool,
}

impl Record {
    /// Reads an entry; what may not be read is an error, because nothing is decided on half a record.
    pub(super) fn of(operation: &'static str, entry: &Entry) -> Result<Self> {
        if !entry.holds("objectClass", "user") {
            let detail = "what is named is no account";
            return Err(Error::new(Kind::Unsupported, operation, detail));
        }
        let managed = MANAGED
            .iter()
            .any(|class| entry.holds("objectClass", class));
        let hidden = |attribute: &str| {
            let detail = format!(
                "`{attribute}` of the account cannot be read; grant `{}` on it{}",
                needs::READ,
                if attribute == "tokenGroups" {
                    ", or membership in the group Windows Authorization Access Group"
                } else {
                    ""
                }
            );
            Error::new(Kind::PermissionMissing, operation, detail)
        };
        let number = |attribute| entry.number(attribute).ok_or_else(|| hidden(attribute));
        let control = number("userAccountControl")?;
        let groups: Vec<Sid> = entry
            .all("tokenGroups")
            .iter()
            .filter_map(|sid| Sid::from_bytes(sid))
            .collect();
        // Every account belongs to something, its primary group at least.
        if groups.is_empty() {
            return Err(hidden("tokenGroups"));
        }
        let name = entry
            .text("sAMAccountName")
            .ok_or_else(|| hidden("sAMAccountName"))?;
        let machine = control & control::MACHINES != 0
            || entry.holds("objectClass", "computer")
            || name.ends_with('$');
        Ok(Self {
            guid: entry
                .bytes("objectGUID")
                .and_then(guid)
                .ok_or_else(|| hidden("objectGUID"))?,
            sid: entry
                .bytes("objectSid")
                .and_then(Sid::from_bytes)
                .ok_or_else(|| hidden("objectSid"))?,
            name: name.to_owned(),
            sort: match (managed, machine) {
                (true, _) => Sort::Managed,
                (false, true) => Sort::Machine,
                (false, false) => Sort::Person,
            },
            control,
            // Missing until a first password is set.
            password_set: entry.number("pwdLastSet").unwrap_or(0),
            change: number("uSNChanged")?,
            groups,
            critical: entry.holds("isCriticalSystemObject", "TRUE"),
            protected: entry.number("adminCount").is_some_and(|count| count > 0),
            service: managed || !entry.all("servicePrincipalName").is_empty(),
        })
    }

    /// The name to find it by for whoever changes it: it stays when the account is renamed or moved.
    pub(super) fn place(&self) -> String {
        format!("<GUID={}>", self.guid)
    }

    pub(super) const fn disabled(&self) -> bool {
        self.control & control::DISABLED != 0
    }

    /// Whether it is a domain administrator, directly or not.
    pub(super) fn administers_domain(&self) -> bool {
        self.groups.contains(&self.sid.sibling(DOMAIN_ADMINS))
    }

    /// Whether it has an administrator's rights. `adminCount` stays when they are taken away, so it is
    /// only a hint, and one that is heeded.
    fn privileged(&self) -> bool {
        let administers = |group: &Sid| match group.built_in() {
            Some(relative) => BUILT_IN_GROUPS.contains(&relative),
            None => {
                let relative = group.relative();
                group.of_a_domain() && relative.is_some_and(|id| DOMAIN_GROUPS.contains(&id))
            }
        };
        self.protected || self.groups.iter().any(administers)
    }

    /// What the live record says of it, for the second decision.
    pub(super) fn asset(&self) -> AssetFacts {
        let labels = [
            ("privileged", self.privileged()),
            ("service-account", self.service),
        ];
        let labels: BTreeSet<String> = labels
            .iter()
            .filter(|(_, holds)| *holds)
            .map(|(label, _)| (*label).to_owned())
            .collect();
        AssetFacts {
            labels,
            ..AssetFacts::default()
        }
    }
}
