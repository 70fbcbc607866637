//! Whether a request is signed as Duo wants it. Every request carries the proof in its `Authorization` header; there is
//! no sign-in and no token.
//!
//! HMAC is written out here from RFC 2104, so that the twin does not share the connector's.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST};
use jiff::Timestamp;
use sha2::{Digest as _, Sha512};

use super::service::Refusal;
use super::{Application, Shared};
use crate::http::Request;

/// How far the client's clock may be off.
const SKEW: Duration = Duration::from_secs(300);

/// The application that signed the request.
pub(crate) fn admit(shared: &Shared, request: &Request) -> Result<Application, Refusal> {
    let missing = || Refusal::new(401, 40101, "Missing request credentials");
    let credentials = request
        .header(&AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(missing)?;
    let (ikey, signature) = credentials.split_once(':').ok_or_else(missing)?;
    let account = shared.account();
    let application = account.applications.iter().find(|app| app.ikey == ikey);
    let application = application.cloned().ok_or_else(|| {
        Refusal::new(401, 40102, "Invalid integration key in request credentials")
    })?;
    drop(account);

    let date = request.header(&DATE).unwrap_or_default();
    let signed_at = jiff::fmt::rfc2822::parse(date)
        .map(|at| at.timestamp())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    if shared.clock.now().duration_since(signed_at).unsigned_abs() > SKEW {
        let detail = "The Date header is missing or too far from the present";
        return Err(Refusal::new(401, 40104, "Bad request timestamp").detail(detail));
    }
    let genuine = [newest(request, date), plain(request, date)]
        .into_iter()
        .any(|canonical| hmac_hex(&application.skey, &canonical) == signature);
    if !genuine {
        return Err(Refusal::new(
            401,
            40103,
            "Invalid signature in request credentials",
        ));
    }
    Ok(application)
}

fn start(request: &Request, date: &str) -> String {
    let host = request.header(&HOST).unwrap_or_default();
    // The port is no part of the host's name.
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    format!(
        "{date}\n{}\n{}\n{}",
        request.method,
        host.to_ascii_lowercase(),
        request.path
    )
}

/// Version 5: the query, a hash of the body, and a hash of the vendor's own headers.
fn newest(request: &Request, date: &str) -> String {
    let in_body = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
    let json = request
        .header(&CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("application/json"));
    if in_body && !json {
        return String::new();
    }
    let params = if in_body {
        String::new()
    } else {
        canonical_params(&request.query_text)
    };
    let mut own: Vec<(&str, &str)> = request
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-duo-"))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    own.sort_unstable();
    let own: Vec<&str> = own
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .collect();
    format!(
        "{}\n{params}\n{}\n{}",
        start(request, date),
        hex(&Sha512::digest(&request.body)),
        hex(&Sha512::digest(own.join("\0")))
    )
}

/// Version 2: the parameters, wherever they are.
fn plain(request: &Request, date: &str) -> String {
    let body = String::from_utf8_lossy(&request.body);
    let params = if request.query_text.is_empty() {
        canonical_params(&body)
    } else {
        canonical_params(&request.query_text)
    };
    format!("{}\n{params}", start(request, date))
}

fn canonical_params(text: &str) -> String {
    let mut pairs: Vec<(String, String)> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("&")
}

/// Decoded and encoded again: clients send a blank as `+` and sign it as `%20`.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in crate::http::percent_decode(text).bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
    out
}

fn hmac_hex(key: &str, message: &str) -> String {
    const BLOCK: usize = 128;
    let mut block = [0_u8; BLOCK];
    let key = if key.len() > BLOCK {
        Sha512::digest(key).to_vec()
    } else {
        key.as_bytes().to_vec()
    };
    for (place, byte) in block.iter_mut().zip(key) {
        *place = byte;
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha512::new_with_prefix(pad(0x36))
        .chain_update(message)
        .finalize();
    hex(&Sha512::new_with_prefix(pad(0x5c))
        .chain_update(inner)
        .finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
