//! One request to a vendor and its reply.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::document;
use crate::error::{Error, Kind, Result};

/// Largest reply read unless a request says otherwise, in bytes.
pub(super) const REPLY_LIMIT: usize = 16 << 20;

/// What may be done when nobody knows whether a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It reads: repeat at will.
    Read,
    /// It writes, and writing twice is the same as once.
    Idempotent,
    /// It writes, and twice is not once: never repeated once it may have arrived.
    Once,
}

/// A request body.
#[derive(Debug, Clone)]
pub enum Body {
    /// None. `Content-Type: application/json` is sent all the same: some endpoints insist.
    Empty,
    /// JSON text.
    Json(Bytes),
    /// Form fields, already encoded.
    Form(Bytes),
}

/// One request, relative to the vendor's base URL.
#[derive(Debug, Clone)]
pub struct Request {
    /// Name of the operation for errors, logs and metrics (`devices.contain`).
    pub operation: &'static str,
    /// Rate bucket it counts against.
    pub bucket: &'static str,
    /// Method.
    pub method: Method,
    /// Path with encoded query, starting with `/`.
    pub path: String,
    /// Body.
    pub body: Body,
    /// What may be done when nobody knows whether it arrived.
    pub repeat: Repeat,
    /// Largest reply, in bytes.
    pub reply_limit: usize,
    /// Error statuses whose reply the operation reads itself, because the body says more than the
    /// status (which target of a batch failed, and how).
    pub answers: &'static [u16],
    /// Headers beside those that every request has. No secrets: those are the grant's.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Request {
    /// A reading GET.
    #[must_use]
    pub fn get(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(operation, Method::GET, path, Body::Empty, Repeat::Read)
    }

    /// A request with a JSON body.
    ///
    /// # Errors
    /// When the body does not serialise.
    pub fn json(
        operation: &'static str,
        method: Method,
        path: impl Into<String>,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Result<Self> {
        let body = serde_json::to_vec(body).map_err(|error| {
            Error::new(
                Kind::Unsupported,
                operation,
                "the request cannot be written as JSON",
            )
            .source(error)
        })?;
        Ok(Self::new(
            operation,
            method,
            path,
            Body::Json(body.into()),
            repeat,
        ))
    }

    /// A request of any kind.
    #[must_use]
    pub fn new(
        operation: &'static str,
        method: Method,
        path: impl Into<String>,
        body: Body,
        repeat: Repeat,
    ) -> Self {
        Self {
            operation,
            bucket: "default",
            method,
            path: path.into(),
            body,
            repeat,
            reply_limit: REPLY_LIMIT,
            answers: &[],
            headers: Vec::new(),
        }
    }

    /// Counts against another rate bucket.
    #[must_use]
    pub const fn bucket(mut self, bucket: &'static str) -> Self {
        self.bucket = bucket;
        self
    }

    /// Hands replies with these error statuses back instead of turning them into errors.
    #[must_use]
    pub const fn answers(mut self, statuses: &'static [u16]) -> Self {
        self.answers = statuses;
        self
    }

    /// Carries a header that the vendor asks for.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Reads replies up to this many bytes.
    #[must_use]
    pub const fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }

    /// Adds a query parameter, encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.path
            .push(if self.path.contains('?') { '&' } else { '?' });
        encode(&mut self.path, name);
        self.path.push('=');
        encode(&mut self.path, value);
        self
    }
}

/// Percent-encodes everything that is not unreserved (RFC 3986, section 2.3), so that a value can
/// never end a parameter, a path segment or the path.
pub fn encode(into: &mut String, text: &str) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            into.push('%');
            for nibble in [byte >> 4, byte & 15] {
                into.extend(DIGITS.get(usize::from(nibble)));
            }
        }
    }
}

impl Body {
    /// A form from its fields.
    #[must_use]
    pub fn form(fields: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (name, value) in fields {
            if !text.is_empty() {
                text.push('&');
            }
            encode(&mut text, name);
            text.push('=');
            encode(&mut text, value);
        }
        Self::Form(text.into())
    }
}

/// A reply that arrived whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The operation it answers.
    pub operation: &'static str,
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// The vendor's id of the request.
    pub request_id: Option<String>,
    /// An earlier attempt of the same request may have been applied before this one was: "already
    /// so" then does not mean that somebody else did it.
    pub after_doubt: bool,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Kind::ReplyUnreadable`] with the path of the member that does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        document::from_slice(&self.body).map_err(|error| {
            Error::new(
                Kind::ReplyUnreadable,
                self.operation,
                format!("the vendor's reply does not fit at {error}"),
            )
            .request_id(self.request_id.clone())
        })
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The reply to each part of a bundle, in the order of the parts; none where the vendor left one out.
pub type Parts = Vec<Option<Reply>>;

/// How a vendor takes several requests in one.
#[derive(Clone, Copy)]
pub struct Bundle {
    /// The one request that carries these. It only reads, as its parts do.
    pub pack: fn(&[&Request]) -> Result<Request>,
    /// Takes its reply apart.
    pub unpack: fn(&Reply, &[&Request]) -> Result<Parts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_break_out_of_its_parameter() {
        let request = Request::get("x", "/a")
            .query("ids", "a&b=c/../#%")
            .query("q", "é");
        assert_eq!(request.path, "/a?ids=a%26b%3Dc%2F..%2F%23%25&q=%C3%A9");
    }

    #[test]
    fn a_form_field_cannot_add_a_field() {
        let Body::Form(body) = Body::form(&[("id", "a&secret=b"), ("n", "1")]) else {
            panic!()
        };
        assert_eq!(body, "id=a%26secret%3Db&n=1");
    }
}
