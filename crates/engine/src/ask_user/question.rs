//! Whom a question is for, who may answer it, and what it says. Pure.

use jiff::{SignedDuration, Timestamp};
use quell_connector::{Identity, Letter};
use quell_model::entity::Account;
use quell_model::{Alert, Entity, text};
use quell_store::Question;

/// The one person an alert is about, and their mail address.
pub(super) fn person(alert: &Alert) -> Option<(Account, String)> {
    let mut found: Option<(Account, String)> = None;
    for entity in &alert.entities {
        let Entity::Account(account) = entity else {
            continue;
        };
        let Some(address) = account.principal.as_deref().and_then(address) else {
            continue;
        };
        match &found {
            // Whose sign-in it was cannot be told.
            Some((_, other)) if *other != address => return None,
            Some(_) => {}
            None => found = Some((account.clone(), address)),
        }
    }
    found
}

/// The principal as a mail address, in lower case, if it looks like one.
fn address(principal: &str) -> Option<String> {
    let (local, domain) = principal.split_once('@')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._%+-'".contains(c);
    let sound = !local.is_empty()
        && local.chars().all(plain)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
        && domain
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        && principal.len() <= 254;
    sound.then(|| principal.to_ascii_lowercase())
}

/// Addresses the sign-in came from.
pub(super) fn places(alert: &Alert) -> Vec<String> {
    let indicators = alert.entities.iter().filter_map(|entity| match entity {
        Entity::NetworkIndicator(indicator) => indicator.value.parse::<std::net::IpAddr>().ok(),
        _ => None,
    });
    indicators.take(5).map(|ip| ip.to_string()).collect()
}

/// Whether somebody is the person a question is about.
#[must_use]
pub fn is_about(question: &Question, identity: &Identity) -> bool {
    let by_name = identity
        .principals
        .iter()
        .any(|principal| principal.to_lowercase() == question.subject);
    let account = &question.account;
    let by_id = identity.account.as_ref().is_some_and(|(provider, id)| {
        account.provider.as_deref() == Some(provider) && account.id.as_deref() == Some(id)
    });
    by_name || by_id
}

pub(super) fn same(account: &Account, question: &Question) -> bool {
    let principal = account.principal.as_deref().map(str::to_lowercase);
    principal.as_deref() == Some(&question.subject)
        || (account.id.is_some() && account.id == question.account.id)
}

/// What the record calls whoever answered.
pub(super) fn name(question: &Question, identity: &Identity) -> String {
    let principals = &identity.principals;
    let own = principals
        .iter()
        .find(|principal| principal.to_lowercase() == question.subject)
        .or(principals.first());
    let name = text::line(own.unwrap_or(&question.subject));
    name.chars().take(254).collect()
}

/// "14:05 UTC on 3 March 2026".
#[must_use]
pub fn when(at: Timestamp) -> String {
    // Whole minutes, so that nobody who was half a minute off says no.
    let minute = at.round(jiff::Unit::Minute).unwrap_or(at);
    minute.strftime("%H:%M UTC on %-d %B %Y").to_string()
}

pub(super) fn letter(question: &Question, link: String) -> Letter {
    let place = match question.places.as_slice() {
        [] => String::new(),
        places => format!(", from the internet address {}", places.join(" or ")),
    };
    let left = question.expires.duration_since(question.asked);
    let hours = quell_policy::budget::words(left.max(SignedDuration::ZERO).unsigned_abs());
    Letter {
        subject: "Was this you? A sign-in to your account".to_owned(),
        lines: vec![
            format!(
                "Somebody signed in to your account {} at {}{place}. It looked unusual.",
                question.subject,
                when(question.time)
            ),
            "Please say whether it was you. You will be asked to sign in first, on the page where you \
             always do; opening the link answers nothing."
                .to_owned(),
            format!(
                "The question is open for {hours}. If you do not answer, nothing changes. This message \
                 never asks for your password: if you doubt it, ask your security team."
            ),
        ],
        link,
    }
}
