//! What a connection to an SMTP server is configured with.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, Plumbing};
use schemars::JsonSchema;
use serde::Deserialize;

use super::session::{Credentials, Encryption};

/// A connection to an SMTP server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server's name, as its certificate has it (`"smtp.example.com"`).
    pub host: String,
    /// Port. Without it 587 for `starttls`, 465 for `implicit`, 25 for `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// PEM file of the certificate authorities to trust, in place of the system's (`"/etc/quell/mail-ca.pem"`).
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// User to sign in as, if the server wants that.
    #[serde(default)]
    pub username: Option<String>,
    /// Where the user's password is kept (`"env:SMTP_PASSWORD"`, `"file:/run/secrets/smtp"`).
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Who the mail is from (`"Quell <quell@example.com>"`). The server must let the user send as this address.
    pub from: String,
    /// Who gets the mail, 1 to 100 addresses (`["soc@example.com"]`).
    pub to: Vec<String>,
    /// Longest time for one message, with unit (`"60s"`).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<SignedDuration>,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Begins in clear and is encrypted before anything is said; a server that cannot is not used.
    #[default]
    Starttls,
    /// Encrypted from the first byte.
    Implicit,
    /// Not encrypted. Only to this machine itself.
    None,
}

/// Longest time for one message, unless the connection says otherwise.
const LIMIT: Duration = Duration::from_secs(60);
/// A server must take this many recipients at once (RFC 5321, section 4.5.3.1.8).
const MOST_RECIPIENTS: usize = 100;

impl Config {
    pub(super) fn host(&self) -> Result<String, ConfigError> {
        let host = self.host.trim();
        let refuse = |problem: &str| Err(ConfigError::new("host", problem));
        if host.is_empty() {
            return refuse("must not be empty; write for example \"smtp.example.com\"");
        }
        let address = host.parse::<IpAddr>().ok();
        let odd = |c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '-');
        if address.is_none() && host.contains(odd) {
            return refuse("is not the name of a host; write for example \"smtp.example.com\"");
        }
        let local = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if self.tls == Tls::None && !local {
            let problem =
                "none is only allowed to this machine itself; use \"starttls\" or \"implicit\"";
            return Err(ConfigError::new("tls", problem));
        }
        Ok(host.to_owned())
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            Tls::Starttls => 587,
            Tls::Implicit => 465,
            Tls::None => 25,
        })
    }

    pub(super) fn encryption(&self) -> Result<Encryption, ConfigError> {
        if self.tls == Tls::None {
            return Ok(Encryption::None);
        }
        let mut parameters = TlsParameters::builder(self.host()?);
        if let Some(path) = &self.ca_file {
            let refuse = |problem| ConfigError::new("ca_file", problem);
            let pem =
                std::fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
            let roots = Certificate::from_pem(&pem)
                .map_err(|_| refuse("is not a file of certificates in PEM form".to_owned()))?;
            if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
                return Err(refuse("holds no certificate in PEM form".to_owned()));
            }
            parameters = parameters
                .certificate_store(CertificateStore::None)
                .add_root_certificate(roots);
        }
        let parameters = parameters.build().map_err(|error| match self.ca_file {
            Some(_) => ConfigError::new("ca_file", format!("cannot be used: {error}")),
            None => ConfigError::new(
                "ca_file",
                format!(
                    "the system trusts nobody ({error}); name a file of certificate authorities"
                ),
            ),
        })?;
        Ok(match self.tls {
            Tls::Implicit => Encryption::Implicit(parameters),
            Tls::Starttls | Tls::None => Encryption::Starttls(parameters),
        })
    }

    pub(super) fn credentials(
        &self,
        plumbing: &Plumbing,
    ) -> Result<Option<Credentials>, ConfigError> {
        match (self.username.as_deref().map(str::trim), &self.password) {
            (None, None) => Ok(None),
            (Some(user), Some(password)) if !user.is_empty() => Ok(Some(Credentials {
                user: user.to_owned(),
                password: plumbing.secret("password", password)?,
            })),
            (Some(_), Some(_)) => Err(ConfigError::new("username", "must not be empty")),
            (Some(_), None) => Err(ConfigError::new(
                "password",
                "must be given with a username",
            )),
            (None, Some(_)) => Err(ConfigError::new(
                "username",
                "must be given with a password",
            )),
        }
    }

    pub(super) fn sender(&self) -> Result<Mailbox, ConfigError> {
        mailbox("from", &self.from)
    }

    pub(super) fn recipients(&self) -> Result<Vec<Mailbox>, ConfigError> {
        let mut recipients: Vec<Mailbox> = Vec::new();
        for (index, text) in self.to.iter().enumerate() {
            let recipient = mailbox(&format!("to[{index}]"), text)?;
            if recipients
                .iter()
                .all(|other| other.email != recipient.email)
            {
                recipients.push(recipient);
            }
        }
        match recipients.len() {
            0 => Err(ConfigError::new("to", "must name at least one address")),
            1..=MOST_RECIPIENTS => Ok(recipients),
            _ => Err(ConfigError::new(
                "to",
                "names more than 100 addresses; use a distribution list",
            )),
        }
    }

    pub(super) fn limit(&self) -> Result<Duration, ConfigError> {
        let Some(timeout) = self.timeout else {
            return Ok(LIMIT);
        };
        let limit = Duration::try_from(timeout)
            .ok()
            .filter(|limit| !limit.is_zero());
        limit.ok_or_else(|| {
            let problem = "must be longer than nothing; write for example \"60s\"";
            ConfigError::new("timeout", problem)
        })
    }
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn mailbox(key: &str, text: &str) -> Result<Mailbox, ConfigError> {
    let refuse = |problem: &str| Err(ConfigError::new(key, problem));
    // The parser stops after the first address; what follows it would be lost without a word.
    if text.matches('@').count() != 1 || text.chars().any(char::is_control) {
        return refuse("must be one address; write for example \"SOC <soc@example.com>\"");
    }
    let Ok(mailbox) = text.trim().parse::<Mailbox>() else {
        return refuse("is not a mail address; write for example \"SOC <soc@example.com>\"");
    };
    if !mailbox.email.to_string().is_ascii() {
        return refuse("has letters outside ASCII; write the domain in its `xn--` form");
    }
    Ok(mailbox)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(extra: serde_json::Value) -> Config {
        let mut table = json!({
            "host": "smtp.example.com",
            "from": "Quell <quell@example.com>",
            "to": ["soc@example.com"],
        });
        if let (Some(table), Some(extra)) = (table.as_object_mut(), extra.as_object()) {
            table.extend(extra.clone());
        }
        serde_json::from_value(table).unwrap()
    }

    #[track_caller]
    fn refused(key: &str, extra: serde_json::Value) {
        let config = config(extra);
        let checked = config
            .host()
            .map(drop)
            .and_then(|()| config.encryption().map(drop))
            .and_then(|()| config.sender().map(drop))
            .and_then(|()| config.recipients().map(drop))
            .and_then(|()| config.limit().map(drop));
        assert_eq!(checked.unwrap_err().key, key);
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        refused("host", json!({ "host": "" }));
        refused("host", json!({ "host": "smtp://example.com" }));
        refused("tls", json!({ "tls": "none" }));
        refused("ca_file", json!({ "ca_file": "/no/such/file" }));
        refused("from", json!({ "from": "quell" }));
        refused(
            "from",
            json!({ "from": "quell@example.com\r\nBcc: all@example.com" }),
        );
        refused("to", json!({ "to": [] }));
        refused(
            "to[1]",
            json!({ "to": ["a@example.com", "b@example.com, c@example.com"] }),
        );
        refused("to[0]", json!({ "to": ["jörg@example.com"] }));
        refused("timeout", json!({ "timeout": "0s" }));
    }

    #[test]
    fn clear_text_is_allowed_to_this_machine_only() {
        for host in ["localhost", "127.0.0.1", "::1"] {
            let config = config(json!({ "host": host, "tls": "none" }));
            assert_eq!(config.host().unwrap(), host);
            assert_eq!(config.port(), 25);
        }
    }

    #[test]
    fn a_recipient_named_twice_gets_one_message() {
        let to = json!({ "to": ["SOC <soc@example.com>", "soc@example.com"] });
        assert_eq!(config(to).recipients().unwrap().len(), 1);
    }
}
