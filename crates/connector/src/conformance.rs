//! The conformance suite: what every row of every connector must do, against its vendor's twin.
//!
//! A connector gives the suite a [`Bench`] and gets a list of cases. Each case starts a bench of its
//! own, so cases know nothing of each other and run in any order. What is particular to a vendor
//! stays in that vendor's own tests.

macro_rules! ensure {
    ($holds:expr, $($told:tt)+) => {
        if !$holds {
            return Err(format!($($told)+));
        }
    };
}

mod control;
mod perform;

use std::sync::Arc;
use std::time::Duration;

use quell_model::{ActionType, Clock, Effect, Entity, Secret, Setting};

use crate::contract::About;
use crate::error::Error;
use crate::vendor::{Connected, Connector};
use crate::{BoxFuture, Call, Passwords};

/// Trouble a twin makes for the request that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The next one is refused with 401 and its credential stays dead; a fresh one works.
    CredentialRevoked,
    /// Every request is refused with 401, whatever the credential.
    CredentialsUseless,
    /// The credential lacks the permission to change anything.
    PermissionMissing,
    /// The next one is told to wait, for so long or without saying how long.
    Throttled(Option<Duration>),
    /// The next one fails at the vendor before anything is applied.
    Unavailable,
    /// The next one is applied, and its reply never arrives.
    ReplyLost,
    /// The next one gets a success status with a failure in the body, and is not applied.
    FailureInBody,
}

/// A vendor's twin with one connection to it, started for one case.
pub trait Bench: Send + Sync + 'static {
    /// A connection built from scratch, as after a restart.
    fn connect(&self) -> Connected;
    /// The clock the connection runs on; the twin's clock goes with it.
    fn clock(&self) -> Arc<dyn Clock>;
    /// A target the vendor knows, in the state nobody has touched.
    fn target(&self, row: About) -> Entity;
    /// A target the vendor does not know, with this id.
    fn stranger(&self, row: About, id: &str) -> Entity;
    /// Whether the vendor takes any target of this row, so that none can be missing.
    fn knows_every_target(_row: About) -> bool {
        false
    }
    /// Why a case cannot be tried here, for those the vendor leaves no room for.
    fn leaves_out(_row: About, _case: &str) -> Option<&'static str> {
        None
    }
    /// Makes trouble.
    fn make(&self, row: About, trouble: Trouble);
    /// Makes the effect show this late.
    fn slow(&self, row: About, by: Duration);
    /// How often the target was really changed.
    fn changes(&self, row: About, target: &Entity) -> u64;
    /// Whether there are credentials to ask for; some vendors have each request signed instead.
    fn signs_in() -> bool {
        true
    }
    /// How often credentials were asked for.
    fn sign_ins(&self) -> u64;
}

/// What a case found wrong.
pub type Outcome = Result<(), String>;

/// One case of one row.
pub struct Case {
    /// `crowdstrike::host.containment::repeat_is_a_no_op`
    pub name: String,
    /// Runs it on a fresh bench.
    pub run: Box<dyn FnOnce() -> BoxFuture<'static, Outcome> + Send>,
}

/// Every case of every row of `connector`.
#[must_use]
pub fn cases<B: Bench>(
    connector: &'static Connector,
    start: fn() -> BoxFuture<'static, B>,
) -> Vec<Case> {
    let mut cases = Vec::new();
    for row in connector.rows() {
        let about = row.about;
        let mut add = |name: &str, run: fn(Stand<B>) -> BoxFuture<'static, Outcome>| {
            if name == MISSING && B::knows_every_target(about) {
                return;
            }
            if B::leaves_out(about, name).is_some() {
                return;
            }
            cases.push(Case {
                name: format!("{}::{}::{name}", connector.id, about.as_str()),
                run: Box::new(move || {
                    Box::pin(async move { run(Stand::new(start().await, about)?).await })
                }),
            });
        };
        match about {
            About::Property(_) => control::cases(&mut add),
            About::OneShot(_) => perform::cases(&mut add),
        }
    }
    cases
}

/// Name of the case that a row with no missing targets leaves out.
const MISSING: &str = "target_missing";
/// How long one call may take; the engine's own is not far from it.
const CALL: Duration = Duration::from_secs(90);
/// Characters that end strings, parameters, paths and queries somewhere.
const ODD: &str = "x'\"/../?&=%00;#\\ \u{e9}";

/// A bench with the row under test.
struct Stand<B> {
    bench: B,
    about: About,
    effect: Effect,
    wanted: Option<Setting>,
    back: Option<Setting>,
    target: Entity,
}

impl<B: Bench> Stand<B> {
    fn new(bench: B, about: About) -> Result<Self, String> {
        let serves = |action: &&ActionType| match (action.effect(), about) {
            (Effect::Set { property, .. }, About::Property(id)) => {
                property == id && action.revert().is_some()
            }
            (Effect::Once(one_shot), About::OneShot(id)) => one_shot == id,
            _ => false,
        };
        let action = ActionType::ALL.iter().find(serves);
        let action = action.ok_or_else(|| format!("no action uses {}", about.as_str()))?;
        Ok(Self {
            target: bench.target(about),
            effect: action.effect(),
            wanted: action.wanted(),
            back: action.revert().and_then(ActionType::wanted),
            bench,
            about,
        })
    }

    fn call(&self) -> Call {
        Call::new(self.bench.clock(), CALL, "act_conformance").keeping(Arc::new(NoSafe))
    }

    fn changes(&self) -> u64 {
        self.bench.changes(self.about, &self.target)
    }

    fn make(&self, trouble: Trouble) {
        self.bench.make(self.about, trouble);
    }
}

/// Gives out a password and keeps none.
struct NoSafe;

impl Passwords for NoSafe {
    fn issue(&self) -> BoxFuture<'_, crate::Result<Secret>> {
        let password = Secret::new("Conformance-7-suite-Xy!q".to_owned());
        Box::pin(async { Ok(password) })
    }

    fn keep<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, crate::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

type Add<'a, B> = &'a mut dyn FnMut(&str, fn(Stand<B>) -> BoxFuture<'static, Outcome>);

fn told(error: Error) -> String {
    format!("{error:?}")
}
