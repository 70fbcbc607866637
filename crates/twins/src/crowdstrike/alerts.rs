//! Alerts: the table with its time index, and the search, read and update endpoints.
//!
//! Documents are kept as text, so that serving a page copies bytes instead of encoding again.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::fql::{Expr, Value};
use super::state::Cx;
use super::wire::Pagination;
use crate::clock::{self, rfc3339};
use crate::http::Reply;

/// One alert. Only what searches ask for all the time is kept beside the text: a parsed document takes many times the
/// memory, and a load test keeps a hundred thousand of them.
#[derive(Debug)]
pub(crate) struct AlertRow {
    pub(crate) id: String,
    cid: String,
    text: Arc<RawValue>,
    updated: i64,
    created: i64,
    severity: Option<f64>,
    status: Option<String>,
    product: Option<String>,
    shown: bool,
}

/// The parsed document, made when a search asks for a field that is not kept.
type Parsed = OnceCell<Map<String, Json>>;

impl AlertRow {
    /// The error names the member that is missing or unreadable.
    fn new(fields: &Map<String, Json>) -> Result<Self, &'static str> {
        let text = |name: &'static str| fields.get(name).and_then(Json::as_str);
        let time = |name: &'static str| text(name).and_then(clock::parse_time);
        let updated = time("updated_timestamp").ok_or("updated_timestamp")?;
        Ok(Self {
            id: text("composite_id").ok_or("composite_id")?.to_owned(),
            cid: text("cid").ok_or("cid")?.to_owned(),
            text: serde_json::value::to_raw_value(fields)
                .map(Arc::from)
                .map_err(|_| "readable text")?,
            updated,
            created: time("created_timestamp").unwrap_or(updated),
            severity: fields.get("severity").and_then(Json::as_f64),
            status: text("status").map(str::to_owned),
            product: text("product").map(str::to_owned),
            shown: fields.get("show_in_ui") != Some(&Json::Bool(false)),
        })
    }

    /// The whole document.
    pub(crate) fn fields(&self) -> Map<String, Json> {
        serde_json::from_str(self.text.get()).unwrap_or_default()
    }

    fn value<'a>(&'a self, name: &str, parsed: &'a Parsed) -> Value<'a> {
        let kept = |text: &'a Option<String>| {
            text.as_deref()
                .map_or(Value::Missing, |text| Value::Text(text.into()))
        };
        match name {
            "updated_timestamp" => Value::Time(self.updated),
            "created_timestamp" => Value::Time(self.created),
            "severity" => self.severity.map_or(Value::Missing, Value::Number),
            "status" => kept(&self.status),
            "product" => kept(&self.product),
            "composite_id" => Value::Text(self.id.as_str().into()),
            "cid" => Value::Text(self.cid.as_str().into()),
            _ => Value::of_json(parsed.get_or_init(|| self.fields()), name),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct AlertTable {
    rows: Vec<AlertRow>,
    by_id: HashMap<String, usize>,
    by_updated: BTreeSet<(i64, usize)>,
}

/// A place in a sorted result: the sort key, and the row to break ties.
type Place = (i64, usize);

/// One page of a search.
pub(crate) struct Page {
    places: Vec<usize>,
    total: usize,
    after: Option<String>,
}

impl AlertTable {
    /// Adds or replaces a document. The error names the member it lacks.
    pub(crate) fn put(&mut self, fields: &Map<String, Json>) -> Result<String, &'static str> {
        let row = AlertRow::new(fields)?;
        let (id, updated) = (row.id.clone(), row.updated);
        let place = self.by_id.get(&id).copied().unwrap_or(self.rows.len());
        match self.rows.get_mut(place) {
            Some(old) => {
                self.by_updated.remove(&(old.updated, place));
                *old = row;
            }
            None => {
                self.by_id.insert(id.clone(), place);
                self.rows.push(row);
            }
        }
        self.by_updated.insert((updated, place));
        Ok(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&AlertRow> {
        self.rows.get(*self.by_id.get(id)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &AlertRow> {
        self.rows.iter()
    }

    /// Changes a document and stamps it. False when it could not be kept.
    fn change(
        &mut self,
        id: &str,
        stamp: i64,
        change: impl FnOnce(&mut Map<String, Json>),
    ) -> bool {
        let Some(mut fields) = self.get(id).map(AlertRow::fields) else {
            return false;
        };
        change(&mut fields);
        fields.insert("updated_timestamp".into(), rfc3339(stamp).into());
        self.put(&fields).is_ok()
    }

    fn text(&self, place: usize) -> Option<Arc<RawValue>> {
        self.rows.get(place).map(|row| Arc::clone(&row.text))
    }

    fn search(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let (name, descending) = match wanted.sort {
            None => ("updated_timestamp", true),
            Some(sort) => {
                let (name, direction) = sort.split_once(['|', '.']).unwrap_or((sort, "asc"));
                if !matches!(direction, "asc" | "desc") {
                    return Err(format!("invalid sort '{sort}'"));
                }
                (name, direction == "desc")
            }
        };
        let key =
            |row: &AlertRow| sort_key(row, name).ok_or_else(|| format!("invalid sort '{name}'"));
        let passes = |row: &&AlertRow| {
            let parsed = Parsed::new();
            let matches = |filter: &Expr| filter.matches(&|field| row.value(field, &parsed));
            wanted.caller_sees(&row.cid)
                && (wanted.hidden_too || row.shown)
                && wanted.filter.is_none_or(matches)
        };
        let after = wanted
            .after
            .map(|text| read_cursor(text).ok_or("invalid after"))
            .transpose()?;
        let earliest = wanted
            .filter
            .and_then(|filter| filter.earliest("updated_timestamp"))
            .unwrap_or(i64::MIN);
        let mut found: Vec<Place> = Vec::new();
        for (_, place) in self.by_updated.range((earliest, 0)..) {
            if let Some(row) = self.rows.get(*place).filter(passes) {
                found.push((key(row)?, *place));
            }
        }
        if name != "updated_timestamp" {
            found.sort_unstable();
        }
        if descending {
            found.reverse();
        }
        let total = found.len();
        let past = |place: &Place| match after {
            Some(cursor) if descending => *place < cursor,
            Some(cursor) => *place > cursor,
            None => true,
        };
        let mut rest = found
            .into_iter()
            .filter(past)
            .skip(wanted.offset)
            .peekable();
        let page: Vec<Place> = rest.by_ref().take(wanted.limit).collect();
        let after = rest.peek().and(page.last()).map(|last| write_cursor(*last));
        Ok(Page {
            places: page.into_iter().map(|(_, place)| place).collect(),
            total,
            after,
        })
    }
}

struct Wanted<'a> {
    cx: &'a Cx<'a>,
    filter: Option<&'a Expr>,
    sort: Option<&'a str>,
    after: Option<&'a str>,
    offset: usize,
    limit: usize,
    hidden_too: bool,
}

impl Wanted<'_> {
    fn caller_sees(&self, cid: &str) -> bool {
        self.cx.caller.sees(cid)
    }
}

/// Times sort by nanoseconds and numbers by themselves; texts other than times do not sort here.
fn sort_key(row: &AlertRow, name: &str) -> Option<i64> {
    let parsed = Parsed::new();
    match row.value(name, &parsed) {
        Value::Time(time) => Some(time),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "severity and confidence, at most 100"
        )]
        Value::Number(number) => Some((number * 1000.0) as i64),
        Value::Text(text) => clock::parse_time(&text),
        _ => None,
    }
}

/// Opaque to clients: the key and row of the last alert served.
fn write_cursor((key, place): Place) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{key}:{place}"))
}

fn read_cursor(text: &str) -> Option<Place> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (key, place) = text.split_once(':')?;
    Some((key.parse().ok()?, place.parse().ok()?))
}

#[derive(Debug, Deserialize)]
struct CombinedRequest {
    #[serde(default)]
    filter: Option<String>,
    #[serde(default)]
    sort: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    after: Option<String>,
}

/// `POST /alerts/combined/alerts/v1`: whole documents, cursor paging without a ceiling.
pub(crate) fn combined(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: CombinedRequest = cx.body()?;
    let limit = asked.limit.filter(|limit| *limit > 0).unwrap_or(100);
    if limit > 1000 {
        return Err(cx.refuse(400, "limit must be at most 1000"));
    }
    let filter = cx.filter(asked.filter.as_deref())?;
    let wanted = Wanted {
        cx,
        filter: filter.as_ref(),
        sort: asked.sort.as_deref().filter(|sort| !sort.is_empty()),
        after: asked.after.as_deref().filter(|after| !after.is_empty()),
        offset: 0,
        limit,
        hidden_too: true,
    };
    let tenant = cx.shared.tenant();
    let page = tenant
        .alerts
        .search(&wanted)
        .map_err(|message| cx.refuse(400, message))?;
    let texts: Vec<_> = page
        .places
        .iter()
        .filter_map(|place| tenant.alerts.text(*place))
        .collect();
    drop(tenant);
    let pagination = Pagination {
        offset: None,
        limit,
        total: Some(page.total),
        after: page.after,
    };
    Ok(cx.wrap().paged(pagination).ok(texts))
}

/// `GET /alerts/queries/alerts/v2`: composite ids; offset paging ends at 10 000.
pub(crate) fn query(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let limit = cx.number("limit", 100, 10_000)?;
    let offset = cx.number("offset", 0, 10_000)?;
    if offset + limit > 10_000 {
        return Err(cx.refuse(400, "offset and limit must add up to at most 10000"));
    }
    let filter = cx.filter(cx.query.get("filter"))?;
    let wanted = Wanted {
        cx,
        filter: filter.as_ref(),
        sort: cx.query.get("sort").filter(|sort| !sort.is_empty()),
        after: None,
        offset,
        limit,
        hidden_too: cx.query.get("include_hidden") != Some("false"),
    };
    let tenant = cx.shared.tenant();
    let page = tenant
        .alerts
        .search(&wanted)
        .map_err(|message| cx.refuse(400, message))?;
    let ids: Vec<&str> = page
        .places
        .iter()
        .filter_map(|place| Some(tenant.alerts.rows.get(*place)?.id.as_str()))
        .collect();
    let pagination = Pagination {
        offset: Some(offset.into()),
        limit,
        total: Some(page.total),
        after: None,
    };
    Ok(cx.wrap().paged(pagination).ok(ids))
}

/// The v2 update names its ids `ids`, everything else `composite_ids`.
#[derive(Debug, Deserialize)]
struct ByIds {
    #[serde(default, alias = "ids")]
    composite_ids: Vec<String>,
    #[serde(default)]
    action_parameters: Vec<ActionParameter>,
}

#[derive(Debug, Deserialize)]
struct ActionParameter {
    name: String,
    #[serde(default)]
    value: Json,
}

/// `POST /alerts/entities/alerts/v2`: up to 1000 documents. Unknown ids are left out.
pub(crate) fn read(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let ids = cx.body::<ByIds>()?.composite_ids;
    if ids.is_empty() || ids.len() > 1000 {
        return Err(cx.refuse(400, "composite_ids must hold 1 to 1000 ids"));
    }
    let hidden_too = cx.query.get("include_hidden") != Some("false");
    let tenant = cx.shared.tenant();
    let seen = |row: &&AlertRow| cx.caller.sees(&row.cid) && (hidden_too || row.shown);
    let texts: Vec<_> = ids
        .iter()
        .filter_map(|id| tenant.alerts.get(id).filter(seen))
        .map(|row| Arc::clone(&row.text))
        .collect();
    drop(tenant);
    Ok(cx.wrap().ok(texts))
}

/// `PATCH /alerts/entities/alerts/v3` (and `v2`). All actions are checked before any is done; values are texts.
pub(crate) fn update(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: ByIds = cx.body()?;
    if asked.composite_ids.is_empty() || asked.composite_ids.len() > 1000 {
        return Err(cx.refuse(400, "composite_ids must hold 1 to 1000 ids"));
    }
    if asked.action_parameters.is_empty() {
        return Err(cx.refuse(400, "action_parameters is required"));
    }
    let mut actions = Vec::with_capacity(asked.action_parameters.len());
    for ActionParameter { name, value } in asked.action_parameters {
        match (name.as_str(), value) {
            ("unassign", _) => actions.push((name, String::new())),
            (_, Json::String(value)) if is_action(&name, &value) => actions.push((name, value)),
            (_, value) => {
                return Err(cx.refuse(
                    400,
                    format!("invalid action parameter {name} with value {value}"),
                ));
            }
        }
    }
    let mut affected = 0;
    let mut tenant = cx.shared.tenant();
    for id in &asked.composite_ids {
        if !tenant
            .alerts
            .get(id)
            .is_some_and(|row| cx.caller.sees(&row.cid))
        {
            continue;
        }
        let stamp = cx.shared.clock.stamp();
        let applied = tenant.alerts.change(id, stamp, |fields| {
            for (name, value) in &actions {
                apply(fields, name, value, &cx.caller.client, stamp);
            }
        });
        affected += usize::from(applied);
    }
    drop(tenant);
    Ok(cx.wrap().wrote(affected).ok(Vec::<()>::new()))
}

fn is_action(name: &str, value: &str) -> bool {
    match name {
        "update_status" => matches!(value, "new" | "in_progress" | "reopened" | "closed"),
        "show_in_ui" => matches!(value, "true" | "false"),
        "add_tag" | "remove_tag" | "remove_tags_by_prefix" | "append_comment" => !value.is_empty(),
        "assign_to_uuid" | "assign_to_user_id" | "assign_to_name" => !value.is_empty(),
        _ => false,
    }
}

fn apply(fields: &mut Map<String, Json>, name: &str, value: &str, client: &str, stamp: i64) {
    let mut list = |member: &str, change: &dyn Fn(&mut Vec<Json>)| {
        let entry = fields.entry(member).or_insert_with(|| json!([]));
        if let Some(items) = entry.as_array_mut() {
            change(items);
        }
    };
    match name {
        "update_status" => {
            fields.insert("status".into(), value.into());
        }
        "show_in_ui" => {
            fields.insert("show_in_ui".into(), (value == "true").into());
        }
        "add_tag" => list("tags", &|tags| {
            if !tags.iter().any(|tag| tag == value) {
                tags.push(value.into());
            }
        }),
        "remove_tag" => list("tags", &|tags| tags.retain(|tag| tag != value)),
        "remove_tags_by_prefix" => list("tags", &|tags| {
            tags.retain(|tag| !tag.as_str().is_some_and(|tag| tag.starts_with(value)))
        }),
        "append_comment" => list("comments", &|comments| {
            comments.push(
                json!({"falcon_user_id": client, "timestamp": rfc3339(stamp), "value": value}),
            );
        }),
        "assign_to_uuid" => {
            fields.insert("assigned_to_uuid".into(), value.into());
        }
        "assign_to_user_id" => {
            fields.insert("assigned_to_uid".into(), value.into());
        }
        "assign_to_name" => {
            fields.insert("assigned_to_name".into(), value.into());
        }
        _ => {
            for member in ["assigned_to_uuid", "assigned_to_uid", "assigned_to_name"] {
                fields.remove(member);
            }
        }
    }
}
