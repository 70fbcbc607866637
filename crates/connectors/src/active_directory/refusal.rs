//! What a domain controller's refusals mean. Decided on result codes, then on the Windows error code
//! the words begin with, and never on the words.

use quell_connector::{Error, Kind};

use super::ldap::{Outcome, code};

/// A sign-in that was not accepted.
pub(super) fn of_sign_in(outcome: &Outcome) -> Error {
    const OPERATION: &str = "ldap.bind";
    match outcome.code {
        code::INVALID_CREDENTIALS => {
            let reason = match outcome.data() {
                Some("525") => "there is no such account",
                Some("52e") => "the password is wrong",
                Some("530") => "the account may not sign in at this hour",
                Some("531") => "the account may not sign in from this machine",
                Some("532") => "its password has expired",
                Some("533") => "the account is disabled",
                Some("701") => "the account has expired",
                Some("773") => "its password has to be changed first",
                Some("775") => "the account is locked out",
                _ => "name or password is wrong",
            };
            let detail =
                format!("the domain does not accept the account Quell signs in as: {reason}");
            with_code(Error::new(Kind::AuthRejected, OPERATION, detail), outcome)
        }
        _ => of(OPERATION, outcome, &[]),
    }
}

/// A request that was refused; `needs` are the permissions it takes.
pub(super) fn of(operation: &'static str, outcome: &Outcome, needs: &[&str]) -> Error {
    // "A successful bind must be completed": the server has forgotten who this connection is.
    const NOT_SIGNED_IN: &str = "000004DC";
    let (kind, detail) = match outcome.code {
        code::OPERATIONS_ERROR if outcome.windows() == Some(NOT_SIGNED_IN) => (
            Kind::VendorUnavailable,
            "the domain controller no longer knows who is signed in".to_owned(),
        ),
        code::STRONGER_AUTH => (
            Kind::ConfigInvalid,
            "the domain controller wants a stronger way to sign in than it was offered".to_owned(),
        ),
        code::BUSY | code::UNAVAILABLE | code::TIME_LIMIT | code::ADMIN_LIMIT => (
            Kind::VendorUnavailable,
            "the domain controller cannot do this now".to_owned(),
        ),
        code::REFERRAL => (
            Kind::TargetNotFound,
            "another domain or a writable domain controller holds it".to_owned(),
        ),
        code::NO_SUCH_OBJECT => (
            Kind::TargetNotFound,
            "the directory no longer holds it".to_owned(),
        ),
        code::NO_RIGHTS => (
            Kind::PermissionMissing,
            format!(
                "the account Quell signs in as lacks `{}` here; delegate it on the organizational unit (members of protected groups lose what was delegated)",
                needs.join("` or `")
            ),
        ),
        code::CONSTRAINT if outcome.windows() == Some("0000052D") => (
            Kind::VendorRejected,
            "the new password does not meet the domain's password policy".to_owned(),
        ),
        code::CONSTRAINT => (
            Kind::VendorRejected,
            "the value breaks a rule of the domain".to_owned(),
        ),
        code::UNWILLING => (
            Kind::VendorRejected,
            "the domain controller is not willing to do this".to_owned(),
        ),
        other => (
            Kind::VendorRejected,
            format!("the domain controller refused with LDAP result {other}"),
        ),
    };
    with_code(Error::new(kind, operation, detail), outcome)
}

fn with_code(error: Error, outcome: &Outcome) -> Error {
    match outcome.data().or_else(|| outcome.windows()) {
        Some(words) => error.code(format!("{} {words}", outcome.code)),
        None => error.code(outcome.code),
    }
}
