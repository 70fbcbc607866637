//! The action catalogue: every action type, what it does, and what takes it back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entity::EntityType;
use crate::property::{OneShotId, PropertyId, Setting};

/// What an action type does to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Set a property to a value.
    Set {
        /// Which property.
        property: PropertyId,
        /// The wanted value's name.
        to: &'static str,
    },
    /// Perform a one-shot.
    Once(OneShotId),
}

struct Entry {
    name: &'static str,
    target: EntityType,
    effect: Effect,
    revert: Option<ActionType>,
    /// Verb phrase for people, imperative: "contain host".
    phrase: &'static str,
    /// What the person at the other end will notice.
    impact: &'static str,
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $variant:ident = $name:literal on $target:ident does $effect:expr,
        undone by $revert:expr, $phrase:literal, $impact:literal;)*) => {
        /// One thing Quell can do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ActionType { $($(#[$doc])* $variant,)* }

        impl ActionType {
            /// Every action type, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            const fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => const {
                        &Entry {
                            name: $name,
                            target: EntityType::$target,
                            effect: $effect,
                            revert: $revert,
                            phrase: $phrase,
                            impact: $impact,
                        }
                    },)*
                }
            }
        }
    };
}

const fn set(property: PropertyId, to: &'static str) -> Effect {
    Effect::Set { property, to }
}

use ActionType as A;
use Effect::Once;
use PropertyId as P;

catalogue! {
    /// Cut a host off from the network.
    ContainHost = "contain_host" on Host does set(P::HostContainment, "contained"),
        undone by Some(A::ReleaseHost), "contain host", "The host loses its network until it is released.";
    /// Put a contained host back on the network.
    ReleaseHost = "release_host" on Host does set(P::HostContainment, "released"),
        undone by None, "release host", "The host is back on the network.";
    /// End a process.
    KillProcess = "kill_process" on Process does Once(OneShotId::KillProcess),
        undone by None, "kill process", "The process ends; unsaved work in it is lost.";
    /// Move a file to quarantine.
    QuarantineFile = "quarantine_file" on File does set(P::FilePlace, "quarantined"),
        undone by Some(A::RestoreFile), "quarantine file", "The file cannot be opened or run.";
    /// Put a quarantined file back.
    RestoreFile = "restore_file" on File does set(P::FilePlace, "in_place"),
        undone by None, "restore file", "The file is back in its place.";
    /// Keep a file hash from running anywhere.
    BlockHash = "block_hash" on File does set(P::HashVerdict, "banned"),
        undone by Some(A::UnblockHash), "ban hash", "The file cannot start on any protected host.";
    /// Take a ban back.
    UnblockHash = "unblock_hash" on File does set(P::HashVerdict, "neutral"),
        undone by None, "unban hash", "The file can start again.";
    /// Keep an account from signing in.
    DisableAccount = "disable_account" on Account does set(P::AccountEnabled, "disabled"),
        undone by Some(A::EnableAccount), "disable account", "The person cannot sign in anywhere.";
    /// Let an account sign in again.
    EnableAccount = "enable_account" on Account does set(P::AccountEnabled, "enabled"),
        undone by None, "enable account", "The person can sign in again.";
    /// End an account's sessions.
    RevokeSessions = "revoke_sessions" on Account does Once(OneShotId::RevokeSessions),
        undone by None, "revoke sessions", "The person has to sign in again.";
    /// Make the password useless.
    ResetPassword = "reset_password" on Account does Once(OneShotId::ResetPassword),
        undone by None, "reset password", "The person has to set a new password.";
    /// Take a message out of every recipient's mailbox.
    QuarantineEmail = "quarantine_email" on EmailMessage does set(P::MessagePlace, "quarantine"),
        undone by Some(A::RestoreEmail), "quarantine e-mail", "The message leaves every recipient's mailbox.";
    /// Put a message back.
    RestoreEmail = "restore_email" on EmailMessage does set(P::MessagePlace, "folder"),
        undone by None, "restore e-mail", "The message is back in the mailboxes.";
    /// Refuse mail from a sender.
    BlockSender = "block_sender" on Sender does set(P::SenderBlock, "blocked"),
        undone by Some(A::UnblockSender), "block sender", "Mail from this sender is refused.";
    /// Accept mail from a sender again.
    UnblockSender = "unblock_sender" on Sender does set(P::SenderBlock, "clear"),
        undone by None, "unblock sender", "Mail from this sender arrives again.";
    /// Remove a mailbox rule.
    RemoveInboxRule = "remove_inbox_rule" on InboxRule does set(P::InboxRulePresence, "removed"),
        undone by Some(A::RecreateInboxRule), "remove inbox rule", "The rule no longer moves or hides mail.";
    /// Make a removed mailbox rule again.
    RecreateInboxRule = "recreate_inbox_rule" on InboxRule does set(P::InboxRulePresence, "present"),
        undone by None, "recreate inbox rule", "The rule works again.";
    /// Remove a forwarding address.
    RemoveForwarding = "remove_forwarding" on InboxRule does set(P::ForwardingPresence, "removed"),
        undone by Some(A::RecreateForwarding), "remove forwarding", "Mail is no longer sent on.";
    /// Set a removed forwarding address again.
    RecreateForwarding = "recreate_forwarding" on InboxRule does set(P::ForwardingPresence, "present"),
        undone by None, "recreate forwarding", "Mail is sent on again.";
    /// Refuse traffic to a domain, address or URL.
    BlockIndicator = "block_indicator" on NetworkIndicator does set(P::IndicatorBlock, "blocked"),
        undone by Some(A::UnblockIndicator), "block indicator", "Nobody reaches this destination.";
    /// Let traffic through again.
    UnblockIndicator = "unblock_indicator" on NetworkIndicator does set(P::IndicatorBlock, "clear"),
        undone by None, "unblock indicator", "The destination can be reached again.";
    /// Stop a cloud instance.
    StopInstance = "stop_instance" on CloudInstance does set(P::InstancePower, "stopped"),
        undone by Some(A::StartInstance), "stop instance", "Whatever the instance serves is down.";
    /// Start a stopped cloud instance.
    StartInstance = "start_instance" on CloudInstance does set(P::InstancePower, "running"),
        undone by None, "start instance", "The instance runs again.";
    /// Make an access key useless.
    DisableAccessKey = "disable_access_key" on AccessKey does set(P::AccessKeyStatus, "inactive"),
        undone by Some(A::EnableAccessKey), "disable access key", "Programs that use the key are refused.";
    /// Make an access key work again.
    EnableAccessKey = "enable_access_key" on AccessKey does set(P::AccessKeyStatus, "active"),
        undone by None, "enable access key", "The key works again.";
    /// Remove an access key for good.
    DeleteAccessKey = "delete_access_key" on AccessKey does Once(OneShotId::DeleteAccessKey),
        undone by None, "delete access key", "The key is gone for good.";
}

impl ActionType {
    /// The name used in JSON, policy and the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.entry().name
    }

    /// What kind of entity it acts on.
    #[must_use]
    pub const fn target(self) -> EntityType {
        self.entry().target
    }

    /// What it does.
    #[must_use]
    pub const fn effect(self) -> Effect {
        self.entry().effect
    }

    /// The action type that takes it back, where one exists.
    #[must_use]
    pub const fn revert(self) -> Option<Self> {
        self.entry().revert
    }

    /// The verb phrase for people, imperative ("contain host").
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        self.entry().phrase
    }

    /// One sentence: what people will notice.
    #[must_use]
    pub const fn impact(self) -> &'static str {
        self.entry().impact
    }

    /// The value a property is set to, for those action types that set one.
    #[must_use]
    pub fn wanted(self) -> Option<Setting> {
        match self.effect() {
            Effect::Set { to, .. } => Some(Setting::named(to)),
            Effect::Once(_) => None,
        }
    }

    /// The action type of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == name)
    }

    /// The name of the thing only one live action at a time may change on a target: the property,
    /// or the one-shot itself.
    #[must_use]
    pub const fn slot(self) -> &'static str {
        match self.effect() {
            Effect::Set { property, .. } => property.as_str(),
            Effect::Once(one_shot) => one_shot.as_str(),
        }
    }
}

impl fmt::Display for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_revert_acts_on_the_same_slot_and_kind_of_target() {
        for action in ActionType::ALL {
            if let Some(revert) = action.revert() {
                assert_eq!(revert.slot(), action.slot(), "{action}");
                assert_eq!(revert.target(), action.target(), "{action}");
                assert_ne!(revert.wanted(), action.wanted(), "{action}");
            }
        }
    }

    #[test]
    fn every_property_and_one_shot_is_reached_by_an_action() {
        let slots: BTreeSet<_> = ActionType::ALL.iter().map(|a| a.slot()).collect();
        for property in PropertyId::ALL {
            assert!(slots.contains(property.as_str()), "{}", property.as_str());
        }
        for one_shot in OneShotId::ALL {
            assert!(slots.contains(one_shot.as_str()), "{}", one_shot.as_str());
        }
    }

    #[test]
    fn the_name_in_json_is_the_name_everywhere_else() {
        for action in ActionType::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
            assert_eq!(ActionType::named(action.as_str()), Some(*action));
        }
    }
}
