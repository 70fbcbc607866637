//! The real time response endpoints, single host and batch.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::Caller;
use super::endpoint::Endpoint;
use super::rtr::{ACTIVE, CommandRow, READ_ONLY, SessionRow, chunk, working_directory};
use super::state::{Cx, Tenant};
use super::wire::{ApiError, Pagination, encode};
use crate::clock::{nanos, rfc3339};
use crate::http::Reply;

#[derive(Debug, Deserialize)]
struct OpenRequest {
    device_id: String,
    #[serde(default)]
    origin: String,
    #[serde(default)]
    queue_offline: bool,
}

fn no_comms() -> ApiError {
    ApiError::new(40401, "Could not establish sensor comms")
}

/// Finds or opens the client's session on a host.
///
/// The vendor's SDK documents that an existing session of the calling client on that host is retrieved, so two callers
/// with one API client share a session, and whoever closes it first closes it for both.
fn open_session(
    cx: &Cx<'_>,
    tenant: &mut Tenant,
    asked: &OpenRequest,
    batch: Option<&str>,
) -> Result<(SessionRow, usize), (u16, ApiError)> {
    let caller: &Caller = cx.caller;
    let Some(host) = tenant
        .hosts
        .get(&asked.device_id, cx.now)
        .filter(|host| caller.acts_on(&host.cid))
    else {
        return Err((
            404,
            ApiError::about(
                404,
                &asked.device_id,
                format!("device {} not found", asked.device_id),
            ),
        ));
    };
    if !host.spec.rtr_enabled {
        return Err((
            403,
            ApiError::new(403, "real time response is not enabled for this device"),
        ));
    }
    let online = host.is_online();
    if !online && !asked.queue_offline {
        return Err((404, no_comms()));
    }
    let (aid, cid) = (host.aid.clone(), host.cid.clone());
    if batch.is_none()
        && let Some(session) = tenant.rtr.on_host(&aid, &caller.client)
    {
        session.last_used = cx.now;
        let session = session.clone();
        return Ok((session, tenant.rtr.count_on_host(&aid)));
    }
    let session = SessionRow {
        id: cx.shared.ids.uuid(),
        aid: aid.clone(),
        cid,
        client: Arc::clone(&caller.client),
        origin: asked.origin.clone(),
        created: cx.now,
        last_used: cx.now,
        queued: !online,
        batch: batch.map(str::to_owned),
        lines: Vec::new(),
    };
    tenant.rtr.open(session.clone());
    Ok((session, tenant.rtr.count_on_host(&aid)))
}

fn settled<'a>(cx: &'a Cx<'_>) -> std::sync::MutexGuard<'a, Tenant> {
    let mut tenant = cx.shared.tenant();
    let Tenant { hosts, rtr, .. } = &mut *tenant;
    rtr.settle(hosts, cx.now);
    tenant
}

/// `POST /real-time-response/entities/sessions/v1`, and `refresh-session/v1`, which answers alike.
pub(crate) fn open(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: OpenRequest = cx.body()?;
    let mut tenant = settled(cx);
    let (session, existing) = open_session(cx, &mut tenant, &asked, None)
        .map_err(|(status, error)| cx.wrap().error(status, error))?;
    let platform = tenant
        .hosts
        .get(&session.aid, cx.now)
        .map(|host| host.spec.platform)
        .unwrap_or_default();
    drop(tenant);
    Ok(cx.wrap().ok([json!({
        "session_id": session.id,
        "scripts": READ_ONLY.iter().chain(&ACTIVE).map(|name| json!({"command": name, "description": "", "examples": "",
            "internal_only": false, "runnable": true, "sub_commands": [], "args": []})).collect::<Vec<_>>(),
        "existing_aid_sessions": existing,
        "created_at": rfc3339(session.created),
        "pwd": working_directory(platform),
        "offline_queued": session.queued,
        "platform": platform.name().to_ascii_lowercase(),
    })]))
}

/// `DELETE /real-time-response/entities/sessions/v1?session_id=`.
pub(crate) fn close(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let id = cx
        .query
        .get("session_id")
        .ok_or_else(|| cx.refuse(400, "session_id is required"))?;
    let mut tenant = settled(cx);
    if tenant.rtr.close(id, &cx.caller.client) {
        Ok(Reply::json(204, ""))
    } else {
        Err(no_session(cx, id))
    }
}

fn no_session(cx: &Cx<'_>, id: &str) -> Reply {
    cx.refuse(404, format!("session {id} not found"))
}

#[derive(Debug, Deserialize)]
struct SessionIds {
    #[serde(default)]
    ids: Vec<String>,
}

/// `POST /real-time-response/entities/sessions/GET/v1`: details of the client's own sessions.
pub(crate) fn read_sessions(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let ids = cx.body::<SessionIds>()?.ids;
    let tenant = settled(cx);
    let own = tenant.rtr.of_client(&cx.caller.client);
    let found: Vec<Value> = own
        .into_iter()
        .filter(|session| ids.contains(&session.id))
        .map(|session| {
            json!({"id": session.id, "device_id": session.aid, "cid": session.cid, "origin": session.origin,
                "created_at": rfc3339(session.created), "updated_at": rfc3339(session.last_used),
                "offline_queued": session.queued, "logs": [], "platform_name": ""})
        })
        .collect();
    Ok(cx.wrap().ok(found))
}

/// `GET /real-time-response/queries/sessions/v1`: ids of the client's own sessions.
pub(crate) fn query_sessions(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let limit = cx.number("limit", 100, 5000)?;
    let offset = cx.number("offset", 0, usize::MAX)?;
    let tenant = settled(cx);
    let own = tenant.rtr.of_client(&cx.caller.client);
    let ids: Vec<&str> = own
        .iter()
        .skip(offset)
        .take(limit)
        .map(|session| session.id.as_str())
        .collect();
    let pagination = Pagination {
        offset: Some(offset.into()),
        limit,
        total: Some(own.len()),
        after: None,
    };
    Ok(cx.wrap().paged(pagination).ok(ids))
}

#[derive(Debug, Deserialize)]
struct CommandRequest {
    #[serde(default)]
    base_command: String,
    #[serde(default)]
    command_string: String,
    #[serde(default)]
    session_id: String,
    #[serde(default)]
    batch_id: String,
    #[serde(default)]
    optional_hosts: Vec<String>,
}

fn check_command(cx: &Cx<'_>, asked: &CommandRequest) -> Result<(), Reply> {
    let active = matches!(
        cx.endpoint,
        Endpoint::RtrActiveCommand | Endpoint::RtrBatchActiveCommand
    );
    let base = asked.base_command.as_str();
    let known = READ_ONLY.contains(&base) || (active && ACTIVE.contains(&base));
    if !known {
        return Err(cx
            .wrap()
            .error(400, ApiError::new(40007, "Command not found")));
    }
    if asked.command_string.split_whitespace().next() != Some(base) {
        return Err(cx.refuse(400, "command_string does not start with base_command"));
    }
    Ok(())
}

fn send(cx: &Cx<'_>, tenant: &mut Tenant, session: &SessionRow, asked: &CommandRequest) -> String {
    let id = cx.shared.ids.uuid();
    let online = tenant
        .hosts
        .get(&session.aid, cx.now)
        .is_some_and(|host| host.is_online());
    let delay = nanos(tenant.settle.command);
    let command = CommandRow {
        session: session.id.clone(),
        client: Arc::clone(&cx.caller.client),
        aid: session.aid.clone(),
        base: asked.base_command.clone(),
        line: asked.command_string.clone(),
        task_id: cx.shared.ids.uuid(),
        queued: session.queued && !online,
        due: cx.now.saturating_add(delay),
        output: None,
    };
    tenant.rtr.send(id.clone(), command);
    id
}

/// `POST .../command/v1` and `.../active-responder-command/v1`.
pub(crate) fn command(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: CommandRequest = cx.body()?;
    check_command(cx, &asked)?;
    let mut tenant = settled(cx);
    let Some(session) = tenant
        .rtr
        .touch(&asked.session_id, &cx.caller.client, cx.now)
    else {
        return Err(no_session(cx, &asked.session_id));
    };
    session.lines.push(asked.command_string.clone());
    let session = session.clone();
    let online = tenant
        .hosts
        .get(&session.aid, cx.now)
        .is_some_and(|host| host.is_online());
    if !online && !session.queued {
        return Err(cx.wrap().error(404, no_comms()));
    }
    let id = send(cx, &mut tenant, &session, &asked);
    let queued = tenant
        .rtr
        .command(&id, &cx.caller.client)
        .is_some_and(|command| command.queued);
    drop(tenant);
    Ok(cx.wrap().ok([
        json!({"cloud_request_id": id, "session_id": session.id, "queued_command_offline": queued}),
    ]))
}

/// `GET .../command/v1` and `.../active-responder-command/v1`: where a command stands.
pub(crate) fn status(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let id = cx
        .query
        .get("cloud_request_id")
        .ok_or_else(|| cx.refuse(400, "cloud_request_id is required"))?;
    let sequence = cx.number("sequence_id", 0, 1_000_000)?;
    let size = cx.shared.settings().rtr_chunk.max(1);
    let tenant = settled(cx);
    let Some(command) = tenant.rtr.command(id, &cx.caller.client) else {
        return Err(cx.refuse(404, format!("command {id} not found")));
    };
    let (stdout, stderr) = match &command.output {
        Some(output) => (
            chunk(&output.stdout, sequence, size),
            if sequence == 0 {
                output.stderr.as_str()
            } else {
                ""
            },
        ),
        None => ("", ""),
    };
    Ok(cx.wrap().ok([json!({
        "session_id": command.session,
        "task_id": command.task_id,
        "complete": command.output.is_some(),
        "stdout": stdout,
        "stderr": stderr,
        "base_command": command.base,
        "sequence_id": sequence,
    })]))
}

#[derive(Debug, Deserialize)]
struct BatchOpenRequest {
    #[serde(default)]
    host_ids: Vec<String>,
    #[serde(default)]
    queue_offline: bool,
    #[serde(default)]
    existing_batch_id: Option<String>,
}

fn batch_entry(
    session: &str,
    task: &str,
    aid: &str,
    base: &str,
    output: (&str, &str),
    queued: bool,
    errors: &[ApiError],
) -> Value {
    json!({
        "session_id": session, "task_id": task, "complete": errors.is_empty() && !queued, "stdout": output.0,
        "stderr": output.1, "base_command": base, "aid": aid, "errors": errors, "query_time": 0.1,
        "offline_queued": queued,
    })
}

/// `POST /real-time-response/combined/batch-init-session/v1`: one session a host, and how each went.
pub(crate) fn batch_open(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: BatchOpenRequest = cx.body()?;
    if asked.host_ids.is_empty() || asked.host_ids.len() > 10_000 {
        return Err(cx.refuse(400, "host_ids must hold 1 to 10000 ids"));
    }
    let batch = asked
        .existing_batch_id
        .filter(|id| !id.is_empty())
        .unwrap_or_else(|| cx.shared.ids.uuid());
    let mut tenant = settled(cx);
    let mut resources = Map::new();
    let mut opened = 0;
    for aid in asked.host_ids {
        let request = OpenRequest {
            device_id: aid.clone(),
            origin: String::new(),
            queue_offline: asked.queue_offline,
        };
        let entry = match open_session(cx, &mut tenant, &request, Some(&batch)) {
            Ok((session, _)) => {
                opened += 1;
                let platform = tenant
                    .hosts
                    .get(&aid, cx.now)
                    .map(|host| host.spec.platform)
                    .unwrap_or_default();
                batch_entry(
                    &session.id,
                    "",
                    &aid,
                    "pwd",
                    (working_directory(platform), ""),
                    session.queued,
                    &[],
                )
            }
            Err((_, error)) => batch_entry("", "", &aid, "", ("", ""), false, &[error]),
        };
        resources.insert(aid, entry);
    }
    drop(tenant);
    let (status, batch, errors) = if opened == 0 {
        (
            404,
            String::new(),
            vec![ApiError::new(404, "no successful hosts initialized on RTR")],
        )
    } else {
        (cx.endpoint.success(), batch, Vec::new())
    };
    Ok(encode(
        status,
        &json!({"meta": cx.wrap().meta(), "batch_id": batch, "resources": resources, "errors": errors}),
    ))
}

/// `POST .../batch-command/v1` and `.../batch-active-responder-command/v1`.
///
/// The call answers when every host has, or when its timeout has passed on the twin's clock; hosts that have not
/// answered by then are missing from the reply.
pub(crate) async fn batch_command(cx: &Cx<'_>) -> Result<Reply, Reply> {
    let asked: CommandRequest = cx.body()?;
    check_command(cx, &asked)?;
    let timeout = cx.number("timeout", 30, 600)?;
    let sent = {
        let mut tenant = settled(cx);
        let mut sessions = tenant.rtr.of_batch(&asked.batch_id, &cx.caller.client);
        if sessions.is_empty() {
            return Err(cx.refuse(404, format!("batch {} not found", asked.batch_id)));
        }
        sessions.retain(|session| {
            asked.optional_hosts.is_empty() || asked.optional_hosts.contains(&session.aid)
        });
        let mut sent = Vec::with_capacity(sessions.len());
        for session in sessions {
            if let Some(session) = tenant.rtr.touch(&session.id, &cx.caller.client, cx.now) {
                session.lines.push(asked.command_string.clone());
            }
            sent.push((session.aid.clone(), send(cx, &mut tenant, &session, &asked)));
        }
        sent
    };
    let delay = nanos(cx.shared.tenant().settle.command);
    let longest = i64::try_from(timeout)
        .unwrap_or(600)
        .saturating_mul(1_000_000_000);
    cx.shared
        .clock
        .wait_until(cx.now.saturating_add(delay.min(longest)))
        .await;
    let mut tenant = cx.shared.tenant();
    let Tenant { hosts, rtr, .. } = &mut *tenant;
    rtr.settle(hosts, cx.shared.clock.now_ns());
    let mut resources = Map::new();
    for (aid, id) in sent {
        let Some(command) = rtr.command(&id, &cx.caller.client) else {
            continue;
        };
        let entry = match &command.output {
            Some(output) => {
                let said = (output.stdout.as_str(), output.stderr.as_str());
                batch_entry(
                    &command.session,
                    &command.task_id,
                    &aid,
                    &command.base,
                    said,
                    false,
                    &[],
                )
            }
            None if command.queued => batch_entry(
                &command.session,
                &command.task_id,
                &aid,
                &command.base,
                ("", ""),
                true,
                &[],
            ),
            None => continue,
        };
        resources.insert(aid, entry);
    }
    drop(tenant);
    let errors: [ApiError; 0] = [];
    let body =
        json!({"meta": cx.wrap().meta(), "combined": {"resources": resources}, "errors": errors});
    Ok(encode(cx.endpoint.success(), &body))
}
