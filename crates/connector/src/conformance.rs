//! The conformance suite: what every row of every connector must do, against its vendor's twin.
//!
//! A connector gives the suite a [`Bench`] and gets a list of cases. Each case starts a bench of its
//! own, so cases know nothing of each other and run in any order. What is particular to a vendor
//! stays in that vendor's own tests.

use std::sync::Arc;
use std::time::Duration;

use quell_model::{ActionType, Clock, Effect, Entity, Setting};

use crate::contract::{About, AnyControl, AnyPerform, Facts, Progress, Reading, Receipt};
use crate::error::{Error, Kind};
use crate::vendor::{Connected, Connector};
use crate::{BoxFuture, Call};

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
    /// Makes trouble.
    fn make(&self, row: About, trouble: Trouble);
    /// Makes the effect show this late.
    fn slow(&self, row: About, by: Duration);
    /// How often the target was really changed.
    fn changes(&self, row: About, target: &Entity) -> u64;
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
            cases.push(Case {
                name: format!("{}::{}::{name}", connector.id, about.as_str()),
                run: Box::new(move || {
                    Box::pin(async move { run(Stand::new(start().await, about)?).await })
                }),
            });
        };
        match about {
            About::Property(_) => control_cases(&mut add),
            About::OneShot(_) => perform_cases(&mut add),
        }
    }
    cases
}

macro_rules! ensure {
    ($holds:expr, $($told:tt)+) => {
        if !$holds {
            return Err(format!($($told)+));
        }
    };
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
        Call::new(self.bench.clock(), CALL, "act_conformance")
    }

    fn changes(&self) -> u64 {
        self.bench.changes(self.about, &self.target)
    }

    fn make(&self, trouble: Trouble) {
        self.bench.make(self.about, trouble);
    }
}

/// A row that reads and writes, on one connection.
struct Controlled {
    control: Arc<dyn AnyControl>,
    facts: Facts,
    wanted: Setting,
    back: Setting,
}

impl<B: Bench> Stand<B> {
    fn controlled(&self) -> Result<Controlled, String> {
        let connected = self.bench.connect();
        let control = connected.control(self.effect).cloned();
        let facts = connected.facts(self.effect).copied();
        match (control, facts, self.wanted.clone(), self.back.clone()) {
            (Some(control), Some(facts), Some(wanted), Some(back)) => Ok(Controlled {
                control,
                facts,
                wanted,
                back,
            }),
            _ => Err("the row cannot be bound".to_owned()),
        }
    }

    async fn write(&self, row: &Controlled, want: &Setting) -> Result<Receipt, Error> {
        row.control.write(&self.call(), &self.target, want).await
    }

    async fn read(&self, row: &Controlled) -> Result<Reading<Setting>, String> {
        let observed = row.control.read(&self.call(), &self.target).await;
        observed.map(|observed| observed.reading).map_err(told)
    }

    /// Reads until the value is there, for as long as the row says it may take.
    async fn settle(&self, row: &Controlled, want: &Setting) -> Outcome {
        let clock = self.bench.clock();
        let end = crate::call::later(clock.now(), row.facts.settle);
        loop {
            let reading = self.read(row).await?;
            match &reading {
                Reading::Settled(value) if value == want => return Ok(()),
                _ if clock.now() >= end => {
                    return Err(format!("it never became `{want}`; it reads {reading:?}"));
                }
                _ => clock.sleep(Duration::from_secs(2)).await,
            }
        }
    }

    /// Writes, settles, and sees that it happened precisely once.
    async fn happens_once(&self, row: &Controlled) -> Result<Receipt, String> {
        let before = self.changes();
        let receipt = self.write(row, &row.wanted).await.map_err(told)?;
        self.settle(row, &row.wanted).await?;
        let changes = self.changes() - before;
        ensure!(changes == 1, "the target was changed {changes} times");
        Ok(receipt)
    }

    async fn refused(&self, row: &Controlled, kind: Kind) -> Result<Error, String> {
        match self.write(row, &row.wanted).await {
            Ok(receipt) => Err(format!("it was accepted: {receipt:?}")),
            Err(error) if error.kind != kind => Err(format!("expected {kind:?}: {error:?}")),
            Err(error) => {
                let changes = self.changes();
                ensure!(changes == 0, "refused, and changed {changes} times");
                Ok(error)
            }
        }
    }
}

type Add<'a, B> = &'a mut dyn FnMut(&str, fn(Stand<B>) -> BoxFuture<'static, Outcome>);

fn control_cases<B: Bench>(add: Add<'_, B>) {
    add("first_write_settles", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            let before = stand.read(&row).await?;
            let untouched = Reading::Settled(row.back.clone());
            ensure!(
                before == untouched,
                "before anything was done it reads {before:?}"
            );
            let receipt = stand.happens_once(&row).await?;
            ensure!(
                !receipt.unchanged,
                "the first write says it changed nothing"
            );
            Ok(())
        })
    });
    add("repeat_is_a_no_op", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.happens_once(&row).await?;
            let receipt = stand.write(&row, &row.wanted).await.map_err(told)?;
            ensure!(
                receipt.unchanged,
                "the second write does not say that it changed nothing"
            );
            let changes = stand.changes();
            ensure!(changes == 1, "the target was changed {changes} times");
            stand.settle(&row, &row.wanted).await
        })
    });
    add("read_after_restart", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.happens_once(&row).await?;
            let again = stand.controlled()?;
            let reading = stand.read(&again).await?;
            ensure!(
                reading == Reading::Settled(row.wanted),
                "it reads {reading:?}"
            );
            Ok(())
        })
    });
    add("undo", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.happens_once(&row).await?;
            // After a restart: what it takes to undo is at the vendor, not in memory.
            let row = stand.controlled()?;
            let receipt = stand.write(&row, &row.back).await.map_err(told)?;
            ensure!(!receipt.unchanged, "the undo says it changed nothing");
            stand.settle(&row, &row.back).await
        })
    });
    add("undo_twice", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.happens_once(&row).await?;
            stand.write(&row, &row.back).await.map_err(told)?;
            stand.settle(&row, &row.back).await?;
            let receipt = stand.write(&row, &row.back).await.map_err(told)?;
            ensure!(
                receipt.unchanged,
                "the second undo does not say that it changed nothing"
            );
            stand.settle(&row, &row.back).await
        })
    });
    add("again_after_an_undo", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.happens_once(&row).await?;
            stand.write(&row, &row.back).await.map_err(told)?;
            stand.settle(&row, &row.back).await?;
            stand.write(&row, &row.wanted).await.map_err(told)?;
            stand.settle(&row, &row.wanted).await
        })
    });
    add(MISSING, |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            let missing = stand.bench.stranger(stand.about, "0");
            let (read, written) = (
                row.control.read(&stand.call(), &missing).await.map(|_| ()),
                row.control
                    .write(&stand.call(), &missing, &row.wanted)
                    .await
                    .map(|_| ()),
            );
            for (what, result) in [("read", read), ("write", written)] {
                let kind = result.as_ref().err().map(|error| error.kind);
                ensure!(
                    kind == Some(Kind::TargetNotFound),
                    "{what} gives {result:?}"
                );
            }
            Ok(())
        })
    });
    add("odd_characters_in_ids_are_only_characters", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            let odd = stand.bench.stranger(stand.about, ODD);
            let (read, written) = (
                row.control.read(&stand.call(), &odd).await.map(|_| ()),
                row.control
                    .write(&stand.call(), &odd, &row.wanted)
                    .await
                    .map(|_| ()),
            );
            for (what, result) in [("read", read), ("write", written)] {
                let kind = result.as_ref().err().map(|error| error.kind);
                let refused = matches!(
                    kind,
                    Some(Kind::TargetNotFound | Kind::Unsupported | Kind::VendorRejected)
                );
                ensure!(refused, "{what} gives {result:?}");
            }
            let changes = stand.changes();
            ensure!(changes == 0, "another target was changed {changes} times");
            Ok(())
        })
    });
    add("unauthorised_once", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.read(&row).await?;
            stand.make(Trouble::CredentialRevoked);
            let before = stand.bench.sign_ins();
            stand.happens_once(&row).await?;
            let fetched = stand.bench.sign_ins() - before;
            ensure!(fetched == 1, "credentials were fetched {fetched} times");
            Ok(())
        })
    });
    add("unauthorised_always", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.make(Trouble::CredentialsUseless);
            stand.refused(&row, Kind::AuthRejected).await?;
            let fetched = stand.bench.sign_ins();
            ensure!(fetched <= 2, "credentials were fetched {fetched} times");
            Ok(())
        })
    });
    add("forbidden_names_the_permission", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.make(Trouble::PermissionMissing);
            let error = stand.refused(&row, Kind::PermissionMissing).await?;
            let named = row
                .facts
                .needs
                .iter()
                .any(|needed| error.detail.contains(needed));
            ensure!(named, "none of {:?} is named: {error}", row.facts.needs);
            Ok(())
        })
    });
    add("throttled_with_a_wait", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            let (wait, start) = (Duration::from_secs(7), stand.bench.clock().now());
            stand.make(Trouble::Throttled(Some(wait)));
            stand.write(&row, &row.wanted).await.map_err(told)?;
            let waited = stand
                .bench
                .clock()
                .now()
                .duration_since(start)
                .unsigned_abs();
            // Vendors give the moment in whole seconds, so up to one is lost.
            let enough = waited + Duration::from_secs(1) >= wait;
            ensure!(enough, "told to wait {wait:?}, waited {waited:?}");
            stand.settle(&row, &row.wanted).await
        })
    });
    add("throttled_without_a_wait", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.make(Trouble::Throttled(None));
            stand.happens_once(&row).await.map(drop)
        })
    });
    add("fails_then_succeeds", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.make(Trouble::Unavailable);
            stand.happens_once(&row).await.map(drop)
        })
    });
    add("reply_lost_after_it_was_applied", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.make(Trouble::ReplyLost);
            match stand.write(&row, &row.wanted).await {
                // "Unchanged" would mean that nothing is owed on revert, and Quell did do it.
                Ok(receipt) => ensure!(!receipt.unchanged, "it says that it changed nothing"),
                Err(error) => ensure!(error.kind == Kind::MaybeApplied, "it says {error:?}"),
            }
            stand.settle(&row, &row.wanted).await?;
            let changes = stand.changes();
            ensure!(changes == 1, "the target was changed {changes} times");
            stand.write(&row, &row.back).await.map_err(told)?;
            stand.settle(&row, &row.back).await
        })
    });
    add("failure_in_a_success_reply", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            stand.make(Trouble::FailureInBody);
            let written = stand.write(&row, &row.wanted).await;
            ensure!(
                written.is_err(),
                "a failure was taken for success: {written:?}"
            );
            let reading = stand.read(&row).await?;
            ensure!(
                reading == Reading::Settled(row.back),
                "it reads {reading:?}"
            );
            Ok(())
        })
    });
    add("slow_to_settle", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            let late = row.facts.settle / 2;
            stand.bench.slow(stand.about, late);
            stand.write(&row, &row.wanted).await.map_err(told)?;
            stand.settle(&row, &row.wanted).await?;
            let changes = stand.changes();
            ensure!(changes == 1, "the target was changed {changes} times");
            Ok(())
        })
    });
    add("many_at_once_change_it_once", |stand| {
        Box::pin(async move {
            let row = stand.controlled()?;
            let writes = (0..8).map(|_| stand.write(&row, &row.wanted));
            for written in futures_util::future::join_all(writes).await {
                written.map_err(told)?;
            }
            stand.settle(&row, &row.wanted).await?;
            let changes = stand.changes();
            ensure!(changes == 1, "the target was changed {changes} times");
            Ok(())
        })
    });
}

/// A row that does something once, on one connection.
struct Performed {
    perform: Arc<dyn AnyPerform>,
    facts: Facts,
}

impl<B: Bench> Stand<B> {
    fn performed(&self) -> Result<Performed, String> {
        let connected = self.bench.connect();
        let perform = connected.perform(self.effect).cloned();
        match (perform, connected.facts(self.effect).copied()) {
            (Some(perform), Some(facts)) => Ok(Performed { perform, facts }),
            _ => Err("the row cannot be bound".to_owned()),
        }
    }

    async fn perform(&self, row: &Performed) -> Result<Receipt, Error> {
        row.perform.perform(&self.call(), &self.target).await
    }

    /// Asks until there is an end to it, for as long as the row says it may take.
    async fn end(&self, row: &Performed, receipt: &Receipt) -> Result<Progress, String> {
        let clock = self.bench.clock();
        let end = crate::call::later(clock.now(), row.facts.settle);
        loop {
            let progress = row
                .perform
                .progress(&self.call(), &self.target, receipt)
                .await;
            match progress.map_err(told)? {
                Progress::Pending if clock.now() < end => clock.sleep(Duration::from_secs(2)).await,
                progress => return Ok(progress),
            }
        }
    }

    async fn is_done_once(&self, row: &Performed) -> Result<Receipt, String> {
        let receipt = self.perform(row).await.map_err(told)?;
        ensure!(
            !receipt.unchanged,
            "the first time it says that nothing was to do"
        );
        let progress = self.end(row, &receipt).await?;
        let done = matches!(
            progress,
            Progress::Done { .. } | Progress::Unconfirmed { .. }
        );
        ensure!(done, "it came to {progress:?}");
        let changes = self.changes();
        ensure!(changes == 1, "it was done {changes} times");
        Ok(receipt)
    }

    async fn not_done(&self, row: &Performed, kind: Kind) -> Result<Error, String> {
        match self.perform(row).await {
            Ok(receipt) => Err(format!("it was accepted: {receipt:?}")),
            Err(error) if error.kind != kind => Err(format!("expected {kind:?}: {error:?}")),
            Err(error) => {
                let changes = self.changes();
                ensure!(changes == 0, "refused, and done {changes} times");
                Ok(error)
            }
        }
    }
}

fn perform_cases<B: Bench>(add: Add<'_, B>) {
    add("is_done_once", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.is_done_once(&row).await.map(drop)
        })
    });
    add("asking_twice_for_the_outcome_gives_it_twice", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            let receipt = stand.is_done_once(&row).await?;
            let progress = stand.end(&row, &receipt).await?;
            let done = !matches!(progress, Progress::Failed { .. } | Progress::Pending);
            ensure!(done, "the second time it came to {progress:?}");
            let changes = stand.changes();
            ensure!(changes == 1, "it was done {changes} times");
            Ok(())
        })
    });
    add("outcome_after_restart", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            let receipt = stand.perform(&row).await.map_err(told)?;
            // Only what the store keeps of the receipt is left.
            let stored = serde_json::to_value(&receipt).map_err(|error| error.to_string())?;
            let receipt: Receipt =
                serde_json::from_value(stored).map_err(|error| error.to_string())?;
            let progress = stand.end(&stand.performed()?, &receipt).await?;
            ensure!(
                matches!(
                    progress,
                    Progress::Done { .. } | Progress::Unconfirmed { .. }
                ),
                "it came to {progress:?}"
            );
            let changes = stand.changes();
            ensure!(changes == 1, "it was done {changes} times");
            Ok(())
        })
    });
    add(MISSING, |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            let missing = stand.bench.stranger(stand.about, "0");
            let result = row.perform.perform(&stand.call(), &missing).await;
            let kind = result.as_ref().err().map(|error| error.kind);
            ensure!(kind == Some(Kind::TargetNotFound), "it gives {result:?}");
            Ok(())
        })
    });
    add("odd_characters_in_ids_are_only_characters", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            let odd = stand.bench.stranger(stand.about, ODD);
            let result = row.perform.perform(&stand.call(), &odd).await;
            ensure!(result.is_err(), "it gives {result:?}");
            let changes = stand.changes();
            ensure!(
                changes == 0,
                "it was done to another target {changes} times"
            );
            Ok(())
        })
    });
    add("unauthorised_once", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.make(Trouble::CredentialRevoked);
            stand.is_done_once(&row).await?;
            let fetched = stand.bench.sign_ins();
            ensure!(fetched == 2, "credentials were fetched {fetched} times");
            Ok(())
        })
    });
    add("unauthorised_always", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.make(Trouble::CredentialsUseless);
            stand.not_done(&row, Kind::AuthRejected).await.map(drop)
        })
    });
    add("forbidden_names_the_permission", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.make(Trouble::PermissionMissing);
            let error = stand.not_done(&row, Kind::PermissionMissing).await?;
            let named = row
                .facts
                .needs
                .iter()
                .any(|needed| error.detail.contains(needed));
            ensure!(named, "none of {:?} is named: {error}", row.facts.needs);
            Ok(())
        })
    });
    add("throttled_with_a_wait", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.make(Trouble::Throttled(Some(Duration::from_secs(7))));
            stand.is_done_once(&row).await.map(drop)
        })
    });
    add("throttled_without_a_wait", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.make(Trouble::Throttled(None));
            stand.is_done_once(&row).await.map(drop)
        })
    });
    for (name, trouble) in [
        (
            "fails_at_the_vendor",
            in_doubt::<B> as fn(Stand<B>) -> BoxFuture<'static, Outcome>,
        ),
        ("reply_lost_after_it_was_done", reply_lost::<B>),
    ] {
        add(name, trouble);
    }
    add("failure_in_a_success_reply", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.make(Trouble::FailureInBody);
            let performed = stand.perform(&row).await;
            ensure!(
                performed.is_err(),
                "a failure was taken for success: {performed:?}"
            );
            let changes = stand.changes();
            ensure!(changes == 0, "it was done {changes} times");
            Ok(())
        })
    });
    add("slow_to_be_done", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            stand.bench.slow(stand.about, Duration::from_secs(5));
            stand.is_done_once(&row).await.map(drop)
        })
    });
}

/// The deed failed at the vendor before it was applied, which nobody on our side can know: it must
/// neither be repeated nor be called done.
fn in_doubt<B: Bench>(stand: Stand<B>) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let row = stand.performed()?;
        stand.make(Trouble::Unavailable);
        match stand.perform(&row).await {
            Err(error) => ensure!(error.kind == Kind::MaybeApplied, "it says {error:?}"),
            Ok(receipt) => {
                let progress = stand.end(&row, &receipt).await?;
                let honest = matches!(progress, Progress::Lost | Progress::Failed { .. });
                ensure!(honest, "nothing was done, and it came to {progress:?}");
            }
        }
        let changes = stand.changes();
        ensure!(changes == 0, "it was done {changes} times after a failure");
        Ok(())
    })
}

/// The deed was done and the reply lost.
fn reply_lost<B: Bench>(stand: Stand<B>) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let row = stand.performed()?;
        stand.make(Trouble::ReplyLost);
        match stand.perform(&row).await {
            Err(error) => ensure!(error.kind == Kind::MaybeApplied, "it says {error:?}"),
            Ok(receipt) => {
                ensure!(!receipt.unchanged, "it says that nothing was to do");
                let progress = stand.end(&row, &receipt).await?;
                let honest = !matches!(
                    progress,
                    Progress::Failed { .. } | Progress::AlreadySo { .. }
                );
                ensure!(honest, "it was done, and it came to {progress:?}");
            }
        }
        let changes = stand.changes();
        ensure!(changes == 1, "it was done {changes} times");
        Ok(())
    })
}

fn told(error: Error) -> String {
    format!("{error:?}")
}
