//! `account.enabled`: one bit of `userAccountControl`, and no other is ever changed.

use quell_connector::{Call, Control, Observed, Reading, Receipt, Result};
use quell_model::entity::Account;
use quell_model::property::{AccountEnabled, Enablement};
use serde_json::json;

use super::account::{Record, control};
use super::talk::{Talk, Task};
use super::{ActiveDirectory, lookup, needs, obstacles};

const READ: &str = "users.read";
const SET: &str = "users.set_enabled";

impl Control<AccountEnabled> for ActiveDirectory {
    async fn read(&self, cx: &Call, target: &Account) -> Result<Observed<Enablement>> {
        self.directory.run(cx, READ, &Look(target)).await
    }

    async fn write(&self, cx: &Call, target: &Account, want: &Enablement) -> Result<Receipt> {
        let _alone = self.directory.change(cx, SET).await?;
        self.directory.run(cx, SET, &Set { target, want }).await
    }
}

struct Look<'a>(&'a Account);

impl Task for Look<'_> {
    type Answer = Observed<Enablement>;

    async fn run(&self, talk: &mut Talk<'_>) -> Result<Self::Answer> {
        let record = lookup::find(talk, READ, self.0).await?;
        Ok(Observed {
            asset: record.asset(),
            obstacle: obstacles::of(talk, READ, &record).await?,
            ..Observed::of(Reading::Settled(enablement(&record)))
        })
    }
}

struct Set<'a> {
    target: &'a Account,
    want: &'a Enablement,
}

impl Task for Set<'_> {
    type Answer = Receipt;

    async fn run(&self, talk: &mut Talk<'_>) -> Result<Receipt> {
        let record = lookup::find(talk, SET, self.target).await?;
        // The directory has no compare-and-swap, so what is written is computed from what was read a
        // moment ago and differs in this one bit.
        let wanted = match self.want {
            Enablement::Disabled => record.control | control::DISABLED,
            Enablement::Enabled => record.control & !control::DISABLED,
        };
        let evidence = json!({
            "server": talk.server(),
            "guid": record.guid,
            "before": record.control,
            "after": wanted,
        });
        if wanted == record.control {
            return Ok(Receipt::unchanged(evidence));
        }
        let wanted = wanted.to_string();
        let values: [(&str, &[u8]); 1] = [("userAccountControl", wanted.as_bytes())];
        let needs = [needs::WRITE_CONTROL];
        talk.replace(SET, &record.place(), &values, &needs).await?;
        Ok(Receipt::of(evidence))
    }
}

const fn enablement(record: &Record) -> Enablement {
    if record.disabled() {
        Enablement::Disabled
    } else {
        Enablement::Enabled
    }
}
