//! Calls on risk detections and risky users.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::calls::{one, page};
use super::directory::Directory;
use super::odata::{self, Filter};
use super::risk::RiskyUser;
use super::service::{Cx, Refusal, no_content};
use crate::clock::rfc3339;
use crate::http::Reply;

const LARGEST_PAGE: usize = 500;

/// A page of detections.
pub(crate) fn list_detections(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let shown = cx.shared.risk().shown(cx.now).cloned().collect();
    list(cx, "riskDetections", shown)
}

/// A page of risky users.
pub(crate) fn list_users(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let (risk, mut directory) = (cx.shared.risk(), cx.shared.directory());
    let shown = risk
        .users()
        .map(|(id, user)| user_document(&mut directory, id, user))
        .collect();
    list(cx, "riskyUsers", shown)
}

/// A page of documents by id, which is no order of time. The mark of the next page is the last id of this one.
fn list(
    cx: &Cx<'_>,
    collection: &str,
    documents: Vec<Map<String, Value>>,
) -> Result<Reply, Refusal> {
    let bad = |message: String| Refusal::new(400, "BadRequest", message);
    for (name, _) in cx.query.pairs() {
        if !matches!(name.as_str(), "$filter" | "$select" | "$top" | "$skiptoken") {
            return Err(bad(format!("Query option '{name}' is not allowed.")));
        }
    }
    let filter = cx.query.get("$filter").map(Filter::parse).transpose();
    let filter = filter.map_err(bad)?;
    let top = match cx.query.get("$top").map(str::parse::<usize>) {
        None => 20,
        Some(Ok(top @ 1..=LARGEST_PAGE)) => top,
        Some(_) => {
            return Err(bad(
                "Invalid page size specified: it must be 1 to 500.".into()
            ));
        }
    };
    let after = match cx.query.get("$skiptoken") {
        None => String::new(),
        Some(mark) => URL_SAFE_NO_PAD
            .decode(mark)
            .ok()
            .and_then(|mark| String::from_utf8(mark).ok())
            .ok_or_else(|| bad("Skip token is expired or invalid.".into()))?,
    };
    let id = |document: &Map<String, Value>| -> String {
        let id = document.get("id").and_then(Value::as_str);
        id.unwrap_or_default().to_owned()
    };
    let mut found = documents
        .iter()
        .filter(|document| filter.as_ref().is_none_or(|filter| filter.admits(document)))
        .filter(|document| id(document) > after);
    let shown: Vec<_> = found.by_ref().take(top).collect();
    let next = match (shown.last(), found.next()) {
        (Some(last), Some(_)) => Some(next_link(cx, collection, &id(last))),
        _ => None,
    };
    let select = cx.query.get("$select");
    let shown = shown.into_iter().map(|document| match select {
        Some(_) => odata::select(document, select, &[]),
        None => document.clone(),
    });
    let what = format!("identityProtection/{collection}");
    Ok(page(cx, &what, shown.collect(), next))
}

fn next_link(cx: &Cx<'_>, collection: &str, last: &str) -> String {
    let kept = cx
        .request
        .query_text
        .split('&')
        .filter(|part| !part.starts_with("$skiptoken=") && !part.starts_with("%24skiptoken="));
    let mut query: Vec<String> = kept.map(str::to_owned).collect();
    query.push(format!("$skiptoken={}", URL_SAFE_NO_PAD.encode(last)));
    format!(
        "{}/v1.0/identityProtection/{collection}?{}",
        cx.shared.origin(),
        query.join("&")
    )
}

pub(crate) fn read(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let risk = cx.shared.risk();
    let mut found = risk.shown(cx.now);
    let found = found.find(|document| document.get("id").and_then(Value::as_str) == Some(cx.id));
    let found = found.ok_or_else(|| Refusal::not_found(cx.id))?;
    let what = "identityProtection/riskDetections/$entity";
    Ok(one(cx, what, found.clone()))
}

pub(crate) fn read_user(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    let risk = cx.shared.risk();
    let user = risk.user(cx.id).ok_or_else(|| Refusal::not_found(cx.id))?;
    let document = user_document(&mut cx.shared.directory(), cx.id, user);
    Ok(one(cx, "identityProtection/riskyUsers/$entity", document))
}

fn user_document(directory: &mut Directory, id: &str, user: &RiskyUser) -> Map<String, Value> {
    let spec = directory.user(id).map(|user| user.spec.clone());
    let spec = spec.unwrap_or_default();
    let document = json!({
        "id": id,
        "isDeleted": false,
        "isProcessing": false,
        "riskLastUpdatedDateTime": rfc3339(user.updated),
        "riskLevel": user.level,
        "riskState": user.state,
        "riskDetail": user.detail,
        "userDisplayName": spec.name,
        "userPrincipalName": spec.principal,
    });
    match document {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Users {
    user_ids: Vec<String>,
}

pub(crate) fn decide(
    cx: &Cx<'_>,
    state: &str,
    detail: &str,
    level: &str,
) -> Result<Reply, Refusal> {
    let bad = |message: &str| Refusal::new(400, "BadRequest", message);
    let body: Users =
        serde_json::from_slice(&cx.request.body).map_err(|_| bad("userIds is required."))?;
    if body.user_ids.is_empty() || body.user_ids.len() > 60 {
        return Err(bad("userIds must hold 1 to 60 ids."));
    }
    let mut risk = cx.shared.risk();
    let known = |id: &String| cx.shared.directory().users.contains_key(id);
    if let Some(unknown) = body.user_ids.iter().find(|id| !known(id)) {
        return Err(Refusal::not_found(unknown));
    }
    for user in &body.user_ids {
        risk.decide(user, state, detail, level, cx.now);
    }
    Ok(no_content())
}
