//! The indicator endpoints: create, read, update, delete, and the two searches.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::iocs::{Ioc, admit, is_valid};
use super::state::Cx;
use super::wire::{ApiError, Pagination};
use crate::clock::rfc3339;
use crate::http::Reply;

/// The most indicators one create or update call takes.
const MOST: usize = 2000;

#[derive(Debug, Deserialize)]
struct Indicators<T> {
    #[serde(default = "Vec::new")]
    indicators: Vec<T>,
}

/// An entry the vendor refused, in `resources` beside the error.
#[derive(Debug, Serialize)]
struct Refused {
    row: usize,
    #[serde(rename = "type")]
    kind: String,
    value: String,
    message: String,
    message_type: &'static str,
}

/// `POST /iocs/entities/indicators/v1`. One refused entry refuses the call, so that nothing is half created; the
/// refused ones stand in `resources` with their message.
pub(crate) fn create(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: Vec<Ioc> = cx.body::<Indicators<Ioc>>()?.indicators;
    check_count(cx, asked.len())?;
    let mut tenant = cx.shared.tenant();
    let mut refused = Vec::new();
    let mut fresh: Vec<Ioc> = Vec::with_capacity(asked.len());
    for (row, mut ioc) in asked.into_iter().enumerate() {
        // Hashes are kept in lower case, whatever case they came in.
        if matches!(ioc.kind.as_str(), "sha256" | "md5") {
            ioc.value.make_ascii_lowercase();
        }
        let twice = fresh
            .iter()
            .any(|other| (&other.kind, &other.value) == (&ioc.kind, &ioc.value));
        let duplicate = twice || tenant.iocs.contains(&cx.caller.cid, &ioc);
        let fault = ioc.fault().or_else(|| {
            duplicate.then(|| {
                format!(
                    "Duplicate type: '{}' and value: '{}' combination.",
                    ioc.kind, ioc.value
                )
            })
        });
        match fault {
            Some(message) => refused.push(Refused {
                row: row + 1,
                kind: ioc.kind,
                value: ioc.value,
                message,
                message_type: "error",
            }),
            None => fresh.push(ioc),
        }
    }
    if !refused.is_empty() {
        let error = ApiError::new(400, "1 or more indicators have a warning or an error");
        return Err(cx.wrap().with(400, Some(refused), &[error]));
    }
    let created: Vec<Ioc> = fresh
        .into_iter()
        .map(|ioc| admit(ioc, cx.shared.ids.hex(4), &cx.caller.client, cx.now))
        .collect();
    for ioc in &created {
        tenant.iocs.add(&cx.caller.cid, ioc.clone());
    }
    drop(tenant);
    Ok(cx
        .wrap()
        .ok(created.iter().map(|ioc| ioc.at(cx.now)).collect::<Vec<_>>()))
}

fn check_count(cx: &Cx<'_>, count: usize) -> Result<(), Reply> {
    if count == 0 {
        return Err(cx.refuse(400, "indicators is required"));
    }
    if count > MOST {
        return Err(cx.refuse(
            400,
            format!("too many indicators: {count} given, at most {MOST} allowed"),
        ));
    }
    Ok(())
}

fn not_found(id: &str) -> ApiError {
    ApiError::about(404, id, format!("Resource {id} not found"))
}

/// 200 while anything was found, 404 when nothing was.
fn found_or_missing<R: Serialize>(cx: &Cx<'_>, found: Vec<R>, errors: &[ApiError]) -> Reply {
    let status = if found.is_empty() && !errors.is_empty() {
        404
    } else {
        cx.endpoint.success()
    };
    cx.wrap().with(status, Some(found), errors)
}

/// `GET /iocs/entities/indicators/v1?ids=`.
pub(crate) fn read(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let ids = cx.query.all("ids");
    if ids.is_empty() {
        return Err(cx.refuse(400, "ids is required"));
    }
    let tenant = cx.shared.tenant();
    let mut errors = Vec::new();
    let mut found = Vec::with_capacity(ids.len());
    for id in &ids {
        match tenant.iocs.get(id).filter(|row| *row.cid == *cx.caller.cid) {
            Some(row) => found.push(row.ioc.at(cx.now)),
            None => errors.push(not_found(id)),
        }
    }
    drop(tenant);
    Ok(found_or_missing(cx, found, &errors))
}

/// Members an update may change.
const CHANGEABLE: [&str; 10] = [
    "action",
    "applied_globally",
    "description",
    "expiration",
    "host_groups",
    "metadata",
    "mobile_action",
    "platforms",
    "severity",
    "source",
];

/// `PATCH /iocs/entities/indicators/v1`. Members not named keep their value; type and value cannot change.
pub(crate) fn update(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: Vec<Map<String, Json>> = cx.body::<Indicators<Map<String, Json>>>()?.indicators;
    check_count(cx, asked.len())?;
    let mut tenant = cx.shared.tenant();
    let mut changed = Vec::with_capacity(asked.len());
    for (number, wanted) in asked.into_iter().enumerate() {
        let id = wanted.get("id").and_then(Json::as_str).unwrap_or_default();
        let Some(row) = tenant.iocs.get(id).filter(|row| *row.cid == *cx.caller.cid) else {
            return Err(cx.wrap().error(404, not_found(id)));
        };
        let mut fields = match serde_json::to_value(&row.ioc) {
            Ok(Json::Object(fields)) => fields,
            _ => Map::new(),
        };
        for (name, value) in &wanted {
            if CHANGEABLE.contains(&name.as_str()) || name == "tags" {
                fields.insert(name.clone(), value.clone());
            }
        }
        let merged = serde_json::from_value::<Ioc>(Json::Object(fields))
            .map_err(|error| cx.refuse(400, error.to_string()))?;
        if let Some(message) = merged.fault() {
            let refused = Refused {
                row: number + 1,
                kind: merged.kind,
                value: merged.value,
                message: message.clone(),
                message_type: "error",
            };
            return Err(cx
                .wrap()
                .with(400, Some([refused]), &[ApiError::new(400, message)]));
        }
        changed.push(merged);
    }
    for ioc in &mut changed {
        ioc.modified_on = rfc3339(cx.now);
        ioc.modified_by = cx.caller.client.to_string();
        if let Some(row) = tenant.iocs.get_mut(&ioc.id) {
            row.ioc = ioc.clone();
        }
    }
    drop(tenant);
    Ok(cx
        .wrap()
        .ok(changed.iter().map(|ioc| ioc.at(cx.now)).collect::<Vec<_>>()))
}

/// `DELETE /iocs/entities/indicators/v1`. A `filter` overrides `ids`, as the vendor documents.
pub(crate) fn delete(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let mut tenant = cx.shared.tenant();
    let ids = match cx.filter(cx.query.get("filter"))? {
        Some(filter) => {
            let found = tenant
                .iocs
                .search(&cx.caller.cid, Some(&filter), cx.now)
                .map_err(|message| cx.refuse(400, message))?;
            found.into_iter().map(|(_, ioc)| ioc.id).collect()
        }
        None => cx.query.all("ids"),
    };
    if ids.is_empty() {
        return Err(cx.refuse(400, "ids or filter is required"));
    }
    let mut errors = Vec::new();
    let mut deleted = Vec::with_capacity(ids.len());
    for id in ids {
        let own = tenant
            .iocs
            .get(&id)
            .is_some_and(|row| *row.cid == *cx.caller.cid);
        if own && tenant.iocs.remove(&id).is_some() {
            deleted.push(id);
        } else {
            errors.push(not_found(&id));
        }
    }
    drop(tenant);
    Ok(found_or_missing(cx, deleted, &errors))
}

/// `GET /iocs/aggregates/indicators/device-count/v1`: on how many of the caller's hosts one value was seen. There it
/// need not be an indicator; a value nobody saw is 404, as the vendor's integrations expect.
pub(crate) fn count_devices(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked = |name: &str| {
        let given = cx.query.get(name).filter(|text| !text.is_empty());
        given.ok_or_else(|| cx.refuse(400, format!("{name} is required")))
    };
    let (kind, value) = (asked("type")?, asked("value")?.to_ascii_lowercase());
    if !is_valid(kind, &value) {
        return Err(cx.refuse(400, format!("Invalid value for type {kind}: '{value}'")));
    }
    let tenant = cx.shared.tenant();
    // Only hashes of running programs leave a trace here.
    let count = match kind {
        "sha256" => tenant.hosts.running(&value, |cid| cx.caller.sees(cid)),
        _ => 0,
    };
    drop(tenant);
    if count == 0 {
        let message = format!("{kind}:{value} was not seen on any device");
        return Err(cx.refuse(404, message));
    }
    let counted = json!({ "type": kind, "value": value, "device_count": count });
    Ok(cx.wrap().ok([counted]))
}

/// `GET /iocs/combined/indicator/v1` (whole indicators) and `GET /iocs/queries/indicators/v1` (their ids). Offsets end at
/// 10 000; beyond that the `after` cursor of the previous page goes on.
pub(crate) fn search(cx: &Cx<'_>, whole: bool) -> Result<Reply, Reply> {
    let limit = cx.number("limit", 100, 2000)?.max(1);
    let offset = cx.number("offset", 0, usize::MAX)?;
    let after = match cx.query.get("after").filter(|text| !text.is_empty()) {
        Some(text) => {
            let read = text
                .strip_prefix("ioc-")
                .and_then(|rest| rest.parse::<u64>().ok());
            Some(read.ok_or_else(|| cx.refuse(400, "invalid after"))?)
        }
        None => None,
    };
    if after.is_none() && offset.saturating_add(limit) > 10_000 {
        return Err(cx.refuse(
            400,
            "offset and limit must add up to at most 10000; use after",
        ));
    }
    let filter = cx.filter(cx.query.get("filter"))?;
    let descending = match cx.query.get("sort").filter(|text| !text.is_empty()) {
        None => false,
        Some("created_on|asc" | "created_on.asc" | "modified_on|asc" | "modified_on.asc") => false,
        Some("created_on|desc" | "created_on.desc" | "modified_on|desc" | "modified_on.desc") => {
            true
        }
        Some(sort) => return Err(cx.refuse(400, format!("invalid sort '{sort}'"))),
    };
    let tenant = cx.shared.tenant();
    let found = tenant.iocs.search(&cx.caller.cid, filter.as_ref(), cx.now);
    drop(tenant);
    let mut found = found.map_err(|message| cx.refuse(400, message))?;
    let total = found.len();
    if descending {
        found.reverse();
    }
    let past = |place: u64| {
        after.is_none_or(|cursor| {
            if descending {
                place < cursor
            } else {
                place > cursor
            }
        })
    };
    let skip = if after.is_some() { 0 } else { offset };
    let mut rest = found
        .into_iter()
        .filter(|(place, _)| past(*place))
        .skip(skip)
        .peekable();
    let page: Vec<(u64, Ioc)> = rest.by_ref().take(limit).collect();
    let after = rest
        .peek()
        .and(page.last())
        .map(|(place, _)| format!("ioc-{place}"));
    let pagination = Pagination {
        offset: Some(skip.into()),
        limit,
        total: Some(total),
        after,
    };
    let wrap = cx.wrap().paged(pagination);
    Ok(if whole {
        wrap.ok(page.into_iter().map(|(_, ioc)| ioc).collect::<Vec<_>>())
    } else {
        wrap.ok(page.into_iter().map(|(_, ioc)| ioc.id).collect::<Vec<_>>())
    })
}
