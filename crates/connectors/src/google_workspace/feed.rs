//! Alerts by polling. A round is: alerts created since the last one, alerts changed since, and, if the
//! connection reads the audit, each kind of suspicious sign-in. One request to a poll.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::{Batch, BoxFuture, Call, Error, Feed, Fetch, Kind, Result, document};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tracing::warn;

use super::wire::{AlertStamp, Documents, EventStamp};
use super::{GoogleWorkspace, alerts, api};

/// How far back a round starts before the latest alert seen: some show up after later ones.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// The same for the audit, in which events can show up hours late. The events asked for are few.
const AUDIT_OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Documents remembered so that overlaps do not bring them again. Beyond this they come again, which is
/// allowed.
const MOST_REMEMBERED: usize = 2000;

/// Where the feed stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    stage: Stage,
    /// The vendor's mark of the next page, in the middle of a stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    created: Reach,
    changed: Reach,
    /// Changes of alerts that the overlaps would bring again: `<time>@<id>`.
    #[serde(default)]
    seen: BTreeSet<String>,
    /// None while the connection does not read the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audit: Option<Audit>,
}

/// What the next request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// Alerts by when they were created, oldest first.
    Created,
    /// Alerts by when they were changed, newest first.
    Changed,
    /// Audit events of the kind with this index, newest first.
    Audit(usize),
}

/// How far a reading has come.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Reach {
    /// It reads what is from this moment or later.
    from: Timestamp,
    /// The latest seen; the next round starts a little before it.
    latest: Timestamp,
}

impl Reach {
    const fn starting(from: Timestamp) -> Self {
        Self { from, latest: from }
    }

    /// A time in the future must not carry the reading past what is still to come.
    fn see(&mut self, at: Timestamp, now: Timestamp) {
        self.latest = self.latest.max(at.min(now));
    }

    fn close(&mut self, overlap: SignedDuration) {
        self.from = back(self.latest, overlap).max(self.from);
    }
}

/// Where the reading of the audit stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Audit {
    reach: Reach,
    #[serde(default)]
    seen: BTreeSet<String>,
}

fn back(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Remembers a change; whether it is new.
fn remember(seen: &mut BTreeSet<String>, at: Timestamp, id: &str) -> bool {
    seen.insert(format!("{at:.9}@{id}"))
}

/// Forgets what no round from now on brings again, and the oldest beyond the limit.
fn forget(seen: &mut BTreeSet<String>, edge: Timestamp) {
    *seen = seen.split_off(&format!("{edge:.9}"));
    while seen.len() > MOST_REMEMBERED {
        seen.pop_first();
    }
}

impl Cursor {
    fn first(from: Timestamp) -> Self {
        Self {
            stage: Stage::Created,
            page: None,
            created: Reach::starting(from),
            changed: Reach::starting(from),
            seen: BTreeSet::new(),
            audit: None,
        }
    }

    fn read(stored: &Value) -> Result<Self> {
        Self::deserialize(stored).map_err(|error| {
            // Starting over could leave alerts out, so a person has to decide.
            let detail = "the stored place in the feed cannot be read";
            Error::new(Kind::ConfigInvalid, api::ALERT_LIST, detail).source(error)
        })
    }

    /// Starts or ends the reading of the audit, as the connection is configured now.
    fn configure(&mut self, audit: bool, start: Timestamp) {
        if !audit && matches!(self.stage, Stage::Audit(_)) {
            (self.stage, self.page) = (Stage::Created, None);
        }
        self.audit = audit.then(|| {
            self.audit.take().unwrap_or_else(|| Audit {
                reach: Reach::starting(start),
                seen: BTreeSet::new(),
            })
        });
    }

    /// Takes a document in.
    fn take(&mut self, json: &RawValue, now: Timestamp) -> Taken {
        match self.stage {
            Stage::Created | Stage::Changed => self.take_alert(json, now),
            Stage::Audit(_) => self.take_event(json, now),
        }
    }

    fn take_alert(&mut self, json: &RawValue, now: Timestamp) -> Taken {
        let stamp: AlertStamp = document::read(json).unwrap_or_default();
        let moment = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
        let created = moment(&stamp.create_time);
        let changed = moment(&stamp.update_time).or(created);
        let (Some(id), Some(changed)) = (stamp.alert_id, changed) else {
            return Taken::New;
        };
        if self.stage == Stage::Changed {
            if changed < self.changed.from {
                return Taken::Past;
            }
            self.changed.see(changed, now);
        } else {
            self.created.see(created.unwrap_or(changed), now);
        }
        // It is the change that counts, whichever reading brings it.
        Taken::first(remember(&mut self.seen, changed, &id))
    }

    fn take_event(&mut self, json: &RawValue, now: Timestamp) -> Taken {
        let stamp: EventStamp = document::read(json).unwrap_or_default();
        let time = stamp.id.time.as_deref();
        let at = time.and_then(|time| time.parse::<Timestamp>().ok());
        let (Some(at), Some(id), Some(audit)) =
            (at, stamp.id.unique_qualifier, self.audit.as_mut())
        else {
            return Taken::New;
        };
        audit.reach.see(at, now);
        Taken::first(remember(&mut audit.seen, at, &id))
    }

    /// The stage is read to its end.
    fn advance(&mut self) {
        self.page = None;
        self.stage = match self.stage {
            Stage::Created => {
                self.created.close(OVERLAP);
                Stage::Changed
            }
            Stage::Changed => {
                self.changed.close(OVERLAP);
                forget(&mut self.seen, self.changed.from.min(self.created.from));
                match self.audit {
                    Some(_) => Stage::Audit(0),
                    None => Stage::Created,
                }
            }
            Stage::Audit(kind) if kind + 1 < alerts::RISKY.len() => Stage::Audit(kind + 1),
            Stage::Audit(_) => {
                if let Some(audit) = &mut self.audit {
                    audit.reach.close(AUDIT_OVERLAP);
                    forget(&mut audit.seen, audit.reach.from);
                }
                Stage::Created
            }
        };
    }

    /// The source cannot be read: goes on with the other, and leaves this one where it is.
    fn skip(&mut self) {
        self.page = None;
        self.stage = match self.stage {
            Stage::Created | Stage::Changed => Stage::Audit(0),
            Stage::Audit(_) => Stage::Created,
        };
    }

    /// What one request brought, and where to go on.
    fn batch(self, documents: Vec<Box<RawValue>>) -> Result<Batch> {
        let more = self.stage != Stage::Created || self.page.is_some();
        let cursor = serde_json::to_value(&self).map_err(|error| {
            let detail = "the place in the feed cannot be stored";
            Error::new(Kind::ReplyUnreadable, api::ALERT_LIST, detail).source(error)
        })?;
        Ok(Batch {
            documents,
            cursor,
            more,
        })
    }
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    New,
    Known,
    /// From before what is asked for; so is everything after it.
    Past,
}

impl Taken {
    const fn first(new: bool) -> Self {
        if new { Self::New } else { Self::Known }
    }
}

impl GoogleWorkspace {
    async fn page(&self, cx: &Call, cursor: &Cursor) -> Result<Documents> {
        let (page, size) = (cursor.page.as_deref(), self.poll.page_size);
        let alerts = &self.access.alerts;
        match cursor.stage {
            Stage::Created => {
                api::created_alerts(alerts, cx, cursor.created.from, size, page).await
            }
            Stage::Changed => api::changed_alerts(alerts, cx, size, page).await,
            Stage::Audit(kind) => {
                let from = cursor.audit.as_ref().map(|audit| audit.reach.from);
                match (alerts::RISKY.get(kind), from) {
                    (Some((name, _)), Some(from)) => {
                        api::login_events(&self.access.audit, cx, name, from, page).await
                    }
                    _ => Ok(Documents::default()),
                }
            }
        }
    }

    async fn round(&self, cx: &Call, stored: Option<&Value>) -> Result<Batch> {
        let now = cx.clock().now();
        let start = back(now, self.poll.lookback);
        let mut cursor = match stored {
            Some(stored) => Cursor::read(stored)?,
            None => Cursor::first(start),
        };
        cursor.configure(self.login_audit, start);
        let page = match self.page(cx, &cursor).await {
            // The vendor no longer knows its own mark: read the stage again from its beginning.
            Err(error) if error.kind == Kind::VendorRejected && cursor.page.is_some() => {
                cursor.page = None;
                self.page(cx, &cursor).await?
            }
            // A scope that is missing for one source must not keep the other from being read.
            Err(error) if error.kind == Kind::PermissionMissing && self.login_audit => {
                warn!(error = %error, "a source of alerts is left out of this round");
                cursor.skip();
                return cursor.batch(Vec::new());
            }
            result => result?,
        };
        let next = page.next_page_token.filter(|token| !token.is_empty());
        let mut more = next.is_some() && next != cursor.page && !page.alerts.is_empty();
        let mut documents = Vec::new();
        for json in page.alerts {
            match cursor.take(&json, now) {
                Taken::New => documents.push(json),
                Taken::Known => {}
                Taken::Past => {
                    more = false;
                    break;
                }
            }
        }
        if more {
            cursor.page = next;
        } else {
            cursor.advance();
        }
        cursor.batch(documents)
    }
}

impl Feed for GoogleWorkspace {
    fn interval(&self) -> Duration {
        self.poll.pause()
    }

    fn poll<'a>(&'a self, cx: &'a Call, cursor: Option<&'a Value>) -> BoxFuture<'a, Result<Batch>> {
        Box::pin(self.round(cx, cursor))
    }
}

impl Fetch for GoogleWorkspace {
    fn fetch<'a>(
        &'a self,
        cx: &'a Call,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Box<RawValue>>>> {
        Box::pin(async move {
            if !alerts::is_alert_id(id) {
                return Ok(None);
            }
            api::read_alert(&self.access.alerts, cx, id).await
        })
    }
}
