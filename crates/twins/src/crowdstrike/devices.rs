//! The device endpoints: search, read, online state, and the contain and lift actions.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::endpoint::Endpoint;
use super::hosts::{Search, Wish};
use super::state::Cx;
use super::wire::{ApiError, Pagination, encode};
use crate::clock::{nanos, rfc3339_seconds};
use crate::http::Reply;

/// The vendor's own integrations differ between 100 and 500 ids per action call; the twin holds the stricter line.
const MOST_ACTION_IDS: usize = 100;

/// How far an offset reaches. The vendor names no number for hosts; it is that of its other searches, and its scroll
/// endpoint exists for what lies beyond.
const MOST_LISTED: usize = 10_000;

#[derive(Debug, Deserialize)]
struct Ids {
    #[serde(default)]
    ids: Vec<String>,
}

/// `GET /devices/queries/devices/v1`: agent ids.
pub(crate) fn query(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let limit = cx.number("limit", 100, 5000)?;
    let offset = cx.number("offset", 0, usize::MAX)?;
    if offset.saturating_add(limit) > MOST_LISTED {
        return Err(cx.refuse(
            400,
            format!("offset and limit must add up to at most {MOST_LISTED}"),
        ));
    }
    let filter = cx.filter(cx.query.get("filter"))?;
    let sees = |cid: &str| cx.caller.sees(cid);
    let search = Search {
        filter: filter.as_ref(),
        sort: cx.query.get("sort"),
        sees: &sees,
    };
    let mut tenant = cx.shared.tenant();
    let found = tenant
        .hosts
        .search(&search, cx.now)
        .map_err(|message| cx.refuse(400, message))?;
    let page: Vec<&str> = found
        .iter()
        .skip(offset)
        .take(limit)
        .map(|row| row.aid.as_str())
        .collect();
    let pagination = Pagination {
        offset: Some(offset.into()),
        limit,
        total: Some(found.len()),
        after: None,
    };
    Ok(cx.wrap().paged(pagination).ok(page))
}

/// `GET /devices/combined/devices/v1`: whole documents; `offset` is an opaque text here.
pub(crate) fn combined(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let limit = cx.number("limit", 100, 10_000)?;
    let offset = match cx.query.get("offset").filter(|text| !text.is_empty()) {
        None => 0,
        Some(text) => {
            let read = text
                .strip_prefix("page-")
                .and_then(|rest| rest.parse().ok());
            read.ok_or_else(|| cx.refuse(400, "invalid offset"))?
        }
    };
    let filter = cx.filter(cx.query.get("filter"))?;
    let sees = |cid: &str| cx.caller.sees(cid);
    let search = Search {
        filter: filter.as_ref(),
        sort: cx.query.get("sort"),
        sees: &sees,
    };
    let mut tenant = cx.shared.tenant();
    let found = tenant
        .hosts
        .search(&search, cx.now)
        .map_err(|message| cx.refuse(400, message))?;
    let page: Vec<_> = found
        .iter()
        .skip(offset)
        .take(limit)
        .map(|row| row.document(cx.now))
        .collect();
    let next =
        (offset + page.len() < found.len()).then(|| format!("page-{}", offset + page.len()).into());
    let pagination = Pagination {
        offset: Some(next.unwrap_or_default()),
        limit,
        total: Some(found.len()),
        after: None,
    };
    Ok(cx.wrap().paged(pagination).ok(page))
}

/// `GET` (up to 100 ids in the query) and `POST` (up to 5000 in the body) `/devices/entities/devices/v2`.
pub(crate) fn read(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let (ids, most) = if cx.request.method == http::Method::GET {
        (cx.query.all("ids"), 100)
    } else {
        (cx.body::<Ids>()?.ids, 5000)
    };
    check_count(cx, &ids, most)?;
    let mut tenant = cx.shared.tenant();
    let mut errors = Vec::new();
    let mut found = Vec::with_capacity(ids.len());
    for id in &ids {
        match tenant
            .hosts
            .get(id, cx.now)
            .filter(|row| cx.caller.sees(&row.cid))
        {
            // The documents borrow from the table, and a table cannot be lent twice: settle now, read below.
            Some(row) => found.push(row.aid.clone()),
            None => errors.push(unknown(id)),
        }
    }
    let rows = tenant.hosts.pick(&found);
    let documents: Vec<_> = rows.into_iter().map(|row| row.document(cx.now)).collect();
    Ok(cx.wrap().partly(documents, &errors))
}

/// `GET /devices/entities/online-state/v1`.
pub(crate) fn online_state(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let ids = cx.query.all("ids");
    check_count(cx, &ids, 100)?;
    let mut tenant = cx.shared.tenant();
    let mut errors = Vec::new();
    let mut states = Vec::with_capacity(ids.len());
    for id in &ids {
        match tenant
            .hosts
            .get(id, cx.now)
            .filter(|row| cx.caller.sees(&row.cid))
        {
            Some(row) => states.push(json!({
                "id": row.aid,
                "cid": row.cid,
                "last_seen": rfc3339_seconds(row.last_seen(cx.now)),
                "state": row.spec.connectivity.name(),
            })),
            None => errors.push(unknown(id)),
        }
    }
    Ok(cx.wrap().partly(states, &errors))
}

/// One accepted host of an action call.
#[derive(Debug, Serialize)]
struct Accepted {
    id: String,
    path: String,
}

/// `POST /devices/entities/devices-actions/v2`.
///
/// Hosts are judged one by one: accepted ones are listed in `resources`, the others in `errors` with 404 (unknown) or
/// 409 (already so; the vendor's Ansible module finds the agent id in the message). The reply is 202 as long as one
/// host was accepted. When none was, the status is the first error's code.
pub(crate) fn act(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let wish = match cx.endpoint {
        Endpoint::Contain => Wish::Contain,
        Endpoint::LiftContainment => Wish::Lift,
        _ => {
            let action = cx.query.get("action_name").unwrap_or_default();
            return Err(cx.refuse(400, format!("action '{action}' is not supported")));
        }
    };
    let ids = cx.body::<Ids>()?.ids;
    check_count(cx, &ids, MOST_ACTION_IDS)?;
    let mut tenant = cx.shared.tenant();
    let delay = match wish {
        Wish::Contain => nanos(tenant.settle.containment),
        Wish::Lift => nanos(tenant.settle.lift),
    };
    let mut accepted = Vec::with_capacity(ids.len());
    let mut errors = Vec::new();
    for id in &ids {
        let Some(row) = tenant
            .hosts
            .get(id, cx.now)
            .filter(|row| cx.caller.acts_on(&row.cid))
        else {
            errors.push(unknown(id));
            continue;
        };
        let applied = row.ask(wish, cx.now, delay);
        let calls = &mut row.calls;
        let (received, took_effect) = match wish {
            Wish::Contain => (&mut calls.contain_received, &mut calls.contain_applied),
            Wish::Lift => (&mut calls.lift_received, &mut calls.lift_applied),
        };
        *received += 1;
        *took_effect += u64::from(applied);
        if applied {
            accepted.push(Accepted {
                id: row.aid.clone(),
                path: format!("/devices/entities/devices/v1?ids={}", row.aid),
            });
        } else {
            let state = row.spec.containment.name();
            errors.push(ApiError::about(
                409,
                id,
                format!("device {id} is already in state {state}"),
            ));
        }
    }
    drop(tenant);
    let status = match errors.first() {
        Some(error) if accepted.is_empty() => u16::try_from(error.code).unwrap_or(400),
        _ => cx.endpoint.success(),
    };
    Ok(cx.wrap().with(status, Some(accepted), &errors))
}

fn unknown(id: &str) -> ApiError {
    ApiError::about(404, id, format!("device {id} not found"))
}

fn check_count(cx: &Cx<'_>, ids: &[String], most: usize) -> Result<(), Reply> {
    if ids.is_empty() {
        return Err(cx.refuse(400, "ids is required"));
    }
    if ids.len() > most {
        return Err(cx.refuse(
            400,
            format!("too many ids: {} given, at most {most} allowed", ids.len()),
        ));
    }
    Ok(())
}

/// The body an unknown path gets.
pub(crate) fn no_such_endpoint(cx_trace: &str) -> Reply {
    encode(
        404,
        &json!({
            "meta": {"query_time": 0.0, "powered_by": "gateway", "trace_id": cx_trace},
            "errors": [{"code": 404, "message": "404: Page Not Found"}],
            "resources": []
        }),
    )
}
