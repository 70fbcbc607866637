//! What a connector implements, and the table that says so.
//!
//! A vendor lists a row per property it controls and per one-shot it performs. Listing one that is
//! not implemented does not compile, so the table can be the only source of documentation,
//! permission lists and conformance tests.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use quell_model::{
    AssetFacts, Entity, FileFacts, OneShot, OneShotId, Property, PropertyId, Setting, Target,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::{BoxFuture, Call};

/// A property this vendor can read and set.
pub trait Control<P: Property>: Send + Sync {
    /// Reads the vendor's present state of `target`.
    fn read(
        &self,
        cx: &Call,
        target: &P::Target,
    ) -> impl Future<Output = Result<Observed<P::Value>>> + Send;

    /// Asks the vendor to bring `target` to `want`. `Ok` means accepted, never done.
    fn write(
        &self,
        cx: &Call,
        target: &P::Target,
        want: &P::Value,
    ) -> impl Future<Output = Result<Receipt>> + Send;
}

/// A deed this vendor can perform.
pub trait Perform<O: OneShot>: Send + Sync {
    /// Looks at the target before anything is done to it: what the live record says of it goes into the
    /// second decision, and what stands in the way is found before it is tried. Changes nothing.
    fn look(&self, _cx: &Call, _target: &O::Target) -> impl Future<Output = Result<Sight>> + Send {
        async { Ok(Sight::default()) }
    }

    /// Performs the deed once.
    fn perform(
        &self,
        cx: &Call,
        target: &O::Target,
    ) -> impl Future<Output = Result<Receipt>> + Send;

    /// What became of it, from the receipt alone: after a restart nothing else is left.
    fn progress(
        &self,
        cx: &Call,
        target: &O::Target,
        receipt: &Receipt,
    ) -> impl Future<Output = Result<Progress>> + Send;
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed<V> {
    /// The property's value, as far as it can be told.
    pub reading: Reading<V>,
    /// What the vendor's live record says of the target. It goes into the second decision, so that
    /// a document that misnames a domain controller does not get one contained.
    pub asset: AssetFacts,
    /// What the vendor knows of the file, when the target is one. It goes into the second decision
    /// too, so that a file half the fleet runs is not banned because one alert named it.
    pub file: FileFacts,
    /// What stands in the way of the action, though not of taking it back.
    pub obstacle: Option<Obstacle>,
}

impl<V> Observed<V> {
    /// A reading with nothing else learnt.
    #[must_use]
    pub fn of(reading: Reading<V>) -> Self {
        Self {
            reading,
            asset: AssetFacts::default(),
            file: FileFacts::default(),
            obstacle: None,
        }
    }
}

/// What a look at a target found before anything is done to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// What the vendor's live record says of the target.
    pub asset: AssetFacts,
    /// What stands in the way of the deed.
    pub obstacle: Option<Obstacle>,
}

/// Why something must not or cannot be done through this connection, known before it is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Name of the check (`last-administrator`), as reasons of decisions have one.
    pub rule: &'static str,
    /// One sentence for people: what was found.
    pub text: String,
    /// What can be done instead.
    pub instead: Instead,
}

/// What can be done instead of what an obstacle keeps Quell from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// Nothing: nobody may do it through Quell.
    Nothing,
    /// Only a person can, elsewhere.
    Person,
    /// Another system holds the target: a connection of `connector` can do it to `target`, if the
    /// organization has one. Else it is for a person.
    Other {
        /// Id of the connector (`active-directory`).
        connector: &'static str,
        /// The target with what that system knows it by.
        target: Box<Entity>,
    },
}

/// A property's value. "Containment pending" is not "contained".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<V> {
    /// The value is this.
    Settled(V),
    /// The vendor is on its way there.
    Moving {
        /// Where to.
        to: V,
    },
    /// The vendor has no way to tell.
    Unreadable,
}

/// What the vendor answered to a write or a deed, kept for polling and for the record. No secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The vendor already was in the wanted state and changed nothing.
    #[serde(default)]
    pub unchanged: bool,
    /// The vendor's ids and words, as needed by [`Perform::progress`].
    #[serde(default)]
    pub evidence: Value,
}

impl Receipt {
    /// A receipt with the vendor's ids and words.
    #[must_use]
    pub const fn of(evidence: Value) -> Self {
        Self {
            unchanged: false,
            evidence,
        }
    }

    /// The vendor said the state was already there.
    #[must_use]
    pub const fn unchanged(evidence: Value) -> Self {
        Self {
            unchanged: true,
            evidence,
        }
    }
}

/// What became of a deed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Done, and seen to be done.
    Done {
        /// One sentence: what was seen.
        note: String,
    },
    /// Done as far as the vendor tells.
    Unconfirmed {
        /// One sentence: why it cannot be seen.
        note: String,
    },
    /// It had already happened by itself; there was nothing to do.
    AlreadySo {
        /// One sentence: what was found.
        note: String,
    },
    /// Not yet.
    Pending,
    /// The vendor says it did not work.
    Failed {
        /// One sentence: why.
        note: String,
    },
    /// Nobody can tell.
    Lost,
}

/// What documentation, permission lists, throttling and the engine need to know of a row.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Permissions the credentials need, as the vendor's console names them.
    pub needs: &'static [&'static str],
    /// How long the effect normally takes to show; after it the engine reports what it sees.
    pub settle: Duration,
    /// The vendor's page about the endpoint.
    pub docs: &'static str,
    /// What surprises people, one sentence each.
    pub quirks: &'static [&'static str],
}

/// One line of a connector's table.
pub struct Row<C> {
    /// What it is about.
    pub about: About,
    /// What there is to know.
    pub facts: Facts,
    bind: fn(&Arc<C>) -> Bound,
}

impl<C> Row<C> {
    /// The row of a built connector.
    #[must_use]
    pub fn bind(&self, connector: &Arc<C>) -> Bound {
        (self.bind)(connector)
    }
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum About {
    /// A property.
    Property(PropertyId),
    /// A one-shot.
    OneShot(OneShotId),
}

impl About {
    /// The name of the property or one-shot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Property(id) => id.as_str(),
            Self::OneShot(id) => id.as_str(),
        }
    }
}

/// A row with its types erased, as the engine uses it.
#[derive(Clone)]
pub enum Bound {
    /// Read and write.
    Control(Arc<dyn AnyControl>),
    /// Perform once.
    Perform(Arc<dyn AnyPerform>),
}

/// The row of a property.
#[must_use]
pub const fn control<C: Control<P> + 'static, P: Property>(facts: Facts) -> Row<C> {
    Row {
        about: About::Property(P::ID),
        facts,
        bind: |connector| Bound::Control(Arc::new(Erased::<C, P>(connector.clone(), PhantomData))),
    }
}

/// The row of a one-shot.
#[must_use]
pub const fn perform<C: Perform<O> + 'static, O: OneShot>(facts: Facts) -> Row<C> {
    Row {
        about: About::OneShot(O::ID),
        facts,
        bind: |connector| Bound::Perform(Arc::new(Erased::<C, O>(connector.clone(), PhantomData))),
    }
}

/// [`Control`] with target and value erased.
pub trait AnyControl: Send + Sync {
    /// See [`Control::read`].
    fn read<'a>(
        &'a self,
        cx: &'a Call,
        target: &'a Entity,
    ) -> BoxFuture<'a, Result<Observed<Setting>>>;

    /// See [`Control::write`].
    fn write<'a>(
        &'a self,
        cx: &'a Call,
        target: &'a Entity,
        want: &'a Setting,
    ) -> BoxFuture<'a, Result<Receipt>>;
}

/// [`Perform`] with the target erased.
pub trait AnyPerform: Send + Sync {
    /// See [`Perform::look`].
    fn look<'a>(&'a self, cx: &'a Call, target: &'a Entity) -> BoxFuture<'a, Result<Sight>>;

    /// See [`Perform::perform`].
    fn perform<'a>(&'a self, cx: &'a Call, target: &'a Entity) -> BoxFuture<'a, Result<Receipt>>;

    /// See [`Perform::progress`].
    fn progress<'a>(
        &'a self,
        cx: &'a Call,
        target: &'a Entity,
        receipt: &'a Receipt,
    ) -> BoxFuture<'a, Result<Progress>>;
}

struct Erased<C, T>(Arc<C>, PhantomData<fn() -> T>);

impl<C: Control<P>, P: Property> AnyControl for Erased<C, P> {
    fn read<'a>(
        &'a self,
        cx: &'a Call,
        target: &'a Entity,
    ) -> BoxFuture<'a, Result<Observed<Setting>>> {
        Box::pin(async move {
            let target = typed::<P::Target>(P::ID.as_str(), target)?;
            let observed = self.0.read(cx, target).await?;
            let erase = |value: &P::Value| {
                Setting::of(value).ok_or_else(|| {
                    Error::new(
                        Kind::ReplyUnreadable,
                        P::ID.as_str(),
                        "the value cannot be stored",
                    )
                })
            };
            let reading = match &observed.reading {
                Reading::Settled(value) => Reading::Settled(erase(value)?),
                Reading::Moving { to } => Reading::Moving { to: erase(to)? },
                Reading::Unreadable => Reading::Unreadable,
            };
            Ok(Observed {
                reading,
                asset: observed.asset,
                file: observed.file,
                obstacle: observed.obstacle,
            })
        })
    }

    fn write<'a>(
        &'a self,
        cx: &'a Call,
        target: &'a Entity,
        want: &'a Setting,
    ) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(async move {
            let target = typed::<P::Target>(P::ID.as_str(), target)?;
            let value = want.typed::<P::Value>().ok_or_else(|| {
                Error::new(
                    Kind::Unsupported,
                    P::ID.as_str(),
                    format!("`{want}` is not a value of {}", P::ID.as_str()),
                )
            })?;
            self.0.write(cx, target, &value).await
        })
    }
}

impl<C: Perform<O>, O: OneShot> AnyPerform for Erased<C, O> {
    fn look<'a>(&'a self, cx: &'a Call, target: &'a Entity) -> BoxFuture<'a, Result<Sight>> {
        Box::pin(async move {
            self.0
                .look(cx, typed::<O::Target>(O::ID.as_str(), target)?)
                .await
        })
    }

    fn perform<'a>(&'a self, cx: &'a Call, target: &'a Entity) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(async move {
            self.0
                .perform(cx, typed::<O::Target>(O::ID.as_str(), target)?)
                .await
        })
    }

    fn progress<'a>(
        &'a self,
        cx: &'a Call,
        target: &'a Entity,
        receipt: &'a Receipt,
    ) -> BoxFuture<'a, Result<Progress>> {
        Box::pin(async move {
            self.0
                .progress(cx, typed::<O::Target>(O::ID.as_str(), target)?, receipt)
                .await
        })
    }
}

fn typed<'a, T: Target>(operation: &'static str, entity: &'a Entity) -> Result<&'a T> {
    T::of(entity).ok_or_else(|| {
        let (wanted, given) = (T::TYPE.words(), entity.entity_type().words());
        Error::new(
            Kind::Unsupported,
            operation,
            format!("acts on a {wanted}, not on a {given}"),
        )
    })
}
