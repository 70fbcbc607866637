//! Several requests in one: each part is served as if it had come alone, and the replies come in another order.

use std::pin::Pin;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Vendor;
use super::auth::invalid_token;
use super::endpoint::{Endpoint, recognise};
use super::service::{Refusal, encode};
use crate::http::{Answer, Reply, Request};
use crate::service::Exchange;

const MOST_PARTS: usize = 20;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: Map<String, Value>,
    body: Option<Value>,
}

/// Serves a batch. A fault that cuts the connection of a part cuts that of the batch.
///
/// A batch is served by way of its parts, which are served like any request: the box ends the circle of types.
pub(crate) fn answer<'a>(
    exchange: &'a Exchange<'_, Vendor>,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
    Box::pin(served(exchange))
}

async fn served(exchange: &Exchange<'_, Vendor>) -> Answer {
    let Exchange {
        shared,
        request,
        now,
        ..
    } = *exchange;
    let refused = |refusal: Refusal| Answer::Reply(refusal.reply(now, &shared.ids));
    if shared.vendor.auth.admit(request, now).is_none() {
        return refused(invalid_token());
    }
    let parts = match parts(&request.body) {
        Ok(parts) => parts,
        Err(message) => return refused(Refusal::new(400, "BadRequest", message)),
    };
    let mut replies = Vec::with_capacity(parts.len());
    for part in parts {
        let id = part.id.clone();
        let reply = match alone(request, part) {
            Ok(part) => match Exchange::begin(shared, &part).serve().await {
                Answer::Reply(reply) if !reply.torn => reply,
                cut => return cut,
            },
            Err(message) => Refusal::new(400, "BadRequest", message).reply(now, &shared.ids),
        };
        replies.push(entry(&id, &reply));
    }
    replies.reverse();
    Answer::Reply(encode(200, &json!({ "responses": replies })))
}

fn parts(body: &Bytes) -> Result<Vec<Part>, String> {
    let batch: Batch =
        serde_json::from_slice(body).map_err(|_| "Invalid batch payload format.".to_owned())?;
    if batch.requests.is_empty() || batch.requests.len() > MOST_PARTS {
        return Err(format!(
            "Number of batch request steps must be 1 to {MOST_PARTS}."
        ));
    }
    let ids: std::collections::BTreeSet<_> = batch.requests.iter().map(|part| &part.id).collect();
    if ids.len() != batch.requests.len() {
        return Err("Request ids in a batch must be unique.".to_owned());
    }
    Ok(batch.requests)
}

/// The request a part stands for, with the credentials of the whole.
fn alone(whole: &Request, part: Part) -> Result<Request, String> {
    let method = Method::from_bytes(part.method.as_bytes());
    let method = method.map_err(|_| format!("Invalid method '{}'.", part.method))?;
    if !part.url.starts_with('/')
        || recognise(&method, &format!("/v1.0{}", part.url)).0 == Endpoint::Batch
    {
        return Err(format!("Invalid request url '{}'.", part.url));
    }
    let (path, query) = part.url.split_once('?').unwrap_or((&part.url, ""));
    let mut headers = http::HeaderMap::new();
    for (name, value) in &part.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        let value = value
            .as_str()
            .and_then(|text| HeaderValue::from_str(text).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
    if part.body.is_some() && !headers.contains_key(CONTENT_TYPE) {
        return Err("Write requests must contain the Content-Type header declaration.".to_owned());
    }
    if let Some(credentials) = whole.headers.get(AUTHORIZATION) {
        headers.insert(AUTHORIZATION, credentials.clone());
    }
    Ok(Request {
        method,
        path: format!("/v1.0{path}"),
        query_text: query.to_owned(),
        headers,
        body: part
            .body
            .map_or_else(Bytes::new, |body| body.to_string().into()),
    })
}

/// A part's reply. What is not JSON comes as a text.
fn entry(id: &str, reply: &Reply) -> Value {
    let mut headers = Map::new();
    if !reply.content_type.is_empty() {
        headers.insert("Content-Type".to_owned(), reply.content_type.into());
    }
    for (name, value) in &reply.headers {
        let name = match name.as_str() {
            "retry-after" => "Retry-After",
            other => other,
        };
        headers.insert(name.to_owned(), value.to_str().unwrap_or_default().into());
    }
    let mut entry = Map::new();
    entry.insert("id".to_owned(), id.into());
    entry.insert("status".to_owned(), reply.status.into());
    entry.insert("headers".to_owned(), headers.into());
    if !reply.body.is_empty() {
        let text = || String::from_utf8_lossy(&reply.body).into_owned().into();
        let body = serde_json::from_slice(&reply.body).unwrap_or_else(|_| text());
        entry.insert("body".to_owned(), body);
    }
    entry.into()
}
