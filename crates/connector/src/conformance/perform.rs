//! What a row that does something once must do.

use std::sync::Arc;
use std::time::Duration;

use super::{Add, Bench, MISSING, ODD, Outcome, Stand, Trouble, told};
use crate::BoxFuture;
use crate::contract::{AnyPerform, Facts, Progress, Receipt};
use crate::error::{Error, Kind};
use quell_model::Entity;

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
        self.perform_on(row, &self.target).await
    }

    /// Looks first, as the engine does.
    async fn perform_on(&self, row: &Performed, target: &Entity) -> Result<Receipt, Error> {
        let sight = row.perform.look(&self.call(), target).await?;
        if let Some(obstacle) = sight.obstacle {
            return Err(Error::new(Kind::Unsupported, obstacle.rule, obstacle.text));
        }
        row.perform.perform(&self.call(), target).await
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

pub(super) fn cases<B: Bench>(add: Add<'_, B>) {
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
            let result = stand.perform_on(&row, &missing).await;
            let kind = result.as_ref().err().map(|error| error.kind);
            ensure!(kind == Some(Kind::TargetNotFound), "it gives {result:?}");
            Ok(())
        })
    });
    add("odd_characters_in_ids_are_only_characters", |stand| {
        Box::pin(async move {
            let row = stand.performed()?;
            let odd = stand.bench.stranger(stand.about, ODD);
            let result = stand.perform_on(&row, &odd).await;
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
