//! Who asks, and may they?

use http::{HeaderMap, header};
use quell_model::{ConnectionId, Person, Role};
use subtle::Choice;

use crate::app::App;
use crate::credential::Digest;
use crate::problem::{Code, Refusal};
use crate::settings::IntakeAuth;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody. Tells nothing about the organization.
    Public,
    /// A person whose token has this role or a higher one.
    Role(Role),
    /// The connection named in the path, by its own credentials; no person's token will do.
    Intake,
    /// The vendor of the connection named in the path, by the vendor's own means.
    Vendor,
}

/// Whose credentials a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Nobody,
    Person(Person),
    /// Several, when they share a secret.
    Connections(Vec<ConnectionId>),
}

impl App {
    /// Whose bearer token a request carries. Looks at every token there is, whichever matches.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Caller {
        let Some(presented) = bearer(headers).map(Digest::of) else {
            return Caller::Nobody;
        };
        let mut connections = Vec::new();
        for (connection, auth) in &self.intake {
            let IntakeAuth::Bearer(bearers) = auth else {
                continue;
            };
            let matching = bearers.0.iter().map(|digest| digest.matches(&presented));
            if matching
                .fold(Choice::from(0), |any, this| any | this)
                .into()
            {
                connections.push(connection.clone());
            }
        }
        let mut caller = match connections.is_empty() {
            true => Caller::Nobody,
            false => Caller::Connections(connections),
        };
        for token in &self.tokens {
            if token.digest.matches(&presented).into() {
                caller = Caller::Person(Person {
                    name: token.name.clone(),
                    role: token.role,
                });
            }
        }
        caller
    }

    /// The person who asks, if their role allows it.
    ///
    /// # Errors
    /// When nobody known asks, or somebody who may not.
    pub(crate) fn person(&self, headers: &HeaderMap, needed: Role) -> Result<Person, Refusal> {
        match self.caller(headers) {
            Caller::Person(person) => must_be(&person, needed).map(|()| person),
            Caller::Connections(_) => Err(Refusal::new(
                Code::Forbidden,
                "this token belongs to a connection, which may only push alerts",
            )),
            Caller::Nobody => Err(Refusal::unauthorized()),
        }
    }
}

/// # Errors
/// When the person's role is lower than `needed`.
pub(crate) fn must_be(person: &Person, needed: Role) -> Result<(), Refusal> {
    if person.role >= needed {
        return Ok(());
    }
    let role = person.role;
    let message = format!("this needs the role {needed}; this token's role is {role}");
    Err(Refusal::new(Code::Forbidden, message))
}

/// The bearer token, if there is precisely one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_single_well_formed_bearer_token_is_looked_at() {
        let with = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(with(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(with(&["bearer abc"]).as_deref(), Some("abc"));
        for bad in [
            &[][..],
            &["Bearer "],
            &["Bearer"],
            &["Basic abc"],
            &["abc"],
            &["Bearer a", "Bearer b"],
        ] {
            assert_eq!(with(bad), None, "{bad:?}");
        }
    }
}
