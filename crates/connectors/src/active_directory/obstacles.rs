//! Whom Quell leaves alone, whatever policy says.

use quell_connector::{Instead, Obstacle, Result};

use super::account::{DOMAIN_ADMINS, Record, Sort, control};
use super::ldap::{Amount, Scope, Search, filter};
use super::sid::Sid;
use super::talk::Talk;

/// Administrator, Guest, krbtgt and DefaultAccount, under whatever name.
const BUILT_IN: [u32; 4] = [500, 501, 502, 503];
/// Matches when all of the given bits are set.
const BITS: &str = "1.2.840.113556.1.4.803";
/// Matches members of members too.
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// What stands in the way of doing anything to the account.
pub(super) async fn of(
    talk: &mut Talk<'_>,
    operation: &'static str,
    record: &Record,
) -> Result<Option<Obstacle>> {
    let name = &record.name;
    let found = if let Some(text) = built_in(record) {
        Some(("built-in-account", text))
    } else if talk.root().token.contains(&record.sid) {
        let text = format!("`{name}` is the account that Quell itself signs in as.");
        Some(("own-account", text))
    } else if last_administrator(talk, operation, record).await? {
        let text = format!("`{name}` is the last domain administrator that is enabled.");
        Some(("last-administrator", text))
    } else {
        None
    };
    Ok(found.map(|(rule, text)| Obstacle {
        rule,
        text,
        instead: Instead::Nothing,
    }))
}

fn built_in(record: &Record) -> Option<String> {
    let name = &record.name;
    let relative = record.sid.relative();
    match record.sort {
        Sort::Managed => Some(format!(
            "`{name}` is a managed service account, whose password the directory itself keeps."
        )),
        Sort::Machine => Some(format!("`{name}` is the account of a machine.")),
        Sort::Person if relative.is_some_and(|id| BUILT_IN.contains(&id)) || record.critical => {
            Some(format!("`{name}` is built into Windows."))
        }
        Sort::Person => None,
    }
}

/// Whether nobody else could administer the domain.
async fn last_administrator(
    talk: &mut Talk<'_>,
    operation: &'static str,
    record: &Record,
) -> Result<bool> {
    if record.disabled() || !record.administers_domain() {
        return Ok(false);
    }
    let group = record.sid.sibling(DOMAIN_ADMINS);
    let by_name = Search {
        base: &format!("<SID={group}>"),
        scope: Scope::Base,
        filter: filter::ANY,
        attributes: &["1.1"],
        amount: Amount::AtMost(1),
    };
    let found = talk.search(operation, &by_name).await?;
    let Some(group) = found.first().map(|entry| entry.name.clone()) else {
        return Ok(true);
    };
    let root = talk.root();
    let enabled = Search {
        base: &root.base,
        scope: Scope::Subtree,
        filter: &format!(
            "(&(objectClass=user)(!(objectClass=computer))(!{})(|{}{}))",
            filter::matches(BITS, "userAccountControl", &control::DISABLED.to_string()),
            filter::matches(IN_CHAIN, "memberOf", &group),
            filter::is("primaryGroupID", &DOMAIN_ADMINS.to_string()),
        ),
        attributes: &["objectSid"],
        amount: Amount::All,
    };
    let enabled = talk.search(operation, &enabled).await?;
    let sids = enabled.iter().filter_map(|entry| entry.bytes("objectSid"));
    let mut sids = sids.filter_map(Sid::from_bytes);
    Ok(!sids.any(|sid| sid != record.sid))
}
