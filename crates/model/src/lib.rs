//! The vocabulary every Quell crate shares.
//!
//! Owns the nouns of the product (alert, entity, action, decision, ids) and the seams for time,
//! ids and secrets. It deliberately owns no behaviour that touches the outside world: no I/O, no
//! async runtime, no vendor knowledge, and it uses no other crate of ours.

pub mod action;
pub mod alert;
pub mod asset;
pub mod catalogue;
pub mod clock;
pub mod decision;
pub mod entity;
pub mod id;
pub mod notice;
pub mod property;
pub mod quorum;
pub mod secret;
pub mod text;

pub use action::{Action, ActionState, Basis, Cause, Clocks, EffectBy, Transition};
pub use alert::{Alert, AlertKind, AlertStatus, Severity, Technique};
pub use asset::{AssetClass, AssetFacts, FileFacts};
pub use catalogue::{ActionType, Effect};
pub use clock::{Clock, IdSource, RandomIds};
pub use decision::{Decision, Outcome, Reason};
pub use entity::{Entity, EntityType};
pub use id::{
    ActionId, AlertId, ConnectionId, IncidentId, ListEntryId, NodeId, OrganizationId, QuestionId,
};
pub use notice::{Notice, NoticeKind};
pub use property::{OneShot, OneShotId, Property, PropertyId, Setting, Target};
pub use quorum::{Person, Quorum, Role};
pub use secret::Secret;
