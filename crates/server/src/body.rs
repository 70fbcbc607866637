//! Reading bodies: not too large, not too slow, not too many at once, plain text.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, header};
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::problem::{Code, Refusal};

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// Room in memory is taken in steps of this many KiB.
const STEP_KIB: usize = 16;

/// A body, and the room in memory it was given.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    _room: Option<OwnedSemaphorePermit>,
}

/// Looks at what the headers say of the body, which is the same for whoever sends it.
///
/// # Errors
/// When it is compressed, of another type than `types`, or too large by its own account.
pub(crate) fn announced(headers: &HeaderMap, types: &[&str], limit: usize) -> Result<(), Refusal> {
    let text = |name| {
        headers
            .get(name)
            .map(|value: &http::HeaderValue| value.to_str().unwrap_or("?"))
    };
    if let Some(encoding) = text(header::CONTENT_ENCODING)
        && !encoding.trim().eq_ignore_ascii_case("identity")
    {
        let message = "compressed bodies are not read; send it as it is";
        return Err(Refusal::new(Code::UnsupportedEncoding, message).field("content-encoding"));
    }
    if !text(header::CONTENT_TYPE).is_some_and(|given| is_one_of(given, types)) {
        let message = format!("the content type must be {}", types.join(" or "));
        return Err(Refusal::new(Code::UnsupportedMediaType, message).field("content-type"));
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    Ok(())
}

fn is_one_of(given: &str, types: &[&str]) -> bool {
    let mut parts = given.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let utf8 = parts
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.eq_ignore_ascii_case("charset"))
        .all(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    utf8 && types
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

fn too_large(limit: usize) -> Refusal {
    let message = format!("the body is larger than {limit} bytes; send fewer alerts at a time");
    Refusal::new(Code::BodyTooLarge, message)
}

impl App {
    /// Reads a body to its end.
    ///
    /// # Errors
    /// When it is too large, too slow, broken off or not UTF-8, or memory is short.
    pub(crate) async fn text(&self, body: Body, limit: usize) -> Result<Text, Refusal> {
        let mut room = None;
        let read = self.bytes(body, limit, &mut room);
        let bytes = tokio::select! {
            biased;
            bytes = read => bytes?,
            () = self.passed(self.now(), PATIENCE) => {
                let message = format!("the body did not arrive within {} seconds", PATIENCE.as_secs());
                return Err(Refusal::new(Code::BodyTooSlow, message));
            }
        };
        let text = String::from_utf8(bytes.into())
            .map_err(|_| Refusal::new(Code::BodyNotText, "the body is not UTF-8 text"))?;
        Ok(Text { text, _room: room })
    }

    async fn bytes(
        &self,
        body: Body,
        limit: usize,
        room: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<Bytes, Refusal> {
        let mut stream = body.into_data_stream();
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        let mut taken_kib = 0;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| {
                Refusal::new(
                    Code::BodyInterrupted,
                    "the body ended before it was complete",
                )
                .because(error)
            })?;
            let length = first.len() + all.len() + chunk.len();
            if length > limit {
                return Err(too_large(limit));
            }
            if length > taken_kib * 1024 {
                let step = (length.div_ceil(1024) - taken_kib).max(STEP_KIB);
                self.take_room(step, room)?;
                taken_kib += step;
            }
            // Most bodies arrive in one piece, which then need not be copied together.
            if first.is_empty() && all.is_empty() {
                first = chunk;
            } else {
                all.extend_from_slice(&std::mem::take(&mut first));
                all.extend_from_slice(&chunk);
            }
        }
        Ok(if all.is_empty() { first } else { all.freeze() })
    }

    fn take_room(
        &self,
        kib: usize,
        room: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<(), Refusal> {
        let kib = u32::try_from(kib).map_err(|_| Refusal::overloaded())?;
        let more = self
            .buffers
            .clone()
            .try_acquire_many_owned(kib)
            .map_err(|_| Refusal::overloaded())?;
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_type_is_read_by_its_essence_and_must_be_utf8() {
        let types = &["application/json"];
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            assert!(is_one_of(good, types), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/jsonx",
            "application/json; charset=utf-16",
            "text/html; application/json",
        ] {
            assert!(!is_one_of(bad, types), "{bad}");
        }
    }
}
