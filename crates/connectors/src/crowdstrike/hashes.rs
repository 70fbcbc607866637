//! `hash.verdict` through custom indicators. What somebody else decided is respected: an `allow` is
//! never overruled, and only what Quell made or changed is taken back.

use std::time::Duration;

use quell_connector::{Call, Control, Error, Kind, Observed, Reading, Receipt, Result};
use quell_model::entity::File;
use quell_model::property::{HashVerdict, Verdict};
use quell_model::{FileFacts, text};
use serde_json::json;
use tracing::debug;

use super::{CrowdStrike, api, wire};

/// Marks the indicators Quell made (as source) or changed (as tag).
const MARK: &str = "quell";
const PLATFORMS: &[&str] = &["windows", "mac", "linux"];
/// How long a renewed indicator of somebody else's holds; its old end cannot be restored anyway.
const RENEWED: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 3650);

/// How long a count of hosts is waited for: it makes a ban safer, and must not make it late.
const COUNTING: Duration = Duration::from_secs(5);

/// A hash as the vendor's indicators know it.
struct Hash<'a> {
    kind: &'static str,
    value: String,
    name: Option<&'a str>,
}

impl<'a> Hash<'a> {
    fn of(file: &'a File) -> Result<Self> {
        let hex = |given: &Option<String>, digits: usize| {
            let value = given.as_deref()?.trim().to_ascii_lowercase();
            let fits = value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit());
            (fits && value.bytes().any(|byte| byte != b'0')).then_some(value)
        };
        let name = file.name.as_deref().and_then(text::present);
        let found = hex(&file.sha256, 64).map(|value| ("sha256", value));
        match found.or_else(|| hex(&file.md5, 32).map(|value| ("md5", value))) {
            Some((kind, value)) => Ok(Self { kind, value, name }),
            None if file.sha1.is_some() => Err(Error::new(
                Kind::Unsupported,
                "hash.verdict",
                "CrowdStrike cannot ban a SHA-1 hash; it takes SHA-256 or MD5",
            )),
            None => Err(Error::new(
                Kind::Unsupported,
                "hash.verdict",
                "the file has no SHA-256 and no MD5 hash",
            )),
        }
    }
}

/// What an indicator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Prevent,
    Detect,
    Allow,
    Nothing,
}

impl wire::Indicator {
    fn effect(&self) -> Effect {
        if self.expired.is_set() {
            return Effect::Nothing;
        }
        match self
            .action
            .raw()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "prevent" | "prevent_no_ui" => Effect::Prevent,
            "detect" => Effect::Detect,
            "allow" => Effect::Allow,
            _ => Effect::Nothing,
        }
    }

    /// Made by Quell.
    fn is_ours(&self) -> bool {
        self.source.raw() == Some(MARK)
    }

    /// Somebody else's, changed by Quell.
    fn is_marked(&self) -> bool {
        self.tags.iter().any(|tag| tag.raw() == Some(MARK))
    }

    fn is_global(&self) -> bool {
        self.applied_globally.is_set()
    }
}

/// The indicators there are for a hash. The vendor keeps one for each customer; a parent's may stand
/// beside it.
struct Known(Vec<wire::Indicator>);

impl Known {
    fn verdict(&self) -> Verdict {
        let has = |effect| {
            self.0
                .iter()
                .any(|known| known.effect() == effect && known.is_global())
        };
        if has(Effect::Allow) {
            Verdict::Allowed
        } else if has(Effect::Prevent) {
            Verdict::Banned
        } else if has(Effect::Detect) {
            Verdict::Watched
        } else {
            Verdict::Neutral
        }
    }

    /// The customer's own.
    fn own(&self) -> Option<&wire::Indicator> {
        self.0.iter().find(|known| !known.from_parent.is_set())
    }
}

impl CrowdStrike {
    async fn known(&self, cx: &Call, hash: &Hash<'_>) -> Result<Known> {
        let answer = api::search_indicators(&self.plane, cx, hash.kind, &hash.value).await?;
        if let Some(error) = answer.failure(false) {
            return Err(error);
        }
        let live = answer
            .resources
            .into_iter()
            .filter(|known| !known.deleted.is_set());
        Ok(Known(live.collect()))
    }

    /// On how many hosts the vendor has seen the hash; `None` when it does not say.
    ///
    /// Not knowing never fails a read. It means that the ban is decided by the file's name and path
    /// alone, as it was before anybody asked: a client without the permission, or a vendor whose
    /// count is down, must not keep malware from being banned. Whoever wants it the other way round
    /// writes a rule about files without `prevalence`.
    async fn seen_on(&self, cx: &Call, hash: &Hash<'_>) -> Option<u32> {
        let cx = cx.within(COUNTING);
        let answer = api::count_devices(&self.plane, &cx, hash.kind, &hash.value).await;
        let counted = match answer.and_then(|answer| answer.one(false)) {
            Ok(counted) => counted,
            Err(error) => {
                debug!(error.kind = error.kind.as_str(), %error, "prevalence of a file is unknown");
                return None;
            }
        };
        // Past some number the vendor stops counting; what it counted until then is still true.
        u32::try_from(counted.device_count.0?).ok()
    }

    /// Makes an indicator, or finds the one that was made meanwhile.
    async fn create(&self, cx: &Call, hash: &Hash<'_>, action: &str) -> Result<Receipt> {
        let description = format!("Made by Quell ({})", cx.reference());
        let indicator = wire::NewIndicator {
            kind: hash.kind,
            value: &hash.value,
            action,
            severity: "high",
            platforms: PLATFORMS,
            applied_globally: true,
            description: &description,
            source: MARK,
            tags: &[MARK],
            metadata: hash.name.map(|filename| wire::Metadata { filename }),
        };
        let answer = api::create_indicator(&self.plane, cx, &description, indicator).await?;
        let Some(error) = answer.failure(true) else {
            let id = answer.resources.first().and_then(|made| made.id.line());
            let Some(id) = id else {
                return Err(api::unreadable(
                    &answer.reply,
                    true,
                    "the vendor's reply holds no indicator",
                ));
            };
            return Ok(Receipt::of(json!({ "did": "created", "indicator": id })));
        };
        let says_duplicate = |text: Option<&str>| {
            text.is_some_and(|text| text.to_ascii_lowercase().contains("duplicate"))
        };
        let duplicate = says_duplicate(Some(&error.detail))
            || answer
                .errors
                .iter()
                .any(|error| says_duplicate(error.message.raw()))
            || answer
                .resources
                .iter()
                .any(|refused| says_duplicate(refused.message.raw()));
        if !duplicate {
            let refused = answer
                .resources
                .iter()
                .find_map(|refused| refused.message.line());
            return Err(match refused {
                Some(sentence) if error.kind == Kind::VendorRejected => {
                    Error::new(Kind::VendorRejected, error.operation, sentence)
                        .request_id(error.request_id.as_deref().map(str::to_owned))
                }
                _ => error,
            });
        }
        // It was made between our look and this call: by an attempt of ours whose reply was lost, or by
        // somebody else.
        let known = self.known(cx, hash).await?;
        let Some(own) = known.own() else {
            let detail = "the vendor has an indicator for this hash and does not show it";
            return Err(Error::new(Kind::VendorRejected, error.operation, detail));
        };
        let evidence = json!({ "did": "found", "indicator": own.id.line() });
        let ours = own.is_ours()
            && own
                .description
                .raw()
                .is_some_and(|text| text.contains(cx.reference()));
        match (own.effect(), action) {
            (Effect::Prevent, "prevent") | (Effect::Detect, "detect") if own.is_global() => {
                Ok(if ours {
                    Receipt::of(evidence)
                } else {
                    Receipt::unchanged(evidence)
                })
            }
            (Effect::Allow, _) => Err(allowed()),
            _ => Box::pin(self.change(cx, own, action, true)).await,
        }
    }

    /// Changes the action of an indicator. `mark` leaves the tag that says Quell did.
    async fn change(
        &self,
        cx: &Call,
        own: &wire::Indicator,
        action: &str,
        mark: bool,
    ) -> Result<Receipt> {
        let Some(id) = own.id.raw() else {
            let detail = "the vendor shows an indicator without an id";
            return Err(Error::new(Kind::ReplyUnreadable, api::IOC_UPDATE, detail));
        };
        let kept = own.tags.iter().filter_map(|tag| tag.raw());
        let mut tags: Vec<&str> = kept.filter(|tag| *tag != MARK).collect();
        if mark || own.is_ours() {
            tags.push(MARK);
        }
        let listed: Vec<&str> = own
            .platforms
            .iter()
            .filter_map(|platform| platform.raw())
            .collect();
        let until = own.expired.is_set().then(|| {
            cx.clock()
                .now()
                .checked_add(RENEWED)
                .unwrap_or(jiff::Timestamp::MAX)
                .strftime("%Y-%m-%dT%H:%M:%SZ")
                .to_string()
        });
        let comment = format!("Changed by Quell ({})", cx.reference());
        let change = wire::ChangedIndicator {
            id,
            action,
            severity: own.severity.raw().unwrap_or("high"),
            platforms: if listed.is_empty() {
                PLATFORMS
            } else {
                &listed
            },
            applied_globally: true,
            tags: &tags,
            expiration: until.as_deref(),
        };
        let answer = api::update_indicator(&self.plane, cx, &comment, change).await?;
        match answer.failure(true) {
            Some(error) => Err(error),
            None => Ok(Receipt::of(json!({
                "did": "changed", "indicator": id, "from": own.action.line(), "to": action,
            }))),
        }
    }

    async fn delete(&self, cx: &Call, own: &wire::Indicator) -> Result<Receipt> {
        let Some(id) = own.id.raw() else {
            let detail = "the vendor shows an indicator without an id";
            return Err(Error::new(Kind::ReplyUnreadable, api::IOC_DELETE, detail));
        };
        let comment = format!("Taken back by Quell ({})", cx.reference());
        let answer = api::delete_indicators(&self.plane, cx, &comment, &[id]).await?;
        let evidence = json!({ "did": "deleted", "indicator": id });
        if answer.resources.iter().any(|gone| gone.raw() == Some(id)) {
            return Ok(Receipt::of(evidence));
        }
        match answer.failure(true) {
            // Gone already: by an attempt of ours whose reply was lost, or by somebody else.
            Some(error) if error.kind == Kind::TargetNotFound => Ok(if answer.reply.after_doubt {
                Receipt::of(evidence)
            } else {
                Receipt::unchanged(evidence)
            }),
            Some(error) => Err(error),
            None => Ok(Receipt::of(evidence)),
        }
    }

    async fn ban(&self, cx: &Call, hash: &Hash<'_>, known: &Known) -> Result<Receipt> {
        let Some(own) = known.own() else {
            return self.create(cx, hash, "prevent").await;
        };
        match own.effect() {
            Effect::Allow => Err(allowed()),
            _ if !own.is_global() => Err(refused(
                "somebody has an indicator for this hash that holds for some host groups only; widen or delete it in the console",
            )),
            Effect::Prevent => Ok(Receipt::unchanged(json!({ "indicator": own.id.line() }))),
            // One of ours that ran out is made anew, with its own description.
            Effect::Nothing if own.is_ours() && own.expired.is_set() => {
                self.delete(cx, own).await?;
                self.create(cx, hash, "prevent").await
            }
            Effect::Detect | Effect::Nothing => self.change(cx, own, "prevent", true).await,
        }
    }

    async fn clear(&self, cx: &Call, known: &Known) -> Result<Receipt> {
        let Some(own) = known.own() else {
            return Ok(Receipt::unchanged(json!({ "indicator": null })));
        };
        if own.is_ours() {
            return self.delete(cx, own).await;
        }
        match own.effect() {
            Effect::Nothing => Ok(Receipt::unchanged(json!({ "indicator": own.id.line() }))),
            _ if own.is_marked() => self.change(cx, own, "no_action", false).await,
            _ => Err(not_ours()),
        }
    }

    /// Brings back a verdict somebody else had given.
    async fn restore(
        &self,
        cx: &Call,
        known: &Known,
        action: &str,
        effect: Effect,
    ) -> Result<Receipt> {
        match known.own() {
            Some(own) if own.effect() == effect => {
                Ok(Receipt::unchanged(json!({ "indicator": own.id.line() })))
            }
            Some(own) if own.is_ours() || own.is_marked() => {
                self.change(cx, own, action, false).await
            }
            Some(_) => Err(not_ours()),
            None => Err(refused(
                "the indicator that held this verdict is gone; somebody deleted it, and Quell does not make it again",
            )),
        }
    }
}

fn refused(detail: &str) -> Error {
    Error::new(Kind::VendorRejected, "hash.verdict", detail)
}

fn allowed() -> Error {
    refused("somebody allowed this hash on purpose; Quell does not overrule that")
}

fn not_ours() -> Error {
    refused("the indicator for this hash is somebody else's; change it in the console")
}

impl Control<HashVerdict> for CrowdStrike {
    async fn read(&self, cx: &Call, file: &File) -> Result<Observed<Verdict>> {
        let hash = Hash::of(file)?;
        let verdict = self.known(cx, &hash).await?.verdict();
        // What is banned already needs no fact to decide about it: no request is spent when a ban is
        // read back.
        let prevalence = match verdict {
            Verdict::Banned => None,
            _ => self.seen_on(cx, &hash).await,
        };
        Ok(Observed {
            file: FileFacts {
                prevalence,
                ..FileFacts::default()
            },
            ..Observed::of(Reading::Settled(verdict))
        })
    }

    async fn write(&self, cx: &Call, file: &File, want: &Verdict) -> Result<Receipt> {
        let hash = Hash::of(file)?;
        let known = self.known(cx, &hash).await?;
        match want {
            Verdict::Banned if known.verdict() == Verdict::Allowed => Err(allowed()),
            Verdict::Banned => self.ban(cx, &hash, &known).await,
            Verdict::Neutral => self.clear(cx, &known).await,
            Verdict::Watched => self.restore(cx, &known, "detect", Effect::Detect).await,
            Verdict::Allowed => self.restore(cx, &known, "allow", Effect::Allow).await,
        }
    }
}
