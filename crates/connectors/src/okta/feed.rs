//! Alerts by polling the System Log, in the order Okta stored them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use quell_connector::http::Url;
use quell_connector::{Batch, BoxFuture, Call, Error, Feed, Kind, Result};
use quell_model::text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Okta, api, events};

/// How far before the latest event seen the log is read again when Okta no longer knows its own mark.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// As far back as a poll may be told to look; Okta refuses what is much older.
const OLDEST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Where the feed stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Cursor {
    /// What is asked for; another filter begins anew where the last one had come to.
    filter: String,
    /// The vendor's address of the next page, as it gave it.
    next: Option<String>,
    /// The latest event seen, never later than our own present.
    latest: Timestamp,
}

impl Cursor {
    fn read(stored: &Value) -> Result<Self> {
        Self::deserialize(stored).map_err(|error| {
            // Starting over could leave events out, so a person has to decide.
            let detail = "the stored place in the feed cannot be read";
            Error::new(Kind::ConfigInvalid, api::LOGS, detail).source(error)
        })
    }
}

fn back(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Okta {
    /// The path of an address the vendor gave, if it is this organization's System Log. Nothing else
    /// is ever followed: the next request carries the credentials.
    fn follow(&self, address: &str) -> Result<String> {
        let url = address.parse::<Url>().ok();
        let url = url.filter(|url| {
            url.scheme() == self.base.scheme()
                && url.host_str() == self.base.host_str()
                && url.port_or_known_default() == self.base.port_or_known_default()
                && url.username().is_empty()
                && url.path() == "/api/v1/logs"
        });
        let path = url.map(|url| format!("{}?{}", url.path(), url.query().unwrap_or_default()));
        path.ok_or_else(|| {
            let detail = format!(
                "the next page of the System Log is said to be at `{}`, which is not this organization's",
                text::line(address)
            );
            Error::new(Kind::ConfigInvalid, api::LOGS, detail)
        })
    }

    async fn page(&self, cx: &Call, stored: Option<&Value>) -> Result<Batch> {
        let now = cx.clock().now();
        let filter = self.poll.filter();
        let cursor = match stored {
            Some(stored) => Cursor::read(stored)?,
            None => Cursor {
                filter: filter.clone(),
                next: None,
                latest: back(now, self.poll.lookback),
            },
        };
        let from = |since: Timestamp| {
            let since = since.max(back(now, OLDEST));
            api::log_from(since, self.poll.page_size, &filter)
        };
        let asked = match cursor.next.as_deref().filter(|_| cursor.filter == filter) {
            Some(next) => {
                let path = self.follow(next)?;
                match api::read_log(&self.plane, cx, path).await {
                    // Okta no longer knows its own mark.
                    Err(error) if error.kind == Kind::VendorRejected => {
                        let path = from(back(cursor.latest, OVERLAP));
                        api::read_log(&self.plane, cx, path).await
                    }
                    page => page,
                }
            }
            None => {
                let since = match stored {
                    Some(_) => back(cursor.latest, OVERLAP),
                    None => cursor.latest,
                };
                api::read_log(&self.plane, cx, from(since)).await
            }
        };
        let (mut documents, next) = asked?;
        if let Some(next) = &next {
            // Before the events are stored: a place that cannot be followed must not be kept.
            self.follow(next)?;
        }
        let more = documents.len() >= usize::from(self.poll.page_size);
        let latest = documents
            .iter()
            .filter_map(|json| events::published(json))
            .max();
        let cursor = Cursor {
            filter,
            next,
            latest: latest.map_or(cursor.latest, |latest| cursor.latest.max(latest.min(now))),
        };
        documents.retain(|json| !events::is_ordinary_sign_in(json));
        let cursor = serde_json::to_value(&cursor).map_err(|error| {
            let detail = "the place in the feed cannot be stored";
            Error::new(Kind::ReplyUnreadable, api::LOGS, detail).source(error)
        })?;
        Ok(Batch {
            documents,
            cursor,
            more,
        })
    }
}

impl Feed for Okta {
    fn interval(&self) -> Duration {
        self.poll.pause()
    }

    fn poll<'a>(&'a self, cx: &'a Call, cursor: Option<&'a Value>) -> BoxFuture<'a, Result<Batch>> {
        Box::pin(self.page(cx, cursor))
    }
}
