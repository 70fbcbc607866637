//! Coalescing: many callers, one vendor call.
//!
//! Vendors meter requests, not targets, and take many targets in one request. While a request is
//! under way, further callers gather; the next request carries them all. A single caller never
//! waits for company.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::error::{Error, Kind, Result};
use crate::{BoxFuture, Call};

/// Answers many items with one request: one result per item, in the order given.
pub type Together<K, R> =
    Arc<dyn Fn(Call, Vec<K>) -> BoxFuture<'static, Vec<Result<R>>> + Send + Sync>;

struct Waiting<K, R> {
    cx: Call,
    item: K,
    answer: oneshot::Sender<Result<R>>,
}

struct Queue<K, R> {
    waiting: VecDeque<Waiting<K, R>>,
    under_way: usize,
}

/// Gathers items of one kind.
pub struct Coalescer<K, R> {
    operation: &'static str,
    together: Together<K, R>,
    largest: usize,
    at_once: usize,
    queue: Arc<Mutex<Queue<K, R>>>,
}

impl<K: Send + 'static, R: Send + 'static> Coalescer<K, R> {
    /// At most `largest` items go into one request and at most `at_once` requests are under way.
    #[must_use]
    pub fn new(
        operation: &'static str,
        largest: usize,
        at_once: usize,
        together: Together<K, R>,
    ) -> Self {
        Self {
            operation,
            together,
            largest: largest.max(1),
            at_once: at_once.max(1),
            queue: Arc::new(Mutex::new(Queue {
                waiting: VecDeque::new(),
                under_way: 0,
            })),
        }
    }

    /// The answer for one item.
    ///
    /// # Errors
    /// As the request that carried it answered, and [`Kind::DeadlineExceeded`] when the call's own
    /// deadline passed before that request left.
    pub async fn ask(&self, cx: &Call, item: K) -> Result<R> {
        let (answer, answered) = oneshot::channel();
        let starts = {
            let mut queue = lock(&self.queue);
            queue.waiting.push_back(Waiting {
                cx: cx.clone(),
                item,
                answer,
            });
            let starts = queue.under_way < self.at_once;
            queue.under_way += usize::from(starts);
            starts
        };
        if starts {
            // On its own task: a caller that gives up must not take the others' request with it.
            let (queue, together, largest, operation) = (
                self.queue.clone(),
                self.together.clone(),
                self.largest,
                self.operation,
            );
            tokio::spawn(async move { drain(&queue, &together, largest, operation).await });
        }
        answered.await.unwrap_or_else(|_| {
            Err(Error::new(
                Kind::MaybeApplied,
                self.operation,
                "the request that carried this was abandoned",
            ))
        })
    }
}

async fn drain<K, R>(
    queue: &Mutex<Queue<K, R>>,
    together: &Together<K, R>,
    largest: usize,
    operation: &'static str,
) {
    loop {
        // Tasks that are ready to ask get their turn first; when there are none, this is no wait.
        tokio::task::yield_now().await;
        let batch: Vec<Waiting<K, R>> = {
            let mut queue = lock(queue);
            let count = queue.waiting.len().min(largest);
            if count == 0 {
                queue.under_way = queue.under_way.saturating_sub(1);
                return;
            }
            queue.waiting.drain(..count).collect()
        };
        let (mut items, mut answers) = (
            Vec::with_capacity(batch.len()),
            Vec::with_capacity(batch.len()),
        );
        let mut patient: Option<Call> = None;
        for Waiting { cx, item, answer } in batch {
            if answer.is_closed() {
                continue;
            }
            if cx.left().is_zero() {
                let detail = "the deadline passed before the request could leave";
                let _caller_gone =
                    answer.send(Err(Error::new(Kind::DeadlineExceeded, operation, detail)));
                continue;
            }
            // The request may take as long as its most patient caller allows.
            if patient
                .as_ref()
                .is_none_or(|call| call.deadline() < cx.deadline())
            {
                patient = Some(cx);
            }
            items.push(item);
            answers.push(answer);
        }
        let Some(cx) = patient else { continue };
        let mut results = together(cx, items).await.into_iter();
        for answer in answers {
            let result = results.next().unwrap_or_else(|| {
                Err(Error::new(
                    Kind::ReplyUnreadable,
                    operation,
                    "the vendor's reply left this target out",
                ))
            });
            let _caller_gone = answer.send(result);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::clock::SimClock;

    fn call() -> Call {
        Call::new(
            Arc::new(SimClock::default()),
            Duration::from_secs(10),
            "test",
        )
    }

    #[tokio::test]
    async fn callers_that_come_during_a_request_share_the_next_one() {
        let gate = Arc::new(Semaphore::new(0));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let (held, seen) = (gate.clone(), sizes.clone());
        let coalescer = Arc::new(Coalescer::new(
            "test",
            100,
            1,
            Arc::new(move |_, items: Vec<u32>| {
                let (held, seen) = (held.clone(), seen.clone());
                Box::pin(async move {
                    held.acquire().await.unwrap().forget();
                    lock(&seen).push(items.len());
                    items.into_iter().map(|item| Ok(item * 2)).collect()
                })
            }),
        ));
        let ask = |item| {
            let (coalescer, cx) = (coalescer.clone(), call());
            tokio::spawn(async move { coalescer.ask(&cx, item).await })
        };
        let first = ask(1);
        // The first item has left the queue once its request is under way.
        let under_way = || {
            let queue = lock(&coalescer.queue);
            queue.under_way == 1 && queue.waiting.is_empty()
        };
        while !under_way() {
            tokio::task::yield_now().await;
        }
        let rest: Vec<_> = (2..10).map(ask).collect();
        while lock(&coalescer.queue).waiting.len() != 8 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(2);
        assert_eq!(first.await.unwrap().unwrap(), 2);
        for (index, answer) in rest.into_iter().enumerate() {
            assert_eq!(
                answer.await.unwrap().unwrap(),
                (u32::try_from(index).unwrap() + 2) * 2
            );
        }
        assert_eq!(*lock(&sizes), [1, 8]);
    }

    #[tokio::test]
    async fn a_reply_that_is_too_short_fails_only_those_it_left_out() {
        let coalescer: Coalescer<u32, u32> = Coalescer::new(
            "test",
            10,
            1,
            Arc::new(|_, _| Box::pin(async { Vec::new() })),
        );
        assert_eq!(
            coalescer.ask(&call(), 1).await.unwrap_err().kind,
            Kind::ReplyUnreadable
        );
    }
}
