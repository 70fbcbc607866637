//! Who still has to get a message, and what to say when somebody did not.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use lettre::Address;
use quell_connector::{BoxFuture, Call, Error, Kind, Notify, Result};
use quell_model::Notice;

use super::session::{Delivery, Refusal, Stage};
use super::{Smtp, mail};

impl Notify for Smtp {
    fn notify<'a>(
        &'a self,
        cx: &'a Call,
        key: &'a str,
        notices: &'a [Notice],
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.tell(cx, key, notices))
    }
}

impl Smtp {
    async fn tell(&self, cx: &Call, key: &str, notices: &[Notice]) -> Result<()> {
        if notices.is_empty() {
            return Ok(());
        }
        let all: Vec<Address> = self.to.iter().map(|to| to.email.clone()).collect();
        let message = mail::compose(self, key, notices, cx.clock().now())?;
        self.carry(cx, key, &all, &message).await
    }

    /// Brings a message to those of `all` who do not have it yet.
    pub(super) async fn carry(
        &self,
        cx: &Call,
        key: &str,
        all: &[Address],
        message: &[u8],
    ) -> Result<()> {
        let waiting = self.ledger.waiting(key, all.iter());
        if waiting.is_empty() {
            return Ok(());
        }
        let now = cx.clock().now();
        let cx = cx.within(self.limit);
        let mut stage = Stage::Waiting;
        let delivered = tokio::select! {
            biased;
            delivered = self.server.deliver(now, &mut stage, &self.from.email, &waiting, message) => Some(delivered),
            () = cx.clock().until(cx.deadline()) => None,
        };
        let Delivery { taken, refused } = match delivered {
            Some(delivered) => delivered?,
            None => return Err(stage.out_of_time()),
        };
        self.ledger.took(key, taken);
        let Some(first) = refused.first() else {
            return Ok(());
        };
        let (all, missing) = (all.len(), refused.len());
        let kind = if refused.iter().any(|refusal| refusal.temporary) {
            Kind::VendorUnavailable
        } else {
            Kind::VendorRejected
        };
        let detail = format!(
            "{} of {all} recipients have the message; {}",
            all - missing,
            names(&refused)
        );
        Err(Error::new(kind, Stage::Sending.operation(), detail).code(&first.code))
    }
}

/// The recipients that were not taken, the first of them with the server's reason.
fn names(refused: &[Refusal]) -> String {
    const NAMED: usize = 3;
    let name = |refusal: &Refusal| {
        let verdict = if refusal.temporary {
            "not yet taken"
        } else {
            "refused"
        };
        format!(
            "`{}` {verdict} ({} {})",
            refusal.recipient,
            refusal.code,
            after_code(refusal)
        )
    };
    let mut names: Vec<String> = refused.iter().take(NAMED).map(name).collect();
    if refused.len() > NAMED {
        names.push(format!("and {} more", refused.len() - NAMED));
    }
    names.join(", ")
}

/// The words without the enhanced code that they begin with.
fn after_code(refusal: &Refusal) -> &str {
    let enhanced = refusal
        .code
        .split_once(' ')
        .map_or("", |(_, enhanced)| enhanced);
    refusal
        .words
        .strip_prefix(enhanced)
        .unwrap_or(&refusal.words)
        .trim_start()
}

/// Which recipients have which message, so that a repeat goes only to the others.
///
/// It lasts as long as the process. After a restart a repeat goes to everybody again, with the same
/// `Message-ID`, by which most mailboxes recognise and drop the second copy.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    by_key: HashMap<String, BTreeSet<Address>>,
    order: VecDeque<String>,
}

/// Messages remembered.
const REMEMBERED: usize = 1024;

impl Ledger {
    fn waiting<'a>(&self, key: &str, all: impl Iterator<Item = &'a Address>) -> Vec<Address> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let have = taken.by_key.get(key);
        all.filter(|address| have.is_none_or(|have| !have.contains(address)))
            .cloned()
            .collect()
    }

    fn took(&self, key: &str, addresses: Vec<Address>) {
        if addresses.is_empty() {
            return;
        }
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(have) = taken.by_key.get_mut(key) {
            have.extend(addresses);
            return;
        }
        if taken.order.len() >= REMEMBERED
            && let Some(oldest) = taken.order.pop_front()
        {
            taken.by_key.remove(&oldest);
        }
        taken.order.push_back(key.to_owned());
        taken
            .by_key
            .insert(key.to_owned(), addresses.into_iter().collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn who_has_a_message_does_not_wait_for_it_and_the_memory_is_bounded() {
        let ledger = Ledger::default();
        let (a, b) = (address("a@example.com"), address("b@example.com"));
        ledger.took("k", vec![a.clone()]);
        assert_eq!(
            ledger.waiting("k", [&a, &b].into_iter()),
            std::slice::from_ref(&b)
        );
        assert_eq!(ledger.waiting("other", [&a, &b].into_iter()).len(), 2);
        for index in 0..REMEMBERED {
            ledger.took(&index.to_string(), vec![b.clone()]);
        }
        assert_eq!(ledger.waiting("k", [&a].into_iter()).len(), 1);
        assert_eq!(ledger.0.lock().unwrap().by_key.len(), REMEMBERED);
    }
}
