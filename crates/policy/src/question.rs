//! What policy is asked: one action on one target, with everything known at that moment. Owns the
//! inputs of a decision; where they come from is the caller's business.

use quell_model::action::Basis;
use quell_model::entity::{IndicatorKind, NetworkIndicator};
use quell_model::{ActionType, AssetClass, AssetFacts, Entity, FileFacts};

use crate::lists;

/// Names of the lists whose meaning ships with Quell.
pub mod list {
    /// Nobody through Quell, not even after a yes.
    pub const NEVER: &str = "never";
    /// Never by itself.
    pub const ASK: &str = "ask";
    /// There is an allow list, and the target is not on it.
    pub const NOT_ALLOWED: &str = "not-allowed";
}

/// One action on one target, and the facts a decision may use.
///
/// What follows from the target alone (a file lies in a system directory, a process is one the
/// machine cannot do without) is worked out here, from `target`.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What would be done.
    pub action: ActionType,
    /// To what.
    pub target: &'a Entity,
    /// What is known of the target; for a process or a file, of the machine it is on.
    pub asset: &'a AssetFacts,
    /// What is known of the alerts behind it.
    pub basis: &'a Basis,
    /// What is known of the file, when the target is one.
    pub file: FileFacts,
    /// Names of the lists the target is on ([`list::NEVER`], [`list::ASK`], the organization's own),
    /// looked up by the caller immediately before asking.
    pub lists: &'a [&'a str],
    /// Words about the strongest entry the target is on, for the reason people read.
    pub entry: Option<&'a str>,
}

impl Question<'_> {
    /// The vendor's confidence; a number that is no percentage is no confidence.
    pub(crate) fn confidence(&self) -> Option<u8> {
        self.basis
            .confidence
            .filter(|confidence| *confidence <= 100)
    }

    /// Why the target is no sensible target of a block, if that is what it is: one sentence.
    pub(crate) fn special(&self) -> Option<&'static str> {
        self.blocked(lists::special)
    }

    /// Why a block of the target would hit many others, if it would: one sentence.
    pub(crate) fn shared(&self) -> Option<&'static str> {
        self.blocked(lists::shared)
    }

    /// What is found about the destination or the whole domain that a block would be about.
    fn blocked(&self, find: fn(&NetworkIndicator) -> Option<&'static str>) -> Option<&'static str> {
        match self.target {
            Entity::NetworkIndicator(indicator) => find(indicator),
            Entity::Sender(sender) if !sender.value.contains('@') => find(&NetworkIndicator {
                kind: IndicatorKind::Domain,
                value: sender.value.clone(),
            }),
            _ => None,
        }
    }

    /// The class of the machine. Where the facts and the host itself disagree, the more protected
    /// class counts.
    pub(crate) fn class(&self) -> AssetClass {
        let of = |class| AssetFacts {
            class,
            ..AssetFacts::default()
        };
        match self.target {
            Entity::Host(host) => of(self.asset.class).with(&of(host.class)).class,
            _ => self.asset.class,
        }
    }
}
