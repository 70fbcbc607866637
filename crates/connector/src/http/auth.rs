//! Credentials: obtained once however many calls need them, refreshed before they run out, and
//! once more when a vendor stops accepting them early.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use quell_model::Secret;
use reqwest::Url;

use super::sign::Sign;
use super::transport::Exchange;
use crate::error::Result;
use crate::{BoxFuture, Call};

/// Obtains credentials from a vendor.
pub trait Authenticate: Send + Sync {
    /// Obtains fresh credentials. `exchange` sends requests that carry none.
    fn authenticate<'a>(
        &'a self,
        cx: &'a Call,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant>>;

    /// What signs every request of the connection, those that obtain credentials included; asked
    /// once. Credentials that a signature is made with are the signer's own, and so is their refresh.
    fn signer(&self) -> Option<Arc<dyn Sign>> {
        None
    }
}

/// Credentials and where they are good for.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Base URL to use with them; a vendor may name another region than the one first asked.
    pub base: Url,
    /// Value of the `Authorization` header, if one is to be sent.
    pub authorization: Option<Secret>,
    /// When to obtain new ones, some time before they run out.
    pub refresh_at: Timestamp,
}

/// Keeps the current grant.
pub(super) struct Session {
    source: Box<dyn Authenticate>,
    current: RwLock<Option<Arc<Grant>>>,
    refreshing: tokio::sync::Mutex<()>,
}

impl Session {
    pub(super) fn new(source: Box<dyn Authenticate>) -> Self {
        Self {
            source,
            current: RwLock::new(None),
            refreshing: tokio::sync::Mutex::new(()),
        }
    }

    fn current(&self) -> Option<Arc<Grant>> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The current grant, or a fresh one. `refused` is a grant the vendor no longer accepts: it is
    /// replaced unless somebody else already did. A sign-in waits for its `turn` first.
    pub(super) async fn grant<T: Future<Output = Result<()>>>(
        &self,
        cx: &Call,
        exchange: &Exchange,
        refused: Option<&Arc<Grant>>,
        turn: impl FnOnce() -> T,
    ) -> Result<Arc<Grant>> {
        let usable = |grant: &Arc<Grant>| {
            cx.clock().now() < grant.refresh_at
                && !refused.is_some_and(|refused| Arc::ptr_eq(refused, grant))
        };
        if let Some(grant) = self.current().filter(usable) {
            return Ok(grant);
        }
        let _one_at_a_time = self.refreshing.lock().await;
        if let Some(grant) = self.current().filter(usable) {
            return Ok(grant);
        }
        turn().await?;
        let grant = Arc::new(self.source.authenticate(cx, exchange).await?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(grant.clone());
        Ok(grant)
    }
}
