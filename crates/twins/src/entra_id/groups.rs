//! Calls on groups. A group exists as long as somebody is in it.

use serde::Deserialize;
use serde_json::{Map, json};

use super::directory::Directory;
use super::endpoint::Permission;
use super::odata;
use super::service::{Cx, Refusal, encode};
use crate::http::Reply;

/// Most groups one question names.
const MOST: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    group_ids: Vec<String>,
}

fn exists(directory: &Directory, id: &str) -> bool {
    let mut groups = directory.users.values().flat_map(|user| &user.spec.groups);
    groups.any(|group| group.eq_ignore_ascii_case(id))
}

/// Which of some groups a user is in. Groups that do not exist are left out like those the user is not in.
pub(crate) fn check(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    cx.require(Permission::UserRead)?;
    let wanted: Wanted = serde_json::from_slice(&cx.request.body)
        .map_err(|_| Refusal::bad("Unable to read JSON request payload."))?;
    if wanted.group_ids.is_empty() || wanted.group_ids.len() > MOST {
        return Err(Refusal::bad(format!("groupIds must hold 1 to {MOST} ids.")));
    }
    let mut directory = cx.shared.directory();
    let user = directory
        .user(cx.id)
        .ok_or_else(|| Refusal::not_found(cx.id))?;
    let is_in = |id: &&String| {
        user.spec
            .groups
            .iter()
            .any(|group| group.eq_ignore_ascii_case(id))
    };
    let found: Vec<_> = wanted.group_ids.iter().filter(is_in).collect();
    let body = json!({ "@odata.context": cx.context("Collection(Edm.String)"), "value": found });
    Ok(encode(200, &body))
}

pub(crate) fn read(cx: &Cx<'_>) -> Result<Reply, Refusal> {
    if !exists(&cx.shared.directory(), cx.id) {
        return Err(Refusal::not_found(cx.id));
    }
    let document = Map::from_iter([
        ("id".to_owned(), cx.id.into()),
        ("displayName".to_owned(), cx.id.into()),
    ]);
    let select = cx.query.get("$select");
    let members = odata::select(&document, select, &["id", "displayName"]);
    Ok(super::calls::one(cx, "groups/$entity", members))
}
