//! Faults on demand. A rule names an endpoint and a count; the next matching requests suffer it, then the rule is gone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::sync::lock;

/// What goes wrong with one request. "Apply" means the twin's state changed as the request asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// The request is applied, then the connection closes without a byte of reply.
    DropAfterApply,
    /// The connection is reset (TCP RST) and nothing was applied.
    ResetBeforeApply,
    /// This status and an error body; nothing was applied.
    StatusBeforeApply {
        /// HTTP status to answer with.
        status: u16,
    },
    /// The request is applied, then this status and an error body.
    StatusAfterApply {
        /// HTTP status to answer with.
        status: u16,
    },
    /// The request waits this long on the twin's clock, then proceeds. With a manual pace it waits for `advance`.
    Slow {
        /// Milliseconds on the twin's clock.
        millis: u64,
    },
    /// 429. With seconds given, the vendor's retry header says when; without, there is no such header.
    Throttled {
        /// Seconds from now until the client may come back.
        retry_after_seconds: Option<u64>,
    },
    /// The presented token is revoked for good, and the request answered with 401.
    TokenRevoked,
    /// 403 as for a client that lacks the scope.
    ScopeMissing,
    /// The endpoint's success status, no resources, and this error inside the body; nothing was applied.
    ErrorInBody {
        /// Code of the error object.
        code: u32,
        /// Message of the error object.
        message: String,
    },
    /// Applied; the body is not JSON though it says so.
    GarbageBody,
    /// Applied; the JSON stops half-way, in a complete HTTP reply.
    TruncatedBody,
    /// Applied; the connection breaks half-way through the body.
    TornBody,
    /// Applied; the reply is valid JSON padded to at least this size.
    OversizedBody {
        /// Bytes of padding.
        bytes: usize,
    },
    /// Applied; the reply is an HTML page with a success status, as a proxy in between would send.
    WrongContentType,
}

/// One fault, where it strikes and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule<K> {
    /// The endpoint it strikes; none means every vendor endpoint.
    #[serde(default = "Option::default")]
    pub endpoint: Option<K>,
    /// What happens.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many matching requests suffer it.
    #[serde(default = "once")]
    pub count: u32,
    /// How many matching requests pass unharmed first.
    #[serde(default)]
    pub skip: u32,
}

fn once() -> u32 {
    1
}

impl<K> FaultRule<K> {
    /// The next matching request.
    pub fn next(endpoint: K, fault: Fault) -> Self {
        Self {
            endpoint: Some(endpoint),
            fault,
            count: 1,
            skip: 0,
        }
    }

    /// The next request to any vendor endpoint.
    pub fn anywhere(fault: Fault) -> Self {
        Self {
            endpoint: None,
            fault,
            count: 1,
            skip: 0,
        }
    }

    /// As many matching requests as this.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }
}

/// The armed rules of one twin.
#[derive(Debug)]
pub(crate) struct FaultBook<K> {
    armed: AtomicUsize,
    rules: Mutex<Vec<FaultRule<K>>>,
}

impl<K> Default for FaultBook<K> {
    fn default() -> Self {
        Self {
            armed: AtomicUsize::new(0),
            rules: Mutex::new(Vec::new()),
        }
    }
}

impl<K: Copy + PartialEq> FaultBook<K> {
    pub(crate) fn arm(&self, rule: FaultRule<K>) {
        let mut rules = lock(&self.rules);
        if rule.count > 0 {
            rules.push(rule);
        }
        self.armed.store(rules.len(), Ordering::Release);
    }

    pub(crate) fn clear(&self) {
        let mut rules = lock(&self.rules);
        rules.clear();
        self.armed.store(0, Ordering::Release);
    }

    pub(crate) fn pending(&self) -> Vec<FaultRule<K>> {
        lock(&self.rules).clone()
    }

    /// The fault this request suffers: the oldest matching rule that is due. One request suffers one fault at most.
    pub(crate) fn take(&self, endpoint: K) -> Option<Fault> {
        if self.armed.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut rules = lock(&self.rules);
        let mut struck = None;
        for rule in rules
            .iter_mut()
            .filter(|rule| rule.endpoint.is_none_or(|wanted| wanted == endpoint))
        {
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if struck.is_none() {
                rule.count -= 1;
                struck = Some(rule.fault.clone());
            }
        }
        rules.retain(|rule| rule.count > 0);
        self.armed.store(rules.len(), Ordering::Release);
        struck
    }
}
