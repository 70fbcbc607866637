//! What can be remediated: properties with a wanted value, and one-shots.
//!
//! A property is read before and after it is written, so idempotency, verification and undo are
//! the engine's. A one-shot leaves no settable state and is performed at most once.

use std::fmt::{self, Debug};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::{
    AccessKey, Account, CloudInstance, EmailMessage, Entity, EntityType, File, Host, InboxRule,
    NetworkIndicator, Process, Sender,
};

/// An entity struct that an action can target.
pub trait Target: Clone + Send + Sync + 'static {
    /// Which kind of entity it is.
    const TYPE: EntityType;
    /// The struct inside `entity`, if it is of this kind.
    fn of(entity: &Entity) -> Option<&Self>;
}

/// Something a vendor can be asked to be, and asked about.
pub trait Property: Send + Sync + 'static {
    /// Its name.
    const ID: PropertyId;
    /// What has the property.
    type Target: Target;
    /// The values it can take.
    type Value: Clone + Eq + Debug + Send + Sync + Serialize + DeserializeOwned + 'static;
}

/// A deed that leaves no settable state.
pub trait OneShot: Send + Sync + 'static {
    /// Its name.
    const ID: OneShotId;
    /// What it is done to.
    type Target: Target;
}

/// A property's value with its type erased: what the store keeps and the engine compares.
///
/// Plain values are texts (`"contained"`); a value that must carry what to restore is an object
/// (`{"folder": "Inbox"}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Setting(Value);

impl Setting {
    /// Erases a typed value; `None` when the value does not serialise, which no value of ours does.
    #[must_use]
    pub fn of<V: Serialize>(value: &V) -> Option<Self> {
        serde_json::to_value(value).ok().map(Self)
    }

    /// A plain value by name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(Value::String(name.to_owned()))
    }

    /// The typed value, if it is one of `V`.
    #[must_use]
    pub fn typed<V: DeserializeOwned>(&self) -> Option<V> {
        V::deserialize(&self.0).ok()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::String(name) => f.write_str(&name.replace('_', " ")),
            other => fmt::Display::fmt(other, f),
        }
    }
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used in JSON and in the store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

names! {
    /// Names of the properties.
    PropertyId {
        /// A host is cut off from the network, but for the vendor's own channel.
        HostContainment = "host.containment",
        /// A file lies in quarantine or in its place.
        FilePlace = "file.place",
        /// A file hash may or may not run.
        HashVerdict = "hash.verdict",
        /// An account may or may not sign in.
        AccountEnabled = "account.enabled",
        /// A message lies in a mailbox folder, in the trash or in quarantine.
        MessagePlace = "message.place",
        /// Mail from a sender is refused or not.
        SenderBlock = "sender.block",
        /// A mailbox rule exists or not.
        InboxRulePresence = "inbox_rule.presence",
        /// A forwarding address is set or not.
        ForwardingPresence = "forwarding.presence",
        /// Traffic to a domain, address or URL is refused or not.
        IndicatorBlock = "indicator.block",
        /// A cloud instance runs or not.
        InstancePower = "instance.power",
        /// An access key works or not.
        AccessKeyStatus = "access_key.status",
    }
}

names! {
    /// Names of the one-shots.
    OneShotId {
        /// End a process.
        KillProcess = "process.kill",
        /// End an account's sessions.
        RevokeSessions = "account.revoke_sessions",
        /// Make the password useless and force a new one.
        ResetPassword = "account.reset_password",
        /// Remove an access key for good.
        DeleteAccessKey = "access_key.delete",
    }
}

macro_rules! properties {
    ($($(#[$doc:meta])* $marker:ident: $target:ty => $value:ident {
        $($(#[$vdoc:meta])* $variant:ident $({ $($(#[$fdoc:meta])* $field:ident: $type:ty),* })?,)*
    })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $marker;

        #[doc = concat!("Values of [`", stringify!($marker), "`].")]
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $value { $($(#[$vdoc])* $variant $({ $($(#[$fdoc])* $field: $type),* })?,)* }

        impl Property for $marker {
            const ID: PropertyId = PropertyId::$marker;
            type Target = $target;
            type Value = $value;
        }
    )* };
}

properties! {
    /// `host.containment`
    HostContainment: Host => Containment {
        /// Cut off.
        Contained,
        /// On the network.
        Released,
    }
    /// `file.place`
    FilePlace: File => FilePlaceValue {
        /// In the vendor's quarantine.
        Quarantined,
        /// Where it was.
        InPlace,
    }
    /// `hash.verdict`
    HashVerdict: File => Verdict {
        /// May not run anywhere.
        Banned,
        /// No verdict of the organization's own.
        Neutral,
        /// Runs, and is reported: somebody's decision, which a ban replaces and an undo restores.
        Watched,
        /// Allowed on purpose: somebody's decision, which Quell does not overrule.
        Allowed,
    }
    /// `account.enabled`
    AccountEnabled: Account => Enablement {
        /// May not sign in.
        Disabled,
        /// May sign in.
        Enabled,
    }
    /// `message.place`
    MessagePlace: EmailMessage => MessagePlaceValue {
        /// In quarantine.
        Quarantine,
        /// In the trash.
        Trash,
        /// In a folder.
        Folder {
            /// The folder's name or id at the vendor.
            name: String
        },
    }
    /// `sender.block`
    SenderBlock: Sender => Blocking {
        /// Refused.
        Blocked,
        /// Let through.
        Clear,
    }
    /// `inbox_rule.presence`
    InboxRulePresence: InboxRule => Presence {
        /// Not there.
        Removed,
        /// There, with what it takes to make it again.
        Present {
            /// The vendor's definition of it.
            definition: Value
        },
    }
    /// `instance.power`
    InstancePower: CloudInstance => Power {
        /// Off.
        Stopped,
        /// On.
        Running,
    }
    /// `access_key.status`
    AccessKeyStatus: AccessKey => KeyStatus {
        /// Does not work.
        Inactive,
        /// Works.
        Active,
    }
}

/// `forwarding.presence`
#[derive(Debug, Clone, Copy)]
pub struct ForwardingPresence;

impl Property for ForwardingPresence {
    const ID: PropertyId = PropertyId::ForwardingPresence;
    type Target = InboxRule;
    type Value = Presence;
}

/// `indicator.block`
#[derive(Debug, Clone, Copy)]
pub struct IndicatorBlock;

impl Property for IndicatorBlock {
    const ID: PropertyId = PropertyId::IndicatorBlock;
    type Target = NetworkIndicator;
    type Value = Blocking;
}

macro_rules! one_shots {
    ($($(#[$doc:meta])* $marker:ident: $target:ty;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $marker;

        impl OneShot for $marker {
            const ID: OneShotId = OneShotId::$marker;
            type Target = $target;
        }
    )* };
}

one_shots! {
    /// `process.kill`
    KillProcess: Process;
    /// `account.revoke_sessions`
    RevokeSessions: Account;
    /// `account.reset_password`
    ResetPassword: Account;
    /// `access_key.delete`
    DeleteAccessKey: AccessKey;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erased_value_comes_back_as_itself_and_not_as_another_property_s() {
        let erased = Setting::of(&Containment::Contained).unwrap();
        assert_eq!(erased, Setting::named("contained"));
        assert_eq!(erased.typed::<Containment>(), Some(Containment::Contained));
        assert_eq!(erased.typed::<Verdict>(), None);
    }

    #[test]
    fn a_value_keeps_what_it_takes_to_restore_it() {
        let folder = MessagePlaceValue::Folder {
            name: "Inbox/Clients".into(),
        };
        assert_eq!(Setting::of(&folder).unwrap().typed(), Some(folder));
    }
}
