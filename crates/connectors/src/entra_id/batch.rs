//! Reads of many users in one request. A batch's own status says nothing about its parts, whose replies come in any
//! order; each is judged like one of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quell_connector::coalesce::Coalescer;
use quell_connector::http::{
    Body, Bundle, HeaderMap, HeaderName, Method, Plane, Repeat, Reply, Request, StatusCode,
};
use quell_connector::{Call, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::api;

const OPERATION: &str = "batch";
/// Most requests the vendor takes in one.
const MOST_PARTS: usize = 20;
/// Batches under way at once.
const AT_ONCE: usize = 2;
/// The vendor's paths in a batch have no version before them.
const VERSION: &str = "/v1.0";

/// Gathers the reads of looks. While some are under way, further ones share the next request; a lone one goes as the plain
/// request it is, so that a quiet day's traffic, and what the vendor says to it, reads like the vendor's own examples.
pub(super) struct Reads(Coalescer<Request, Reply>);

impl Reads {
    pub(super) fn new(plane: &Arc<Plane>) -> Self {
        let plane = plane.clone();
        let together = Arc::new(move |cx: Call, requests: Vec<Request>| {
            let plane = plane.clone();
            Box::pin(async move {
                let replies = plane.send_together(&cx, &requests, BUNDLE).await;
                replies
                    .into_iter()
                    .map(|reply| api::believed(reply?, false))
                    .collect()
            }) as _
        });
        Self(Coalescer::new(OPERATION, MOST_PARTS, AT_ONCE, together))
    }

    /// The reply to a request that only reads.
    pub(super) async fn send(&self, cx: &Call, request: Request) -> Result<Reply> {
        self.0.ask(cx, request).await
    }
}

const BUNDLE: Bundle = Bundle { pack, unpack };

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<Part<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    id: String,
    method: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answers {
    responses: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    status: u16,
    #[serde(default)]
    headers: HashMap<String, String>,
    body: Option<Box<RawValue>>,
}

fn pack(parts: &[&Request]) -> Result<Request> {
    let batch = Batch {
        requests: parts.iter().enumerate().map(part).collect(),
    };
    let path = format!("{VERSION}/$batch");
    Request::json(OPERATION, Method::POST, path, &batch, Repeat::Read)
}

/// Parts have no headers of their own but the type of a body, which is JSON.
fn part<'a>((index, request): (usize, &&'a Request)) -> Part<'a> {
    let body = match &request.body {
        Body::Json(body) => serde_json::from_slice(body).ok(),
        Body::Empty | Body::Form(_) => None,
    };
    let json = body.map(|_| ("Content-Type", "application/json"));
    Part {
        id: index.to_string(),
        method: request.method.as_str(),
        url: request.path.strip_prefix(VERSION).unwrap_or(&request.path),
        headers: json.into_iter().collect(),
        body,
    }
}

fn unpack(reply: &Reply, parts: &[&Request]) -> Result<Vec<Option<Reply>>> {
    let answers: Answers = reply.json()?;
    let mut answers: HashMap<String, Answer> = answers
        .responses
        .into_iter()
        .map(|answer| (answer.id.clone(), answer))
        .collect();
    let each = parts.iter().enumerate().map(|(index, request)| {
        let answer = answers.remove(&index.to_string())?;
        Some(Reply {
            operation: request.operation,
            status: StatusCode::from_u16(answer.status).ok()?,
            headers: headers(&answer.headers),
            body: answer.body.map_or_else(Default::default, |body| {
                String::from(Box::<str>::from(body)).into()
            }),
            request_id: reply.request_id.clone(),
            after_doubt: reply.after_doubt,
        })
    });
    Ok(each.collect())
}

fn headers(given: &HashMap<String, String>) -> HeaderMap {
    let header = |(name, value): (&String, &String)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, value.parse().ok()?))
    };
    given.iter().filter_map(header).collect()
}
