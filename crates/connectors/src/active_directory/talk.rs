//! A conversation with one domain controller: what is asked of it, and what a broken connection
//! means. Before a change was sent it means that nothing happened; after that, that nobody knows.

use std::sync::Arc;

use quell_connector::{Call, Error, Kind, Result};

use super::directory::{Directory, Open, REPLY, Root, out_of_time};
use super::ldap::{Amount, Entry, Scope, Search, code, filter};
use super::{needs, refusal};

/// Something to do in one conversation with one domain controller.
pub(super) trait Task: Sync {
    type Answer: Send;

    /// Does it. Called again with another controller when this one could not and nothing was changed.
    fn run(&self, talk: &mut Talk<'_>) -> impl Future<Output = Result<Self::Answer>> + Send;
}

/// A conversation with one domain controller.
pub(super) struct Talk<'a> {
    pub(super) cx: &'a Call,
    directory: &'a Directory,
    open: Open,
    /// Whether every request got its whole reply, so that the connection can be used again.
    whole: bool,
}

impl<'a> Talk<'a> {
    /// Begins one on a connection that nothing was asked over, or that answered everything.
    pub(super) const fn new(cx: &'a Call, directory: &'a Directory, open: Open) -> Self {
        Self {
            cx,
            directory,
            open,
            whole: true,
        }
    }

    /// What the domain controller says of itself.
    pub(super) fn root(&self) -> Arc<Root> {
        self.open.root.clone()
    }

    /// The domain controller that is asked.
    pub(super) fn server(&self) -> &str {
        self.directory.label(self.open.server)
    }

    /// Its place among the domain's.
    pub(super) const fn place(&self) -> usize {
        self.open.server
    }

    /// The domain's DNS name.
    pub(super) fn domain(&self) -> &str {
        self.directory.domain()
    }

    /// The domain's short name, as in `CORP\jdoe`. It does not change, so it is asked for once.
    pub(super) async fn short_domain(&mut self) -> Result<String> {
        if let Some(short) = self.directory.short.get() {
            return Ok(short.clone());
        }
        let root = self.root();
        let partition = Search {
            base: &format!("CN=Partitions,{}", root.configuration),
            scope: Scope::Subtree,
            filter: &filter::is("nCName", &root.base),
            attributes: &["nETBIOSName"],
            amount: Amount::AtMost(2),
        };
        let found = self.search("ldap.domain", &partition).await?;
        let short = found.first().and_then(|entry| entry.text("nETBIOSName"));
        let short = short.ok_or_else(|| {
            let detail = format!(
                "the domain's short name cannot be read; grant `{}` on its partition",
                needs::READ
            );
            Error::new(Kind::PermissionMissing, "ldap.domain", detail)
        })?;
        Ok(self
            .directory
            .short
            .get_or_init(|| short.to_owned())
            .clone())
    }

    /// The entries found; none when there is none.
    pub(super) async fn search(
        &mut self,
        operation: &'static str,
        search: &Search<'_>,
    ) -> Result<Vec<Entry>> {
        self.whole = false;
        let limit = self.cx.within(REPLY);
        let answer = tokio::select! {
            biased;
            answer = self.open.session.search(search) => answer,
            () = limit.clock().until(limit.deadline()) => {
                let detail = "the domain controller did not answer in time";
                return Err(Error::new(Kind::VendorUnavailable, operation, detail));
            }
        };
        let (entries, outcome) = answer.map_err(|error| {
            let (kind, detail) = if error.kind() == std::io::ErrorKind::InvalidData {
                let detail = "what the domain controller says cannot be understood";
                (Kind::ReplyUnreadable, detail)
            } else {
                let detail = "the connection broke before the domain controller answered";
                (Kind::VendorUnavailable, detail)
            };
            Error::new(kind, operation, detail).source(error)
        })?;
        self.whole = true;
        match outcome.code {
            code::SUCCESS | code::SIZE_LIMIT => Ok(entries),
            code::NO_SUCH_OBJECT | code::REFERRAL => Ok(Vec::new()),
            _ => Err(refusal::of(operation, &outcome, &[needs::READ])),
        }
    }

    /// Replaces the values of attributes, all at once or not at all. `needs` are the permissions it takes.
    pub(super) async fn replace(
        &mut self,
        operation: &'static str,
        name: &str,
        values: &[(&str, &[u8])],
        needs: &[&str],
    ) -> Result<()> {
        if self.cx.left().is_zero() {
            return Err(out_of_time(operation));
        }
        // INVARIANT: from here on the change may have been made, until a reply says otherwise, or that
        // it was never sent.
        self.whole = false;
        let limit = self.cx.within(REPLY);
        let answer = tokio::select! {
            biased;
            answer = self.open.session.replace(name, values) => answer,
            () = limit.clock().until(limit.deadline()) => {
                let detail = "the domain controller did not say in time whether it made the change";
                return Err(Error::new(Kind::MaybeApplied, operation, detail));
            }
        };
        let outcome = answer.map_err(|error| {
            let (kind, detail) = if error.kind() == std::io::ErrorKind::NotConnected {
                let detail = "the connection broke before the change was sent";
                (Kind::VendorUnavailable, detail)
            } else {
                let detail = "the connection broke before the domain controller said whether it made the change";
                (Kind::MaybeApplied, detail)
            };
            Error::new(kind, operation, detail).source(error)
        })?;
        self.whole = true;
        if outcome.code == code::SUCCESS {
            Ok(())
        } else {
            Err(refusal::of(operation, &outcome, needs))
        }
    }

    /// Keeps the connection for the next conversation, if nothing is left unread in it.
    pub(super) fn keep(self) {
        if self.whole {
            self.directory.keep(self.open, self.cx.clock().now());
        }
    }
}
