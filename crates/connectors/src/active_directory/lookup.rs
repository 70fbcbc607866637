//! Finding the one account an entity means. What is not exactly one account is none: nothing here
//! guesses.

use quell_connector::{Error, Kind, Result};
use quell_model::entity::Account;
use quell_model::text;

use super::account::{ATTRIBUTES, Record};
use super::ldap::{Amount, Entry, Scope, Search, filter};
use super::sid::{Sid, parse_guid};
use super::talk::Talk;

/// What an entity gives to find an account by, the surest first.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    /// A name that means one entry wherever it is: `<SID=…>` or `<GUID=…>`.
    Place(String),
    /// User principal name or mail address.
    Address(String),
    /// Account name, with the domain it is said to be of.
    Name {
        domain: Option<String>,
        name: String,
    },
}

/// How accounts of this directory are called by whoever says where an account lives.
const PROVIDER: &str = "active_directory";

/// The account, with everything read of it.
pub(super) async fn find(
    talk: &mut Talk<'_>,
    operation: &'static str,
    account: &Account,
) -> Result<Record> {
    let nothing = |detail: String| Error::new(Kind::TargetNotFound, operation, detail);
    let key = key(account).map_err(|detail| nothing(detail.to_owned()))?;
    let domain = talk.domain().to_owned();
    let place = match key {
        Key::Place(place) => place,
        Key::Address(address) => by_address(talk, operation, &address).await?,
        Key::Name { domain: said, name } => {
            if let Some(said) = said
                && !said.eq_ignore_ascii_case(&domain)
                && !said.eq_ignore_ascii_case(&talk.short_domain().await?)
            {
                return Err(nothing(format!("`{said}` is not the domain `{domain}`")));
            }
            by_name(talk, operation, &name).await?
        }
    };
    at(talk, operation, &place)
        .await?
        .ok_or_else(|| nothing(format!("`{domain}` holds no account `{place}`")))
}

/// The account at this place, if there is one.
pub(super) async fn at(
    talk: &mut Talk<'_>,
    operation: &'static str,
    place: &str,
) -> Result<Option<Record>> {
    let search = Search {
        base: place,
        scope: Scope::Base,
        filter: filter::ANY,
        attributes: ATTRIBUTES,
        amount: Amount::AtMost(1),
    };
    let found = talk.search(operation, &search).await?;
    found
        .first()
        .map(|entry| Record::of(operation, entry))
        .transpose()
}

async fn by_address(talk: &mut Talk<'_>, operation: &'static str, address: &str) -> Result<String> {
    let either = format!(
        "(|{}{})",
        filter::is("userPrincipalName", address),
        filter::is("mail", address),
    );
    if let Some(place) = only(talk, operation, address, &either).await? {
        return Ok(place);
    }
    // Whoever has no principal name of their own signs in by account name and domain.
    match address.rsplit_once('@') {
        Some((name, domain)) if domain.eq_ignore_ascii_case(talk.domain()) => {
            let name = name.to_owned();
            by_name(talk, operation, &name).await
        }
        _ => Err(missing(operation, talk.domain(), address)),
    }
}

async fn by_name(talk: &mut Talk<'_>, operation: &'static str, name: &str) -> Result<String> {
    let named = filter::is("sAMAccountName", name);
    let found = only(talk, operation, name, &named).await?;
    found.ok_or_else(|| missing(operation, talk.domain(), name))
}

fn missing(operation: &'static str, domain: &str, named: &str) -> Error {
    let detail = format!("`{domain}` holds no account `{}`", text::line(named));
    Error::new(Kind::TargetNotFound, operation, detail)
}

/// Where the only account with this property is.
async fn only(
    talk: &mut Talk<'_>,
    operation: &'static str,
    named: &str,
    property: &str,
) -> Result<Option<String>> {
    let root = talk.root();
    let search = Search {
        base: &root.base,
        scope: Scope::Subtree,
        filter: &format!("(&(objectClass=user){property})"),
        attributes: &["objectGUID"],
        // A second one is enough to know that there is not one.
        amount: Amount::AtMost(2),
    };
    let found = talk.search(operation, &search).await?;
    let place = |entry: &Entry| {
        let guid = entry.bytes("objectGUID").and_then(super::sid::guid);
        guid.map(|guid| format!("<GUID={guid}>"))
    };
    match found.as_slice() {
        [] => Ok(None),
        [entry] => Ok(place(entry)),
        _ => {
            let detail = format!("several accounts are called `{}`", text::line(named));
            Err(Error::new(Kind::TargetAmbiguous, operation, detail))
        }
    }
}

/// What to find the account by, or why there is nothing.
fn key(account: &Account) -> Result<Key, &'static str> {
    let provider = account.provider.as_deref();
    if provider == Some("local") {
        return Err("it is an account of one machine and not of the domain");
    }
    let ours = provider.is_none_or(|provider| provider == PROVIDER);
    if let Some(sid) = &account.sid {
        let sid = Sid::parse(sid).ok_or("its `sid` is no security identifier")?;
        return Ok(Key::Place(format!("<SID={sid}>")));
    }
    if let Some(id) = account.id.as_deref().filter(|_| ours) {
        if let Some(sid) = Sid::parse(id) {
            return Ok(Key::Place(format!("<SID={sid}>")));
        }
        if let Some(guid) = parse_guid(id) {
            return Ok(Key::Place(format!("<GUID={guid}>")));
        }
        if provider.is_some() {
            return Err("its `id` is neither a security identifier nor a GUID");
        }
    }
    let given = |text: &Option<String>| {
        let text = text.as_deref().map(str::trim).unwrap_or_default();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let (name, domain) = (given(&account.name), given(&account.domain));
    let principal = given(&account.principal);
    // Of an account said to be ours this is exact; elsewhere a name may be one for display.
    if let (Some(PROVIDER), Some(name), Some(domain)) = (provider, &name, &domain)
        && !name.contains(['\\', '@'])
    {
        let (name, domain) = (name.clone(), Some(domain.clone()));
        return Ok(Key::Name { domain, name });
    }
    for text in [&principal, &name].into_iter().flatten() {
        if let Some((domain, name)) = text.split_once('\\') {
            let (domain, name) = (Some(domain.to_owned()), name.to_owned());
            return Ok(Key::Name { domain, name });
        }
        if text.contains('@') {
            return Ok(Key::Address(text.clone()));
        }
    }
    match (name.or(principal), domain) {
        (Some(name), Some(domain)) => Ok(Key::Name {
            domain: Some(domain),
            name,
        }),
        (Some(name), None) if provider == Some(PROVIDER) => Ok(Key::Name { domain: None, name }),
        (Some(_), None) => {
            Err("it is named without a domain, so it may be an account of one machine")
        }
        (None, _) => Err("nothing says which account it is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(json: serde_json::Value) -> Account {
        serde_json::from_value(json).unwrap()
    }

    #[track_caller]
    fn found_by(json: serde_json::Value, wanted: Key) {
        assert_eq!(key(&account(json)), Ok(wanted));
    }

    fn name(domain: Option<&str>, name: &str) -> Key {
        let (domain, name) = (domain.map(str::to_owned), name.to_owned());
        Key::Name { domain, name }
    }

    #[test]
    fn the_surest_of_what_is_given_decides() {
        use serde_json::json;
        let sid = "S-1-5-21-1-2-3-1104";
        let guid = "83e0e024-9ab9-498c-8d3b-6c3bbeb8db23";
        let by_sid = || Key::Place(format!("<SID={sid}>"));
        found_by(
            json!({ "sid": sid, "id": guid, "principal": "a@b.c" }),
            by_sid(),
        );
        found_by(json!({ "id": sid, "principal": "a@b.c" }), by_sid());
        found_by(
            json!({ "id": guid.to_uppercase(), "provider": "active_directory" }),
            Key::Place(format!("<GUID={guid}>")),
        );
        found_by(
            json!({ "id": guid, "provider": "entra_id", "principal": "a@b.c" }),
            Key::Address("a@b.c".to_owned()),
        );
        found_by(json!({ "name": "CORP\\bob" }), name(Some("CORP"), "bob"));
        found_by(
            json!({ "name": "bob", "domain": "CORP" }),
            name(Some("CORP"), "bob"),
        );
        // What another directory says of an account it has from here; the addresses may differ.
        found_by(
            json!({ "provider": "active_directory", "name": "bob", "domain": "corp.example.test",
                "principal": "robert@cloud.example" }),
            name(Some("corp.example.test"), "bob"),
        );
        found_by(
            json!({ "provider": "entra_id", "name": "Bob", "domain": "CORP", "principal": "a@b.c" }),
            Key::Address("a@b.c".to_owned()),
        );
        found_by(
            json!({ "name": "bob", "provider": "active_directory" }),
            name(None, "bob"),
        );
    }

    #[test]
    fn what_may_mean_somebody_else_means_nobody() {
        use serde_json::json;
        for unsure in [
            json!({}),
            json!({ "id": "0" }),
            json!({ "name": "bob" }),
            json!({ "name": " ", "domain": "CORP" }),
            json!({ "sid": "S-1-5-21-x", "principal": "a@b.c" }),
            json!({ "id": "42", "provider": "active_directory", "principal": "a@b.c" }),
            json!({ "name": "bob", "domain": "WS-07", "provider": "local" }),
        ] {
            assert!(key(&account(unsure.clone())).is_err(), "{unsure}");
        }
    }
}
