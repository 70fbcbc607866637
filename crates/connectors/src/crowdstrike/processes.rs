//! `process.kill` through Real Time Response: a session, a look at what runs, the kill, and another
//! look. Nothing is ever killed that was not seen running under the right name just before.

mod listing;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quell_connector::{Call, Error, Kind, Perform, Progress, Receipt, Result};
use quell_model::entity::Process;
use quell_model::property::KillProcess;
use quell_model::text;
use serde::{Deserialize, Serialize};

use super::{CrowdStrike, api, wire};
use listing::Found;

/// Wait between looks at a command's result.
const LOOK: Duration = Duration::from_millis(700);
/// Longest wait for one command; a host that takes longer is as good as gone.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// Sessions opened for one kill before giving up: another node may close one under our feet.
const SESSIONS: usize = 3;
/// Pieces of output read; more than this is no process listing.
const PIECES: u32 = 200;
/// Vendor code of a host that does not answer its sensor connection.
const NO_SENSOR: &str = "40401";

/// How many kills use the session on each host. The vendor gives every caller with the same API
/// client the same session, so only the last one may close it.
#[derive(Default)]
pub(super) struct Guests(Mutex<HashMap<String, usize>>);

impl Guests {
    fn arrive<'a>(&'a self, host: &'a str) -> Guest<'a> {
        *self.lock().entry(host.to_owned()).or_default() += 1;
        Guest { guests: self, host }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One kill on a host. It counts until it is dropped, also when its caller gives up on it.
struct Guest<'a> {
    guests: &'a Guests,
    host: &'a str,
}

impl Guest<'_> {
    /// Leaves, and says whether nobody is left.
    fn leave(self) -> bool {
        let (guests, host) = (self.guests, self.host);
        drop(self);
        !guests.lock().contains_key(host)
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut guests = self.guests.lock();
        if let Some(count) = guests.get_mut(self.host) {
            *count -= 1;
            if *count == 0 {
                guests.remove(self.host);
            }
        }
    }
}

/// What a receipt holds: enough to go on after a restart.
#[derive(Debug, Serialize, Deserialize)]
struct Evidence {
    outcome: Outcome,
    /// The session the kill was sent in.
    session_id: Option<String>,
    /// The vendor's id of the kill command; missing when its reply was lost.
    cloud_request_id: Option<String>,
    /// What was seen under the pid.
    seen: Option<String>,
    /// Why there is doubt, when there is.
    doubt: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The kill was sent.
    Sent,
    /// The kill may have been sent: its reply was lost.
    InDoubt,
    /// Nothing runs under the pid.
    Gone,
    /// Something else runs under the pid.
    Reused,
}

impl Evidence {
    fn receipt(self) -> Result<Receipt> {
        let unchanged = matches!(self.outcome, Outcome::Gone | Outcome::Reused);
        let evidence = serde_json::to_value(self).map_err(|error| {
            Error::new(
                Kind::ReplyUnreadable,
                api::RTR_KILL,
                "the receipt cannot be written",
            )
            .source(error)
        })?;
        Ok(Receipt {
            unchanged,
            evidence,
        })
    }
}

/// A process that can be killed.
struct Victim<'a> {
    device: &'a str,
    pid: u32,
    name: String,
}

impl<'a> Victim<'a> {
    fn of(process: &'a Process) -> Result<Self> {
        let refuse = |detail: &str| Err(Error::new(Kind::Unsupported, "process.kill", detail));
        let Some(device) = process.host_id.as_deref().and_then(text::present) else {
            return refuse("the process has no device id, so no host can be asked");
        };
        let Some(pid) = process.pid.filter(|pid| *pid > 0) else {
            return refuse("the process has no operating system process id");
        };
        let name = process.name.as_deref().or(process.path.as_deref());
        let Some(name) = name.map(listing::image).filter(|name| !name.is_empty()) else {
            return refuse(
                "the process has no image name, so it cannot be told from another under the same pid",
            );
        };
        Ok(Self { device, pid, name })
    }
}

impl CrowdStrike {
    /// Opens a session, and says in people's words why there is none.
    async fn open(&self, cx: &Call, device: &str) -> Result<wire::Session> {
        let opened = api::open_session(&self.plane, cx, device).await;
        let session = opened.map_err(|error| match error.vendor_code.as_deref() {
            Some(NO_SENSOR) => offline(device, &error),
            _ => error,
        })?;
        if session.offline_queued.is_set() {
            if let Some(id) = session.session_id.raw() {
                self.close(cx, id).await;
            }
            let error = Error::new(Kind::VendorUnavailable, api::RTR_OPEN, "");
            return Err(offline(device, &error));
        }
        Ok(session)
    }

    /// Ends a session. One that stays open by accident ends by itself after ten minutes, so failing
    /// here fails nothing.
    async fn close(&self, cx: &Call, session: &str) {
        let _best_effort = api::close_session(&self.plane, cx, session).await;
    }

    /// Everything that runs on the host.
    async fn list(&self, cx: &Call, device: &str, session: &str) -> Result<String> {
        let sent = api::send_ps(&self.plane, cx, session, device).await?;
        let request = request_id(&sent, api::RTR_LIST)?;
        if sent.queued_command_offline.is_set() {
            return Err(offline(
                device,
                &Error::new(Kind::VendorUnavailable, api::RTR_LIST, ""),
            ));
        }
        let within = cx.within(COMMAND_LIMIT);
        let first = within
            .poll(api::RTR_LIST_RESULT, LOOK, || async {
                let status =
                    api::command_status(&self.plane, &within, api::RTR_LIST_RESULT, &request, 0)
                        .await?;
                Ok(status.complete.is_set().then_some(status))
            })
            .await?;
        if let Some(complaint) = first.stderr.line() {
            let detail = format!("the host could not list its processes: {complaint}");
            return Err(Error::new(Kind::VendorRejected, api::RTR_LIST, detail));
        }
        let mut text = first.stdout.as_written().to_owned();
        for sequence in 1..PIECES {
            if text.is_empty() {
                break;
            }
            let piece =
                api::command_status(&self.plane, cx, api::RTR_LIST_RESULT, &request, sequence)
                    .await;
            match piece {
                Ok(piece) if !piece.stdout.as_written().is_empty() => {
                    text.push_str(piece.stdout.as_written());
                }
                Ok(_) => break,
                // Some versions answer a piece beyond the last one with 404.
                Err(error) if error.kind == Kind::TargetNotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(text)
    }

    /// What runs under the pid now. A session that somebody closed meanwhile is opened again.
    async fn look(
        &self,
        cx: &Call,
        victim: &Victim<'_>,
        session: &mut Option<String>,
    ) -> Result<Found> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let id = match session.clone() {
                Some(id) => id,
                None => {
                    let opened = self.open(cx, victim.device).await?;
                    let id = opened.session_id.line().ok_or_else(|| {
                        let detail = "the vendor's reply holds no session id";
                        Error::new(Kind::ReplyUnreadable, api::RTR_OPEN, detail)
                    })?;
                    session.insert(id).clone()
                }
            };
            match self.list(cx, victim.device, &id).await {
                Ok(text) => return listing::find(&text, victim.pid, &victim.name),
                Err(error) if is_offline(&error) => return Err(offline(victim.device, &error)),
                Err(error) if error.kind == Kind::TargetNotFound && attempts < SESSIONS => {
                    *session = None
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn kill(
        &self,
        cx: &Call,
        victim: &Victim<'_>,
        session: &mut Option<String>,
    ) -> Result<Receipt> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let evidence = |outcome, seen: &str| Evidence {
                outcome,
                session_id: None,
                cloud_request_id: None,
                seen: Some(seen.to_owned()),
                doubt: None,
            };
            let seen = match self.look(cx, victim, session).await? {
                Found::Nothing => return evidence(Outcome::Gone, "nothing").receipt(),
                Found::Other { name } => return evidence(Outcome::Reused, &name).receipt(),
                Found::Same { name } => name,
                Found::Unclear { name } => {
                    let (pid, wanted) = (victim.pid, &victim.name);
                    let detail = format!(
                        "nothing was killed: pid {pid} runs `{name}`, which cannot be told to be `{wanted}`"
                    );
                    return Err(Error::new(Kind::VendorRejected, api::RTR_LIST, detail));
                }
            };
            let id = session.clone().unwrap_or_default();
            let sent = api::send_kill(&self.plane, cx, &id, victim.device, victim.pid).await;
            return match sent {
                Ok(sent) => Evidence {
                    session_id: Some(id),
                    cloud_request_id: sent.cloud_request_id.line(),
                    ..evidence(Outcome::Sent, &seen)
                }
                .receipt(),
                Err(error) if is_offline(&error) => Err(offline(victim.device, &error)),
                // Nothing ran in a session that is not there. By now the pid may be another's: look again.
                Err(error) if error.kind == Kind::TargetNotFound && attempts < SESSIONS => {
                    *session = None;
                    continue;
                }
                Err(error) if error.kind == Kind::MaybeApplied => Evidence {
                    session_id: Some(id),
                    doubt: Some(error.detail.to_string()),
                    ..evidence(Outcome::InDoubt, &seen)
                }
                .receipt(),
                Err(error) => Err(error),
            };
        }
    }

    /// Whether the host is known to be away, asked before a session is, because the vendor takes half
    /// a minute to find out. Not being able to tell is no reason to stop.
    async fn refuse_if_offline(&self, cx: &Call, device: &str) -> Result<()> {
        let Ok(answer) = api::online_state(&self.plane, cx, device).await else {
            return Ok(());
        };
        let state = answer.resources.iter().find(|state| {
            state
                .id
                .raw()
                .is_some_and(|id| id.eq_ignore_ascii_case(device))
        });
        match state.and_then(|state| state.state.raw()) {
            Some(word) if word.eq_ignore_ascii_case("offline") => {
                let error = Error::new(Kind::VendorUnavailable, api::DEVICES_ONLINE, "")
                    .request_id(answer.reply.request_id.clone());
                Err(offline(device, &error))
            }
            _ => Ok(()),
        }
    }
}

fn request_id(sent: &wire::CommandAccepted, operation: &'static str) -> Result<String> {
    sent.cloud_request_id.line().ok_or_else(|| {
        let detail = "the vendor's reply holds no command id";
        Error::new(Kind::ReplyUnreadable, operation, detail)
    })
}

fn is_offline(error: &Error) -> bool {
    error.vendor_code.as_deref() == Some(NO_SENSOR)
}

fn offline(device: &str, error: &Error) -> Error {
    let detail = format!(
        "host `{device}` is offline; nothing was done, and a kill is never queued for later"
    );
    Error::new(Kind::VendorUnavailable, error.operation, detail)
        .code(NO_SENSOR)
        .request_id(error.request_id.as_deref().map(str::to_owned))
}

impl Perform<KillProcess> for CrowdStrike {
    async fn perform(&self, cx: &Call, process: &Process) -> Result<Receipt> {
        let victim = Victim::of(process)?;
        self.refuse_if_offline(cx, victim.device).await?;
        let guest = self.guests.arrive(victim.device);
        let mut session = None;
        let result = self.kill(cx, &victim, &mut session).await;
        let last = guest.leave();
        // After a kill was sent the session stays for `progress`, which looks again and then ends it.
        let sent = matches!(&result, Ok(receipt) if !receipt.unchanged);
        if let Some(session) = session.filter(|_| last && !sent) {
            self.close(cx, &session).await;
        }
        result
    }

    async fn progress(&self, cx: &Call, process: &Process, receipt: &Receipt) -> Result<Progress> {
        let victim = Victim::of(process)?;
        let evidence: Evidence =
            serde_json::from_value(receipt.evidence.clone()).map_err(|error| {
                Error::new(
                    Kind::ReplyUnreadable,
                    "process.kill",
                    "the receipt is not one of this connector's",
                )
                .source(error)
            })?;
        let seen = evidence.seen.as_deref().unwrap_or("another process");
        match evidence.outcome {
            Outcome::Gone => {
                let note = format!("No process with pid {} was running any more.", victim.pid);
                return Ok(Progress::AlreadySo { note });
            }
            Outcome::Reused => {
                let note = format!(
                    "Pid {} belongs to `{seen}` now, so `{}` had ended by itself; nothing was killed.",
                    victim.pid, victim.name
                );
                return Ok(Progress::AlreadySo { note });
            }
            Outcome::Sent | Outcome::InDoubt => {}
        }
        let complaint = match &evidence.cloud_request_id {
            None => None,
            Some(id) => {
                match api::command_status(&self.plane, cx, api::RTR_KILL_RESULT, id, 0).await {
                    Ok(status) if !status.complete.is_set() => return Ok(Progress::Pending),
                    Ok(status) => status.stderr.line(),
                    // The vendor forgets commands after a while; what runs still tells.
                    Err(error) if error.kind == Kind::TargetNotFound => None,
                    Err(error) => return Err(error),
                }
            }
        };
        let guest = self.guests.arrive(victim.device);
        let mut session = evidence.session_id.clone();
        let found = self.look(cx, &victim, &mut session).await;
        if let (true, Some(session)) = (guest.leave(), session) {
            self.close(cx, &session).await;
        }
        Ok(verdict(&victim, &evidence, complaint, &found?))
    }
}

/// What the kill came to, from what the vendor said of it and what runs now.
fn verdict(
    victim: &Victim<'_>,
    evidence: &Evidence,
    complaint: Option<String>,
    found: &Found,
) -> Progress {
    let Victim { pid, name, .. } = victim;
    let gone = match found {
        Found::Nothing => format!("`{name}` (pid {pid}) is no longer running."),
        Found::Other { name: other } => {
            format!("`{name}` is no longer running; pid {pid} belongs to `{other}` now.")
        }
        Found::Unclear { name: other } => {
            let note = format!("Pid {pid} shows `{other}` now, which may or may not be `{name}`.");
            return Progress::Unconfirmed { note };
        }
        Found::Same { .. } => {
            return match (complaint, evidence.outcome) {
                (Some(complaint), _) => Progress::Failed {
                    note: format!("`{name}` (pid {pid}) still runs; the host says: {complaint}"),
                },
                // Nobody knows whether the kill arrived, and it is never sent twice.
                (None, Outcome::InDoubt) => Progress::Lost,
                (None, _) => Progress::Failed {
                    note: format!(
                        "The host reports the kill as done, but `{name}` (pid {pid}) still runs."
                    ),
                },
            };
        }
    };
    match (complaint, evidence.outcome) {
        // The process ended between the look and the kill.
        (Some(_), _) => Progress::AlreadySo { note: gone },
        (None, Outcome::InDoubt) => Progress::Done {
            note: format!(
                "{gone} The reply to the kill was lost, so it may also have ended by itself."
            ),
        },
        (None, _) => Progress::Done { note: gone },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_session_is_closed_by_whoever_leaves_last() {
        let guests = Guests::default();
        let (first, second) = (guests.arrive("h"), guests.arrive("h"));
        let given_up = guests.arrive("h");
        assert!(!first.leave());
        drop(given_up);
        assert!(second.leave());
    }

    #[test]
    fn a_receipt_comes_back_as_it_was_written() {
        let evidence = Evidence {
            outcome: Outcome::Sent,
            session_id: Some("s".into()),
            cloud_request_id: Some("c".into()),
            seen: Some("evil".into()),
            doubt: None,
        };
        let receipt = evidence.receipt().unwrap();
        assert_eq!(receipt.evidence["outcome"], json!("sent"));
        assert!(serde_json::from_value::<Evidence>(receipt.evidence).is_ok());
    }
}
