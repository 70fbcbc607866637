//! What a connection to a domain is configured with.

use std::path::PathBuf;

use quell_connector::settings::SecretRef;
use quell_connector::{ConfigError, Plumbing};
use quell_model::Secret;
use rustls::pki_types::ServerName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::tls::Fingerprint;

/// A connection to an Active Directory domain.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The domain's DNS name (`"corp.example.com"`).
    pub domain: String,
    /// Writable domain controllers, the preferred one first, as their certificates name them
    /// (`["dc1.corp.example.com"]`). When one does not answer, the next is asked. They are spoken to over LDAPS, on port
    /// 636 unless another stands behind a colon.
    pub servers: Vec<String>,
    /// Account to sign in as (`"quell@corp.example.com"`, `"CORP\\quell"`, or its distinguished name).
    pub username: String,
    /// Where the account's password is kept (`"env:AD_PASSWORD"`, `"file:/run/secrets/ad"`).
    pub password: SecretRef,
    /// PEM file of the certificate authorities to trust, in place of the system's (`"/etc/quell/corp-ca.pem"`).
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// SHA-256 fingerprints of the servers' certificates, 64 hexadecimal digits each. Only these certificates are
    /// accepted. Without `ca_file` they need no authority and no matching name.
    #[serde(default)]
    pub fingerprints: Vec<String>,
    /// An ordinary user, by name (`"jdoe"`), on whom `quell connections check` looks up what is delegated. Nothing is
    /// changed.
    #[serde(default)]
    pub probe_user: Option<String>,
}

/// A domain controller.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) name: ServerName<'static>,
    /// What it is called in records: as configured.
    pub(super) label: String,
}

const LDAPS: u16 = 636;

impl Config {
    pub(super) fn domain(&self) -> Result<String, ConfigError> {
        let domain = self
            .domain
            .trim()
            .trim_end_matches('.')
            .to_ascii_lowercase();
        let label = |label: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !label.is_empty() && label.bytes().all(fits)
        };
        if !domain.contains('.') || !domain.split('.').all(label) {
            let problem = "is not a domain's DNS name; write for example \"corp.example.com\"";
            return Err(ConfigError::new("domain", problem));
        }
        Ok(domain)
    }

    pub(super) fn servers(&self) -> Result<Vec<Server>, ConfigError> {
        if self.servers.is_empty() {
            let problem = "must name at least one domain controller";
            return Err(ConfigError::new("servers", problem));
        }
        let parsed = self.servers.iter().enumerate().map(|(index, text)| {
            server(text.trim())
                .map_err(|problem| ConfigError::new(format!("servers[{index}]"), problem))
        });
        parsed.collect()
    }

    pub(super) fn fingerprints(&self) -> Result<Vec<Fingerprint>, ConfigError> {
        let parsed = self.fingerprints.iter().enumerate().map(|(index, text)| {
            Fingerprint::parse(text.trim()).ok_or_else(|| {
                let key = format!("fingerprints[{index}]");
                ConfigError::new(key, "is not a SHA-256 fingerprint of 64 hexadecimal digits")
            })
        });
        parsed.collect()
    }

    pub(super) fn username(&self) -> Result<String, ConfigError> {
        let name = self.username.trim();
        // A name without a domain, or none at all, would sign in as somebody else or nobody.
        if !name.contains(['@', '\\', '=']) || name.chars().any(char::is_control) {
            let problem = "names no account; write for example \"quell@corp.example.com\"";
            return Err(ConfigError::new("username", problem));
        }
        Ok(name.to_owned())
    }

    pub(super) fn password(&self, plumbing: &Plumbing) -> Result<Secret, ConfigError> {
        let password = plumbing.secret("password", &self.password)?;
        // A sign-in without a password succeeds as nobody (RFC 4513, section 5.1.2).
        if password.expose().is_empty() {
            return Err(ConfigError::new("password", "must not be empty"));
        }
        Ok(password)
    }

    pub(super) fn probe_user(&self) -> Result<Option<String>, ConfigError> {
        match self.probe_user.as_deref().map(str::trim) {
            Some("") => Err(ConfigError::new(
                "probe_user",
                "must not be empty; leave it out instead",
            )),
            user => Ok(user.map(str::to_owned)),
        }
    }
}

fn server(text: &str) -> Result<Server, String> {
    let (host, port) = match text.rsplit_once(':') {
        // More colons belong to an IPv6 address, which has brackets when a port follows.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let port = match port.map(str::parse::<u16>) {
        None => LDAPS,
        Some(Ok(389)) => return Err("389 is not encrypted; use the port of LDAPS, 636".to_owned()),
        Some(Ok(3268 | 3269)) => {
            return Err(
                "is the port of the global catalog, which takes no changes; use 636".to_owned(),
            );
        }
        Some(Ok(port)) if port != 0 => port,
        Some(_) => {
            return Err("is not a server; write for example \"dc1.corp.example.com\"".to_owned());
        }
    };
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let name = ServerName::try_from(host.clone())
        .map_err(|_| "is not a server; write for example \"dc1.corp.example.com\"".to_owned())?;
    let label = text.to_owned();
    Ok(Server {
        host,
        port,
        name,
        label,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_name_or_address_with_a_port_of_its_own_or_636() {
        for (text, host, port) in [
            ("dc1.corp.example.com", "dc1.corp.example.com", 636),
            ("DC1.corp.example.com:10636", "dc1.corp.example.com", 10636),
            ("10.0.0.7", "10.0.0.7", 636),
            ("[2001:db8::7]:1636", "2001:db8::7", 1636),
            ("2001:db8::7", "2001:db8::7", 636),
        ] {
            let server = server(text).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
        }
    }

    #[test]
    fn what_is_no_server_or_not_ldaps_is_refused() {
        for text in [
            "",
            "ldaps://dc1",
            "dc1:389",
            "dc1:3269",
            "dc1:x",
            "dc1:0",
            "a b",
            ":636",
        ] {
            assert!(server(text).is_err(), "{text}");
        }
    }
}
