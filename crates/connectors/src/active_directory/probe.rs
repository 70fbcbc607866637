//! What can be told without changing anything: whether each domain controller is reached, believed and
//! signed in to, and what is delegated on an ordinary user.

use quell_connector::{Call, Check, Error, Kind, Result};
use quell_model::entity::Account;

use super::ldap::{Amount, Scope, Search, filter};
use super::talk::{Talk, Task};
use super::{ActiveDirectory, lookup, needs};

const PROBE: &str = "ldap.probe";
const ENABLEMENT: &str = "disable_account, enable_account";
const PASSWORD: &str = "reset_password";

pub(super) async fn probe(connection: &ActiveDirectory, cx: &Call) -> Vec<Check> {
    let check = |name: &str, used_by: &str, ok: Option<bool>, detail: String| Check {
        name: name.to_owned(),
        used_by: used_by.to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    };
    let mut checks = Vec::new();
    let mut signed_in = false;
    for (server, outcome) in connection.directory.sign_in_everywhere(cx).await {
        let name = format!("Sign-in at {server}");
        checks.push(match outcome {
            Ok(()) => {
                signed_in = true;
                let detail = format!("Signed in; it holds {}.", connection.directory.domain());
                check(&name, "everything", Some(true), detail)
            }
            Err(error) => check(&name, "everything", verdict(&error), format!("{error}.")),
        });
    }
    if !signed_in {
        return checks;
    }
    let Some(user) = &connection.probe_user else {
        let detail = "Set `probe_user` to an ordinary user to see what is delegated.";
        for (need, used_by) in [
            (needs::READ, "everything"),
            (needs::WRITE_CONTROL, ENABLEMENT),
            (needs::WRITE_PASSWORD_TIME, PASSWORD),
            (needs::RESET, PASSWORD),
        ] {
            checks.push(check(need, used_by, None, detail.to_owned()));
        }
        return checks;
    };
    match connection.directory.run(cx, PROBE, &Delegated(user)).await {
        Ok(writable) => {
            let read = format!("Read everything that is needed of `{user}`.");
            checks.push(check(needs::READ, "everything", Some(true), read));
            for (need, attribute, used_by) in [
                (needs::WRITE_CONTROL, "userAccountControl", ENABLEMENT),
                (needs::WRITE_PASSWORD_TIME, "pwdLastSet", PASSWORD),
            ] {
                let granted = writable
                    .iter()
                    .any(|name| name.eq_ignore_ascii_case(attribute));
                let detail = if granted {
                    format!("Granted on `{user}`.")
                } else {
                    format!("Missing on `{user}`; delegate `{need}` on the organizational unit.")
                };
                checks.push(check(need, used_by, Some(granted), detail));
            }
            let detail = "Whether it is granted shows only when it is used.";
            checks.push(check(needs::RESET, PASSWORD, None, detail.to_owned()));
        }
        Err(error) => {
            checks.push(check(
                needs::READ,
                "everything",
                verdict(&error),
                format!("{error}."),
            ));
        }
    }
    checks
}

/// A refusal is a finding, unless the domain could not be asked at all.
fn verdict(error: &Error) -> Option<bool> {
    (!error.kind.passes()).then_some(false)
}

/// The attributes that may be written on a user.
struct Delegated<'a>(&'a str);

impl Task for Delegated<'_> {
    type Answer = Vec<String>;

    async fn run(&self, talk: &mut Talk<'_>) -> Result<Vec<String>> {
        let user = Account {
            name: Some(self.0.to_owned()),
            provider: Some("active_directory".to_owned()),
            ..Account::default()
        };
        let record = lookup::find(talk, PROBE, &user).await?;
        let search = Search {
            base: &record.place(),
            scope: Scope::Base,
            filter: filter::ANY,
            attributes: &["allowedAttributesEffective"],
            amount: Amount::AtMost(1),
        };
        let found = talk.search(PROBE, &search).await?;
        let entry = found.first().ok_or_else(|| {
            let detail = format!("`{}` has gone meanwhile", self.0);
            Error::new(Kind::TargetNotFound, PROBE, detail)
        })?;
        let names = entry.all("allowedAttributesEffective").iter();
        Ok(names
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect())
    }
}
