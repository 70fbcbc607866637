//! What a row that reads and writes must do.

use std::sync::Arc;
use std::time::Duration;

use quell_model::Setting;

use super::{Add, Bench, MISSING, ODD, Outcome, Stand, Trouble, told};
use crate::contract::{AnyControl, Facts, Reading, Receipt};
use crate::error::{Error, Kind};

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

pub(super) fn cases<B: Bench>(add: Add<'_, B>) {
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
            let due = u64::from(B::signs_in());
            ensure!(fetched == due, "credentials were fetched {fetched} times");
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
