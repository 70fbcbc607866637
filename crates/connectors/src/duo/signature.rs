//! Signing requests: a keyed hash over each of them takes the place of signing in.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quell_connector::http::{
    Authenticate, Exchange, Grant, HeaderName, Method, Sign, Unsigned, Url,
};
use quell_connector::sign::{hmac_sha512_hex, sha512_hex};
use quell_connector::{BoxFuture, Call, ConfigError, Plumbing, Result, call};
use quell_model::Secret;

use super::config::{Config, SignatureVersion};

/// The application's keys.
#[derive(Debug)]
pub(super) struct Keys {
    base: Url,
    signer: Arc<Signer>,
}

#[derive(Debug)]
struct Signer {
    integration_key: String,
    secret_key: Secret,
    version: SignatureVersion,
}

/// Digits and letters of an integration key.
const KEY_LENGTH: usize = 20;

impl Keys {
    pub(super) fn new(
        config: &Config,
        plumbing: &Plumbing,
        base: Url,
    ) -> Result<Self, ConfigError> {
        let integration_key = config.integration_key.trim().to_owned();
        let alphanumeric = integration_key.bytes().all(|b| b.is_ascii_alphanumeric());
        if !integration_key.starts_with("DI")
            || integration_key.len() != KEY_LENGTH
            || !alphanumeric
        {
            let problem = "is not an integration key; it has 20 characters and begins with `DI`";
            return Err(ConfigError::new("integration_key", problem));
        }
        let signer = Signer {
            integration_key,
            secret_key: plumbing.secret("secret_key", &config.secret_key)?,
            version: config.signature,
        };
        Ok(Self {
            base,
            signer: Arc::new(signer),
        })
    }
}

impl Authenticate for Keys {
    fn authenticate<'a>(&'a self, cx: &'a Call, _: &'a Exchange) -> BoxFuture<'a, Result<Grant>> {
        // There is nothing to obtain: what is refused once is refused again.
        let grant = Grant {
            base: self.base.clone(),
            authorization: None,
            refresh_at: call::later(cx.clock().now(), Duration::from_secs(24 * 60 * 60)),
        };
        Box::pin(async { Ok(grant) })
    }

    fn signer(&self) -> Option<Arc<dyn Sign>> {
        Some(self.signer.clone())
    }
}

impl Sign for Signer {
    fn headers(&self, unsigned: &Unsigned<'_>) -> Result<Vec<(HeaderName, Secret)>, String> {
        // Signed text and header must be equal byte by byte.
        let date = unsigned
            .now
            .strftime("%a, %d %b %Y %H:%M:%S -0000")
            .to_string();
        let canonical = match self.version {
            SignatureVersion::V5 => newest(unsigned, &date),
            SignatureVersion::V2 => plain(unsigned, &date),
        };
        let signature = hmac_sha512_hex(&self.secret_key, canonical.as_bytes());
        let credentials = STANDARD.encode(format!("{}:{signature}", self.integration_key));
        Ok(vec![
            (HeaderName::from_static("date"), Secret::new(date)),
            (
                HeaderName::from_static("authorization"),
                Secret::new(format!("Basic {credentials}")),
            ),
        ])
    }
}

/// What both versions begin with.
fn start(unsigned: &Unsigned<'_>, date: &str) -> String {
    let host = unsigned.url.host_str().unwrap_or_default();
    let (method, path) = (unsigned.method, unsigned.url.path());
    format!("{date}\n{method}\n{}\n{path}", host.to_ascii_lowercase())
}

/// Version 5: the query, the body's hash, and the hash of `X-Duo-` headers, of which there are none.
fn newest(unsigned: &Unsigned<'_>, date: &str) -> String {
    let in_body = [Method::POST, Method::PUT, Method::PATCH].contains(unsigned.method);
    let query = if in_body {
        ""
    } else {
        unsigned.url.query().unwrap_or_default()
    };
    let (params, body) = (sorted(query), sha512_hex(unsigned.body));
    let start = start(unsigned, date);
    format!("{start}\n{params}\n{body}\n{}", sha512_hex(b""))
}

/// Version 2: the parameters, wherever they are.
fn plain(unsigned: &Unsigned<'_>, date: &str) -> String {
    let form = std::str::from_utf8(unsigned.body).unwrap_or_default();
    let query = unsigned.url.query().filter(|query| !query.is_empty());
    format!(
        "{}\n{}",
        start(unsigned, date),
        sorted(query.unwrap_or(form))
    )
}

/// Parameters in the order they are signed in. They are encoded already, the way they are sent.
fn sorted(params: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = params
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use quell_connector::http::HeaderMap;

    use super::*;

    /// The keys of the vendor's documented examples.
    fn header(version: SignatureVersion, method: Method, path: &str, body: &str) -> String {
        let signer = Signer {
            integration_key: "DIWJ8X6AEYOR5OMC6TQ1".to_owned(),
            secret_key: Secret::new("Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep".to_owned()),
            version,
        };
        let base: Url = "https://api-XXXXXXXX.duosecurity.com".parse().unwrap();
        let unsigned = Unsigned {
            now: "2012-08-21T17:29:18Z".parse().unwrap(),
            method: &method,
            url: &base.join(path).unwrap(),
            headers: &HeaderMap::new(),
            body: body.as_bytes(),
        };
        let headers = signer.headers(&unsigned).unwrap();
        assert_eq!(headers[0].1.expose(), "Tue, 21 Aug 2012 17:29:18 -0000");
        headers[1].1.expose().to_owned()
    }

    #[test]
    fn a_body_is_signed_as_the_vendors_own_client_signs_it() {
        let path = "/admin/v1/users/DUABCDEF0123456789XY";
        let body = r#"{"status":"disabled"}"#;
        let expected = "Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6NWJkMDcwMDRkYzRjNDBkYjgxYjI3OTcyYWE3MWI4NDUzZGIyZGRlNDQ1ODc4YTU3MmM2NjhlMDYwMjNjOWUwOWU5NDk5OGI5ZDA4NzA5YTlmMzhmMzA4NGJiMTQ4MzNkOTQ5NWE0ZGFmYzI0NTYyOGIwMDliZTIzZTRmNzExMWU=";
        assert_eq!(
            header(SignatureVersion::V5, Method::POST, path, body),
            expected
        );
    }

    #[test]
    fn a_query_is_signed_as_the_vendors_own_client_signs_it() {
        let path = "/admin/v1/users?username=alice%20smith%2Bx%40corp.test";
        let expected = "Basic RElXSjhYNkFFWU9SNU9NQzZUUTE6NjRkZWNkYjg3YzYzOGYwNzcyN2YyYmVlZDdmYWEzODA4MDRmMGRlZGVhYmNlZDhiOGZjOTUwMTk5MGNkYjFlZWNiMGQzOGRiODdhMDc4YzM3OTI0YTQ5ZjI4OTUyN2VmYWE1MDJiZjYwZTM0YTkxNmE2ODFkNDliMThlYTc5YWE=";
        assert_eq!(
            header(SignatureVersion::V2, Method::GET, path, ""),
            expected
        );
    }

    #[test]
    fn parameters_are_signed_in_one_order_whatever_order_they_are_sent_in() {
        for version in [SignatureVersion::V5, SignatureVersion::V2] {
            let header = |path| header(version, Method::GET, path, "");
            assert_eq!(
                header("/a?limit=1&mintime=2&maxtime=3"),
                header("/a?maxtime=3&limit=1&mintime=2")
            );
            assert_ne!(header("/a?limit=1"), header("/a?limit=2"));
        }
    }

    #[test]
    fn the_keys_are_in_no_debug_text() {
        let signer = Signer {
            integration_key: "DIWJ8X6AEYOR5OMC6TQ1".to_owned(),
            secret_key: Secret::new("hunter2".to_owned()),
            version: SignatureVersion::V5,
        };
        assert!(!format!("{signer:?}").contains("hunter2"));
    }
}
