//! `account.reset_password`: a fresh password that has to be changed at the next sign-in.
//!
//! Both are set in one request, so that there is no moment in which the temporary password is a
//! lasting one. The proof is `pwdLastSet`, read where the change was made.

use std::time::Duration;

use jiff::Timestamp;
use quell_connector::call::later;
use quell_connector::{Call, Perform, Progress, Receipt, Result, Sight};
use quell_model::Secret;
use quell_model::entity::Account;
use quell_model::property::ResetPassword;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::account::control;
use super::talk::{Talk, Task};
use super::{ActiveDirectory, lookup, needs, obstacles};

const LOOK: &str = "users.read";
const RESET: &str = "users.reset_password";
/// How long a Kerberos ticket works unless the domain says otherwise.
const TICKET: Duration = Duration::from_secs(10 * 3600);

impl Perform<ResetPassword> for ActiveDirectory {
    async fn look(&self, cx: &Call, target: &Account) -> Result<Sight> {
        self.directory.run(cx, LOOK, &Look(target)).await
    }

    async fn perform(&self, cx: &Call, target: &Account) -> Result<Receipt> {
        let _alone = self.directory.change(cx, RESET).await?;
        let reset = Reset {
            target,
            password: OnceCell::new(),
        };
        let done = self.directory.run(cx, RESET, &reset).await?;
        Ok(Receipt::of(serde_json::to_value(done).unwrap_or_default()))
    }

    async fn progress(&self, cx: &Call, _: &Account, receipt: &Receipt) -> Result<Progress> {
        let Ok(done) = Done::deserialize(&receipt.evidence) else {
            return Ok(Progress::Lost);
        };
        self.directory.prefer(&done.server);
        self.directory.run(cx, LOOK, &Proof(&done)).await
    }
}

/// What is kept of a reset.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    /// Where the change was made.
    server: String,
    guid: String,
    at: Timestamp,
    /// `pwdLastSet` before.
    password_set_before: i64,
    /// `uSNChanged` before, by the count of `server`.
    change_before: i64,
}

struct Look<'a>(&'a Account);

impl Task for Look<'_> {
    type Answer = Sight;

    async fn run(&self, talk: &mut Talk<'_>) -> Result<Sight> {
        let record = lookup::find(talk, LOOK, self.0).await?;
        Ok(Sight {
            asset: record.asset(),
            obstacle: obstacles::of(talk, LOOK, &record).await?,
        })
    }
}

struct Reset<'a> {
    target: &'a Account,
    /// One password, though several controllers may be asked.
    password: OnceCell<Secret>,
}

impl Task for Reset<'_> {
    type Answer = Done;

    async fn run(&self, talk: &mut Talk<'_>) -> Result<Done> {
        let record = lookup::find(talk, RESET, self.target).await?;
        let cx = talk.cx;
        let password = self.password.get_or_try_init(|| cx.password()).await?;
        let done = Done {
            server: talk.server().to_owned(),
            guid: record.guid.clone(),
            at: cx.clock().now(),
            password_set_before: record.password_set,
            change_before: record.change,
        };
        cx.intend().await?;
        let quoted = quoted(password);
        let values: [(&str, &[u8]); 2] = [("unicodePwd", &quoted), ("pwdLastSet", b"0")];
        let needs = [needs::RESET, needs::WRITE_PASSWORD_TIME];
        talk.replace(RESET, &record.place(), &values, &needs)
            .await?;
        Ok(done)
    }
}

struct Proof<'a>(&'a Done);

impl Task for Proof<'_> {
    type Answer = Progress;

    async fn run(&self, talk: &mut Talk<'_>) -> Result<Progress> {
        let done = self.0;
        let place = format!("<GUID={}>", done.guid);
        let Some(record) = lookup::at(talk, LOOK, &place).await? else {
            let note = "The account is gone.".to_owned();
            return Ok(Progress::Unconfirmed { note });
        };
        let here = talk.server() == done.server;
        let untouched = record.password_set == done.password_set_before
            && (record.password_set != 0 || (here && record.change <= done.change_before));
        if untouched {
            // Another domain controller learns of it later; the one that said yes knows it at once.
            return Ok(if here {
                let note = "The domain controller still has the password of before.".to_owned();
                Progress::Failed { note }
            } else {
                Progress::Pending
            });
        }
        let forced = match record.password_set {
            0 if record.control & control::NEVER_EXPIRES != 0 => {
                "its password never expires, so nobody is made to change it"
            }
            0 => "it has to be changed at the next sign-in",
            _ => "it has been changed again since",
        };
        let until = later(done.at, TICKET).strftime("%Y-%m-%d %H:%M UTC");
        let note = format!(
            "The password is a new one; {forced}. Kerberos tickets from before may work until {until}."
        );
        Ok(Progress::Done { note })
    }
}

/// The password as the directory takes it: in quotation marks, in UTF-16, least byte first.
fn quoted(password: &Secret) -> Vec<u8> {
    let text = ["\"", password.expose(), "\""];
    text.iter()
        .flat_map(|part| part.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_quoted_and_in_utf_16() {
        let bytes = quoted(&Secret::new("aß".to_owned()));
        assert_eq!(bytes, [0x22, 0, 0x61, 0, 0xdf, 0, 0x22, 0]);
    }
}
