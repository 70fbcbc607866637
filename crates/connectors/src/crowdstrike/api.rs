//! One function per endpoint: the request, what may be repeated, and how its reply is decoded.

use quell_connector::http::{Body, Method, Plane, Repeat, Reply, Request};
use quell_connector::{Call, Error, Kind, Result};
use serde::de::DeserializeOwned;

use super::wire::{self, ApiError, Envelope};

pub(super) const DEVICES_SEARCH: &str = "devices.search";
pub(super) const DEVICES_READ: &str = "devices.read";
pub(super) const DEVICES_ONLINE: &str = "devices.online";
pub(super) const DEVICES_CONTAIN: &str = "devices.contain";
pub(super) const DEVICES_LIFT: &str = "devices.lift_containment";
pub(super) const RTR_OPEN: &str = "rtr.open";
pub(super) const RTR_CLOSE: &str = "rtr.close";
pub(super) const RTR_LIST: &str = "rtr.ps";
pub(super) const RTR_LIST_RESULT: &str = "rtr.ps_result";
pub(super) const RTR_KILL: &str = "rtr.kill";
pub(super) const RTR_KILL_RESULT: &str = "rtr.kill_result";
pub(super) const IOC_SEARCH: &str = "ioc.search";
pub(super) const IOC_DEVICES: &str = "ioc.devices";
pub(super) const IOC_CREATE: &str = "ioc.create";
pub(super) const IOC_UPDATE: &str = "ioc.update";
pub(super) const IOC_DELETE: &str = "ioc.delete";
pub(super) const ALERTS_SEARCH: &str = "alerts.search";
pub(super) const ALERTS_READ: &str = "alerts.read";
pub(super) const ALERTS_UPDATE: &str = "alerts.update";

/// A decoded reply with what went with it.
pub(super) struct Answer<T> {
    pub(super) resources: Vec<T>,
    pub(super) errors: Vec<ApiError>,
    pub(super) meta: wire::Meta,
    pub(super) reply: Reply,
}

impl<T> Answer<T> {
    /// The first error, as an error of the whole call.
    pub(super) fn failure(&self, wrote: bool) -> Option<Error> {
        self.errors
            .first()
            .map(|error| error.meaning(&self.reply, wrote))
    }

    /// The only resource; an error when the reply reports one or holds none.
    pub(super) fn one(mut self, wrote: bool) -> Result<T> {
        if let Some(error) = self.failure(wrote) {
            return Err(error);
        }
        if self.resources.is_empty() {
            return Err(unreadable(
                &self.reply,
                wrote,
                "the vendor's reply holds no result",
            ));
        }
        Ok(self.resources.swap_remove(0))
    }
}

/// A reply that says nothing of what was asked. After a write, only reading can tell.
pub(super) fn unreadable(reply: &Reply, wrote: bool, detail: &str) -> Error {
    let kind = if wrote {
        Kind::MaybeApplied
    } else {
        Kind::ReplyUnreadable
    };
    Error::new(kind, reply.operation, detail).request_id(reply.request_id.clone())
}

async fn ask<T: DeserializeOwned>(plane: &Plane, cx: &Call, request: Request) -> Result<Answer<T>> {
    let wrote = request.repeat != Repeat::Read;
    let reply = plane.send(cx, request).await?;
    let envelope: Envelope<T> = reply.json().map_err(|mut error| {
        // The status said yes, so the write may well have happened.
        if wrote && error.kind == Kind::ReplyUnreadable {
            error.kind = Kind::MaybeApplied;
        }
        error
    })?;
    Ok(Answer {
        resources: envelope.resources.unwrap_or_default(),
        errors: envelope.errors.0,
        meta: envelope.meta,
        reply,
    })
}

/// A page of device ids; `limit` is at most 5000, and `offset` with it at most 10 000. Sorted by
/// what does not change while hosts report.
pub(super) async fn search_devices(
    plane: &Plane,
    cx: &Call,
    filter: Option<&str>,
    limit: usize,
    offset: usize,
) -> Result<Answer<super::lenient::Text>> {
    let mut request = Request::get(DEVICES_SEARCH, "/devices/queries/devices/v1")
        .query("limit", &limit.to_string())
        .query("offset", &offset.to_string())
        .query("sort", "device_id.asc");
    if let Some(filter) = filter {
        request = request.query("filter", filter);
    }
    ask(plane, cx, request).await
}

/// Device records; at most 5000 ids.
pub(super) async fn read_devices(
    plane: &Plane,
    cx: &Call,
    ids: &[String],
) -> Result<Answer<wire::Device>> {
    let path = "/devices/entities/devices/v2";
    let body = wire::Ids { ids };
    let request = Request::json(DEVICES_READ, Method::POST, path, &body, Repeat::Read)?;
    ask(plane, cx, request.answers(&[404])).await
}

/// Contains hosts or lifts their containment; at most 100 ids. When no host was accepted the status
/// is an error's, and the body still tells the hosts apart.
pub(super) async fn act_on_devices(
    plane: &Plane,
    cx: &Call,
    operation: &'static str,
    ids: &[String],
) -> Result<Answer<wire::Accepted>> {
    let name = if operation == DEVICES_CONTAIN {
        "contain"
    } else {
        "lift_containment"
    };
    let path = "/devices/entities/devices-actions/v2";
    let body = wire::Ids { ids };
    let request = Request::json(operation, Method::POST, path, &body, Repeat::Idempotent)?;
    let request = request.query("action_name", name).answers(&[400, 404, 409]);
    ask(plane, cx, request).await
}

/// Whether a host talks to the cloud.
pub(super) async fn online_state(
    plane: &Plane,
    cx: &Call,
    id: &str,
) -> Result<Answer<wire::OnlineState>> {
    let path = "/devices/entities/online-state/v1";
    ask(
        plane,
        cx,
        Request::get(DEVICES_ONLINE, path).query("ids", id),
    )
    .await
}

/// Opens a session on a host, or joins the one this client has. Never queues for an offline host. A
/// session by itself changes nothing, so losing the reply leaves no doubt about the host. The vendor
/// gives up on the sensor before our own limit for a call is reached.
pub(super) async fn open_session(
    plane: &Plane,
    cx: &Call,
    device_id: &str,
) -> Result<wire::Session> {
    let path = "/real-time-response/entities/sessions/v1?timeout=20&timeout_duration=20s";
    let body = wire::OpenSession {
        device_id,
        origin: "quell",
        queue_offline: false,
    };
    let request = Request::json(RTR_OPEN, Method::POST, path, &body, Repeat::Read)?;
    ask(plane, cx, request).await?.one(false)
}

/// Ends a session.
pub(super) async fn close_session(plane: &Plane, cx: &Call, session_id: &str) -> Result<()> {
    let path = "/real-time-response/entities/sessions/v1";
    let request = Request::new(
        RTR_CLOSE,
        Method::DELETE,
        path,
        Body::Empty,
        Repeat::Idempotent,
    );
    let request = request.query("session_id", session_id).answers(&[404]);
    plane.send(cx, request).await.map(|_| ())
}

/// Sends `ps`, which changes nothing.
pub(super) async fn send_ps(
    plane: &Plane,
    cx: &Call,
    session_id: &str,
    device_id: &str,
) -> Result<wire::CommandAccepted> {
    let path = "/real-time-response/entities/command/v1";
    let body = command("ps", "ps", session_id, device_id);
    let request = Request::json(RTR_LIST, Method::POST, path, &body, Repeat::Read)?;
    ask(plane, cx, request).await?.one(false)
}

/// Sends `kill`. Never repeated once it may have arrived: by then the pid may be another process's.
pub(super) async fn send_kill(
    plane: &Plane,
    cx: &Call,
    session_id: &str,
    device_id: &str,
    pid: u32,
) -> Result<wire::CommandAccepted> {
    let path = "/real-time-response/entities/active-responder-command/v1";
    let line = format!("kill {pid}");
    let body = command("kill", &line, session_id, device_id);
    let request = Request::json(RTR_KILL, Method::POST, path, &body, Repeat::Once)?;
    ask(plane, cx, request).await?.one(true)
}

fn command<'a>(
    base_command: &'a str,
    command_string: &'a str,
    session_id: &'a str,
    device_id: &'a str,
) -> wire::Command<'a> {
    wire::Command {
        base_command,
        command_string,
        session_id,
        device_id,
        id: 0,
        persist: true,
    }
}

/// Where a command stands, and one piece of its output.
pub(super) async fn command_status(
    plane: &Plane,
    cx: &Call,
    operation: &'static str,
    cloud_request_id: &str,
    sequence: u32,
) -> Result<wire::CommandStatus> {
    let path = if operation == RTR_KILL_RESULT {
        "/real-time-response/entities/active-responder-command/v1"
    } else {
        "/real-time-response/entities/command/v1"
    };
    let request = Request::get(operation, path)
        .query("cloud_request_id", cloud_request_id)
        .query("sequence_id", &sequence.to_string());
    ask(plane, cx, request).await?.one(false)
}

/// Custom indicators for one value. Both parts of the filter are ours: the type's name and a value
/// of hexadecimal digits.
pub(super) async fn search_indicators(
    plane: &Plane,
    cx: &Call,
    kind: &str,
    value: &str,
) -> Result<Answer<wire::Indicator>> {
    let filter = format!("type:'{kind}'+value:'{value}'");
    let request = Request::get(IOC_SEARCH, "/iocs/combined/indicator/v1")
        .query("filter", &filter)
        .query("limit", "100");
    ask(plane, cx, request).await
}

/// On how many hosts an indicator has been seen. One value a request is all the vendor takes.
pub(super) async fn count_devices(
    plane: &Plane,
    cx: &Call,
    kind: &str,
    value: &str,
) -> Result<Answer<wire::DeviceCount>> {
    let path = "/iocs/aggregates/indicators/device-count/v1";
    let request = Request::get(IOC_DEVICES, path)
        .query("type", kind)
        .query("value", value);
    ask(plane, cx, request).await
}

/// Makes an indicator. The vendor keeps at most one for a type and value and refuses another, so
/// repeating does no harm.
pub(super) async fn create_indicator(
    plane: &Plane,
    cx: &Call,
    comment: &str,
    indicator: wire::NewIndicator<'_>,
) -> Result<Answer<wire::Indicator>> {
    let path = "/iocs/entities/indicators/v1?retrodetects=false&ignore_warnings=false";
    let body = wire::Indicators {
        comment,
        indicators: [indicator],
    };
    let request = Request::json(IOC_CREATE, Method::POST, path, &body, Repeat::Idempotent)?;
    ask(plane, cx, request.answers(&[400, 409])).await
}

/// Changes an indicator.
pub(super) async fn update_indicator(
    plane: &Plane,
    cx: &Call,
    comment: &str,
    indicator: wire::ChangedIndicator<'_>,
) -> Result<Answer<wire::Indicator>> {
    let path = "/iocs/entities/indicators/v1";
    let body = wire::Indicators {
        comment,
        indicators: [indicator],
    };
    let request = Request::json(IOC_UPDATE, Method::PATCH, path, &body, Repeat::Idempotent)?;
    ask(plane, cx, request.answers(&[400])).await
}

/// Removes indicators by id. The endpoint's `filter` parameter overrides the ids and is never sent.
pub(super) async fn delete_indicators(
    plane: &Plane,
    cx: &Call,
    comment: &str,
    ids: &[&str],
) -> Result<Answer<super::lenient::Text>> {
    let path = "/iocs/entities/indicators/v1";
    let mut request = Request::new(
        IOC_DELETE,
        Method::DELETE,
        path,
        Body::Empty,
        Repeat::Idempotent,
    );
    for id in ids {
        request = request.query("ids", id);
    }
    ask(plane, cx, request.query("comment", comment).answers(&[404])).await
}

/// One page of alert documents, oldest change first.
pub(super) async fn search_alerts(
    plane: &Plane,
    cx: &Call,
    filter: &str,
    limit: u16,
    after: Option<&str>,
) -> Result<(wire::Alerts, Reply)> {
    let body = wire::AlertSearch {
        filter,
        sort: "updated_timestamp|asc",
        limit,
        after,
    };
    let path = "/alerts/combined/alerts/v1";
    let request = Request::json(ALERTS_SEARCH, Method::POST, path, &body, Repeat::Read)?;
    alerts(plane, cx, request).await
}

/// Alert documents by composite id; at most 1000.
pub(super) async fn read_alerts(
    plane: &Plane,
    cx: &Call,
    ids: &[&str],
) -> Result<(wire::Alerts, Reply)> {
    let body = wire::CompositeIds {
        composite_ids: ids,
        action_parameters: &[],
    };
    let path = "/alerts/entities/alerts/v2";
    let request = Request::json(ALERTS_READ, Method::POST, path, &body, Repeat::Read)?;
    alerts(plane, cx, request.answers(&[404])).await
}

/// A page of whole documents is larger than any other reply.
const ALERTS_LIMIT: usize = 128 << 20;

async fn alerts(plane: &Plane, cx: &Call, request: Request) -> Result<(wire::Alerts, Reply)> {
    let reply = plane.send(cx, request.reply_limit(ALERTS_LIMIT)).await?;
    Ok((reply.json()?, reply))
}

/// Changes an alert. Setting a status or a tag twice is the same as once; appending a comment is not.
pub(super) async fn update_alert(
    plane: &Plane,
    cx: &Call,
    id: &str,
    parameters: &[wire::ActionParameter<'_>],
) -> Result<Answer<serde::de::IgnoredAny>> {
    let body = wire::CompositeIds {
        composite_ids: &[id],
        action_parameters: parameters,
    };
    let appends = parameters
        .iter()
        .any(|parameter| parameter.name == "append_comment");
    let repeat = if appends {
        Repeat::Once
    } else {
        Repeat::Idempotent
    };
    let path = "/alerts/entities/alerts/v3";
    ask(
        plane,
        cx,
        Request::json(ALERTS_UPDATE, Method::PATCH, path, &body, repeat)?,
    )
    .await
}
