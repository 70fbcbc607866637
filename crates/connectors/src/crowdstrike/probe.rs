//! Finds out what the API client may do, changing nothing. Reading permissions are tried by reading
//! one record; writing permissions by a request that asks for nothing to be written, which the
//! vendor refuses as incomplete (400) or unknown (404) once the permission is there.

use quell_connector::http::{Method, Repeat, Request};
use quell_connector::{Call, Check, Error, Kind};
use serde_json::json;

use super::{CrowdStrike, Region, api, dialect};

/// Statuses that say the permission is there.
const ADMITTED: &[u16] = &[400, 404, 405, 409, 422];

pub(super) async fn probe(falcon: &CrowdStrike, cx: &Call) -> Vec<Check> {
    let signed_in = falcon.plane.sign_in(cx).await;
    let mut checks = vec![match &signed_in {
        Ok(grant) => {
            let host = grant.base.host_str().unwrap_or_default();
            let region = Region::at(host);
            let place = region.map_or_else(|| host.to_owned(), |region| region.as_str().to_owned());
            check(
                cx,
                "Sign-in",
                "everything",
                Some(true),
                format!("Signed in at {place}."),
            )
        }
        Err(error) => check(
            cx,
            "Sign-in",
            "everything",
            verdict(error),
            error.to_string(),
        ),
    }];
    if signed_in.is_err() {
        return checks;
    }
    for (operation, used_by, request) in trials(falcon) {
        let Some(name) = dialect::needs(operation) else {
            continue;
        };
        let outcome = match request {
            Ok(request) => falcon.plane.send(cx, request.answers(ADMITTED)).await,
            Err(error) => Err(error),
        };
        checks.push(match outcome {
            Ok(_) => check(cx, name, used_by, Some(true), "Granted.".to_owned()),
            Err(error) if error.kind == Kind::PermissionMissing => {
                let detail =
                    format!("Missing; grant `{name}` to the API client in the Falcon console.");
                check(cx, name, used_by, Some(false), detail)
            }
            Err(error) => {
                let detail = format!("Could not be found out without changing something: {error}.");
                check(cx, name, used_by, None, detail)
            }
        });
    }
    checks
}

/// A failed sign-in is a finding, unless the vendor could not be asked at all.
fn verdict(error: &Error) -> Option<bool> {
    match error.kind {
        Kind::AuthRejected | Kind::ConfigInvalid => Some(false),
        _ => None,
    }
}

fn check(cx: &Call, name: &str, used_by: &str, ok: Option<bool>, detail: String) -> Check {
    Check {
        name: name.to_owned(),
        used_by: used_by.to_owned(),
        ok,
        detail,
        at: cx.clock().now(),
    }
}

type Trial = (&'static str, &'static str, quell_connector::Result<Request>);

fn trials(falcon: &CrowdStrike) -> Vec<Trial> {
    const HOSTS: &str = "contain_host, release_host";
    const HASHES: &str = "block_hash, unblock_hash";
    let nothing = |operation, method, path: &str, body| {
        Request::json(operation, method, path, &body, Repeat::Read)
    };
    let mut trials = vec![
        (
            api::DEVICES_SEARCH,
            "every action on hosts, inventory",
            Ok(Request::get(
                api::DEVICES_SEARCH,
                "/devices/queries/devices/v1?limit=1",
            )),
        ),
        (
            api::DEVICES_CONTAIN,
            HOSTS,
            nothing(
                api::DEVICES_CONTAIN,
                Method::POST,
                "/devices/entities/devices-actions/v2?action_name=contain",
                json!({ "ids": [] }),
            ),
        ),
        (
            api::RTR_OPEN,
            "kill_process",
            Ok(Request::get(
                api::RTR_LIST,
                "/real-time-response/queries/sessions/v1?limit=1",
            )),
        ),
        (
            api::RTR_KILL,
            "kill_process",
            Ok(Request::get(
                api::RTR_KILL_RESULT,
                "/real-time-response/entities/active-responder-command/v1",
            )
            .query("cloud_request_id", "00000000-0000-0000-0000-000000000000")
            .query("sequence_id", "0")),
        ),
        (
            api::IOC_SEARCH,
            HASHES,
            Ok(Request::get(
                api::IOC_SEARCH,
                "/iocs/combined/indicator/v1?limit=1",
            )),
        ),
        (
            api::IOC_DEVICES,
            "block_hash: how common a file is",
            Ok(Request::get(
                api::IOC_DEVICES,
                "/iocs/aggregates/indicators/device-count/v1?type=sha256",
            )
            .query("value", &"0".repeat(64))),
        ),
        (
            api::IOC_UPDATE,
            HASHES,
            nothing(
                api::IOC_UPDATE,
                Method::PATCH,
                "/iocs/entities/indicators/v1",
                json!({ "comment": "", "indicators": [] }),
            ),
        ),
        (
            api::ALERTS_SEARCH,
            "alerts",
            nothing(
                api::ALERTS_SEARCH,
                Method::POST,
                "/alerts/combined/alerts/v1",
                json!({ "limit": 1 }),
            ),
        ),
    ];
    if falcon.write_back {
        trials.push((
            api::ALERTS_UPDATE,
            "status and comments on alerts",
            nothing(
                api::ALERTS_UPDATE,
                Method::PATCH,
                "/alerts/entities/alerts/v3",
                json!({ "composite_ids": [], "action_parameters": [] }),
            ),
        ));
    }
    trials
}
