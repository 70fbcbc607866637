//! The rows: whether a user may sign in, ending sessions, and resetting the password.

use jiff::{SignedDuration, Timestamp};
use quell_connector::contract::Sight;
use quell_connector::http::Reply;
use quell_connector::{
    Call, Control, Error, Kind, Observed, Perform, Progress, Reading, Receipt, Result,
};
use quell_model::entity::Account;
use quell_model::property::{AccountEnabled, Enablement, ResetPassword, RevokeSessions};
use serde::{Deserialize, Serialize};

use super::obstacles::Deed;
use super::users::is_object_id;
use super::{EntraId, api, wire};

/// The vendor stamps whole seconds, on clocks of its own.
const SKEW: SignedDuration = SignedDuration::from_secs(5);
/// How long after a lost reply the proof may still appear.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Access tokens live 60 to 90 minutes unless the tenant has a lifetime policy.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(90);

impl Control<AccountEnabled> for EntraId {
    async fn read(&self, cx: &Call, account: &Account) -> Result<Observed<Enablement>> {
        let known = self.known(cx, account).await?;
        let shown = enablement(&known.user)?;
        let accepted = self.written.accepted_to(&known.user.id, cx.clock().now());
        let reading = match accepted {
            Some(to) if to != shown => Reading::Moving { to },
            _ => Reading::Settled(shown),
        };
        Ok(Observed {
            asset: known.facts(),
            obstacle: self.obstacle(cx, &known, Deed::Disable).await?,
            ..Observed::of(reading)
        })
    }

    async fn write(&self, cx: &Call, account: &Account, want: &Enablement) -> Result<Receipt> {
        let user = self.user(cx, account).await?;
        let id = user.id.clone();
        let evidence = |request| serde_json::json!({ "user": id, "request": request });
        // A user on the way elsewhere only seems to be there already.
        let heading = self.written.to(&id, cx.clock().now());
        if enablement(&user)? == *want && heading.is_none_or(|to| to == *want) {
            return Ok(Receipt::unchanged(evidence(None::<String>)));
        }
        let _turn = match want {
            Enablement::Disabled => {
                let known = self.with_roles(cx, user).await?;
                self.spare_the_last(cx, &known).await?
            }
            Enablement::Enabled => None,
        };
        self.written.sent(&id, want, cx.clock().now());
        let enabled = *want == Enablement::Enabled;
        match api::set_enabled(&self.plane, cx, &id, enabled).await {
            Ok(reply) => {
                self.written.accepted(&id);
                Ok(Receipt::of(evidence(reply.request_id)))
            }
            Err(error) => {
                if error.kind != Kind::MaybeApplied {
                    self.written.refused(&id);
                }
                Err(error)
            }
        }
    }
}

fn enablement(user: &wire::User) -> Result<Enablement> {
    match user.account_enabled {
        Some(true) => Ok(Enablement::Enabled),
        Some(false) => Ok(Enablement::Disabled),
        None => {
            let detail = "the vendor does not say whether the user may sign in";
            Err(Error::new(Kind::ReplyUnreadable, api::USER_READ, detail))
        }
    }
}

/// What is needed to find out what became of a deed.
#[derive(Serialize, Deserialize)]
struct Trace {
    /// Object id of the user.
    user: String,
    /// When the vendor was asked.
    at: Timestamp,
    /// The vendor's id of the request.
    #[serde(default)]
    request: Option<String>,
    /// The reply was lost: only the proof tells whether it was done.
    #[serde(default)]
    doubt: bool,
}

impl Trace {
    /// The receipt of a deed. A lost reply is no failure where the record proves what was done.
    fn receipt(user: String, at: Timestamp, sent: Result<Reply>) -> Result<Receipt> {
        let (request, doubt) = match sent {
            Ok(reply) => (reply.request_id, false),
            Err(error) if error.kind == Kind::MaybeApplied => {
                (error.request_id.as_deref().map(str::to_owned), true)
            }
            Err(error) => return Err(error),
        };
        let trace = Self {
            user,
            at,
            request,
            doubt,
        };
        let unreadable = |error| {
            let detail = "the receipt cannot be stored";
            Error::new(Kind::MaybeApplied, api::USER_READ, detail).source(error)
        };
        serde_json::to_value(trace)
            .map(Receipt::of)
            .map_err(unreadable)
    }

    fn of(receipt: &Receipt) -> Result<Self> {
        let trace = Self::deserialize(&receipt.evidence).ok();
        trace
            .filter(|trace| is_object_id(&trace.user))
            .ok_or_else(|| {
                let detail = "the receipt does not say which user it is about";
                Error::new(Kind::Unsupported, api::USER_READ, detail)
            })
    }

    /// What a stamp of the vendor's, read now, says became of the deed.
    fn progress(&self, now: Timestamp, stamp: Option<&str>, note: String) -> Progress {
        let stamp = stamp.and_then(|stamp| stamp.parse::<Timestamp>().ok());
        let since = |at: Timestamp, by| at.checked_add(by).unwrap_or(at);
        if stamp.is_some_and(|stamp| stamp >= since(self.at, -SKEW)) {
            return Progress::Done { note };
        }
        if self.doubt && now >= since(self.at, GIVEN_UP_AFTER) {
            return Progress::Lost;
        }
        Progress::Pending
    }
}

impl EntraId {
    async fn sight(&self, cx: &Call, account: &Account, deed: Deed) -> Result<Sight> {
        let known = self.known(cx, account).await?;
        Ok(Sight {
            asset: known.facts(),
            obstacle: self.obstacle(cx, &known, deed).await?,
        })
    }
}

impl Perform<RevokeSessions> for EntraId {
    async fn look(&self, cx: &Call, account: &Account) -> Result<Sight> {
        self.sight(cx, account, Deed::RevokeSessions).await
    }

    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let user = self.user(cx, account).await?.id;
        let at = cx.clock().now();
        let sent = api::revoke_sessions(&self.plane, cx, &user).await;
        Trace::receipt(user, at, sent)
    }

    async fn progress(&self, cx: &Call, _: &Account, receipt: &Receipt) -> Result<Progress> {
        let trace = Trace::of(receipt)?;
        let user = api::read_user(&self.reads, cx, &trace.user).await?;
        let stamp = user.sign_in_sessions_valid_from_date_time.as_deref();
        let until = trace.at.checked_add(TOKEN_LIFE).unwrap_or(trace.at);
        let note = format!(
            "Sessions from before {} are no longer renewed; access tokens issued before may work until {}, in apps that do not check them continuously.",
            clock(trace.at),
            clock(until),
        );
        Ok(trace.progress(cx.clock().now(), stamp, note))
    }
}

impl Perform<ResetPassword> for EntraId {
    async fn look(&self, cx: &Call, account: &Account) -> Result<Sight> {
        self.sight(cx, account, Deed::ResetPassword).await
    }

    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let user = self.user(cx, account).await?.id;
        let password = cx.password().await?;
        let at = cx.clock().now();
        let sent = api::set_password(&self.plane, cx, &user, &password).await;
        Trace::receipt(user, at, sent)
    }

    async fn progress(&self, cx: &Call, _: &Account, receipt: &Receipt) -> Result<Progress> {
        let trace = Trace::of(receipt)?;
        let user = api::read_user(&self.reads, cx, &trace.user).await?;
        let stamp = user.last_password_change_date_time.as_deref();
        let note = format!(
            "The password was replaced at {}; the next sign-in has to choose a new one.",
            clock(trace.at)
        );
        Ok(trace.progress(cx.clock().now(), stamp, note))
    }
}

/// A time of day for people.
fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-01-01T12:00:03.5Z";

    fn progress(now: &str, stamp: Option<&str>, doubt: bool) -> Progress {
        let trace = Trace {
            user: "u".into(),
            at: AT.parse().unwrap(),
            request: None,
            doubt,
        };
        trace.progress(now.parse().unwrap(), stamp, "seen".into())
    }

    #[test]
    fn only_a_stamp_from_the_call_on_proves_it() {
        let done = Progress::Done {
            note: "seen".into(),
        };
        assert_eq!(progress(AT, Some("2026-01-01T11:59:59Z"), false), done);
        assert_eq!(
            progress(AT, Some("2026-01-01T12:00:03.1234567Z"), true),
            done
        );
        for none in [None, Some("2026-01-01T11:59:58Z"), Some("soon")] {
            assert_eq!(progress(AT, none, false), Progress::Pending, "{none:?}");
        }
    }

    #[test]
    fn a_lost_reply_without_proof_is_given_up_and_a_kept_one_is_waited_for() {
        let later = "2026-01-01T12:01:04Z";
        assert_eq!(progress(later, None, true), Progress::Lost);
        assert_eq!(progress(later, None, false), Progress::Pending);
        assert_eq!(
            progress("2026-01-01T12:00:50Z", None, true),
            Progress::Pending
        );
    }
}
