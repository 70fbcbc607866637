//! What a value says, by its entry's subject. Owns which values make sense; the texts around a value
//! are the entry's business.

use super::entry::{Draft, Problem, Strength, Subject, excerpt, problem};
use super::glob::{Glob, fold, is_glob};
use super::place::{Network, name, sender};

/// A value as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// One text, folded; a domain or a sender in the one spelling [`super::place`] gives it.
    Exact(String),
    /// A pattern.
    Glob(Glob),
    /// An address or a network.
    Network(Network),
}

/// Reads a value, or says what is wrong with it.
pub(super) fn form(draft: &Draft) -> Result<Form, Problem> {
    let value = draft.value.as_str();
    let wrong = |wrong: &str, fix: &str| {
        Err(problem(
            "value",
            format!("`{}` {wrong}", excerpt(value)),
            fix,
        ))
    };
    match draft.subject {
        Subject::Hash => {
            let digits = value.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !digits || !matches!(value.len(), 32 | 40 | 64) {
                return wrong(
                    "is no hash",
                    "give 64 (SHA-256), 40 (SHA-1) or 32 (MD5) hexadecimal digits",
                );
            }
            return Ok(Form::Exact(fold(value)));
        }
        Subject::Ip => return network(value, draft.strength),
        Subject::Domain | Subject::Sender if value.contains(['/', ':', ' ', '<', '>', '\\']) => {
            return wrong(
                "has more than a name",
                "write only the name, such as `example.com`",
            );
        }
        Subject::Domain if value.contains('@') => {
            return wrong("is an address", "use the subject `sender`");
        }
        Subject::Domain | Subject::Sender if value.starts_with(['.', '@']) => {
            return wrong(
                "begins with a sign",
                "leave it out; a domain stands for everything below it",
            );
        }
        Subject::FileName | Subject::ProcessName if value.contains(['/', '\\']) => {
            return wrong("has a folder", "write only the name");
        }
        _ => {}
    }
    if is_glob(value) {
        if draft.strength == Strength::Allow
            && value.chars().all(|c| matches!(c, '*' | '?' | '.' | '@'))
        {
            return wrong("allows everything", "name what may be acted on");
        }
        if matches!(draft.subject, Subject::Domain | Subject::Sender) && !value.is_ascii() {
            return wrong(
                "mixes wildcards and international letters",
                "write the name in its `xn--` form",
            );
        }
        return Ok(Form::Glob(Glob::new(&fold(value))));
    }
    match draft.subject {
        Subject::Domain => match name(value) {
            Some(name) => Ok(Form::Exact(name)),
            None if Network::read(value).is_some() => {
                wrong("is an IP address", "use the subject `ip`")
            }
            None => wrong("is no domain", "write a name such as `example.com`"),
        },
        Subject::Sender => {
            let domain = value.rsplit_once('@').map_or(value, |(_, domain)| domain);
            if name(domain).is_none() {
                return wrong(
                    "is no sender",
                    "write an address such as `ana@example.com`, or a domain",
                );
            }
            Ok(Form::Exact(sender(value).0))
        }
        _ => Ok(Form::Exact(fold(value))),
    }
}

fn network(value: &str, strength: Strength) -> Result<Form, Problem> {
    let shown = excerpt(value);
    let address = value.split_once('/').map_or(value, |(address, _)| address);
    let (Some(network), Some(whole), false) = (
        Network::read(value),
        Network::read(address),
        value.contains('%'),
    ) else {
        return Err(problem(
            "value",
            format!("`{shown}` is no address or network"),
            "write one such as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`",
        ));
    };
    // `192.0.2.5/24` may mean the address or the network; guessing would protect the wrong one.
    if !network.begins_with(whole) {
        return Err(problem(
            "value",
            format!("`{shown}` has an address inside its network"),
            "write the network's first address, or the address alone",
        ));
    }
    let all = if network.is_v4() { 96 } else { 0 };
    if strength == Strength::Allow && network.bits() == all {
        return Err(problem(
            "value",
            format!("`{shown}` allows everything"),
            "name what may be acted on",
        ));
    }
    Ok(Form::Network(network))
}
