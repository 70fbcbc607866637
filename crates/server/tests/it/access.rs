//! Who may do what. The cases are written out by hand, so that a change of the table shows here.

use std::collections::BTreeMap;

use axum::body::Body;
use quell_server::{Access, Role, routes};

use crate::app::{ADMINISTRATOR, DESK, RESPONDER, TestApp, VIEWER, request};

const PUBLIC: Access = Access::Public;
const VIEW: Access = Access::Role(Role::Viewer);
const RESPOND: Access = Access::Role(Role::Responder);
const ADMINISTER: Access = Access::Role(Role::Administrator);

const ACTION: &str = "/api/v1/actions/act_01930000000070008000000000000001";

/// Route, a path to ask for, a body, and who may.
const CASES: &[(&str, &str, &str, Access)] = &[
    (
        "POST /api/v1/intake/{connection}",
        "/api/v1/intake/desk",
        "{}",
        Access::Intake,
    ),
    (
        "POST /api/v1/hooks/{connection}",
        "/api/v1/hooks/desk",
        "{}",
        Access::Vendor,
    ),
    (
        "GET /api/v1/hooks/{connection}",
        "/api/v1/hooks/desk",
        "",
        Access::Vendor,
    ),
    (
        "POST /api/v1/actions/{id}/password",
        "/api/v1/actions/act_01930000000070008000000000000001/password",
        "{}",
        RESPOND,
    ),
    ("GET /api/v1/actions", "/api/v1/actions", "", VIEW),
    ("GET /api/v1/actions/{id}", ACTION, "", VIEW),
    (
        "POST /api/v1/actions/{id}/approve",
        "/api/v1/actions/act_01930000000070008000000000000001/approve",
        "{}",
        RESPOND,
    ),
    (
        "POST /api/v1/actions/{id}/reject",
        "/api/v1/actions/act_01930000000070008000000000000001/reject",
        "{}",
        RESPOND,
    ),
    (
        "POST /api/v1/actions/{id}/revert",
        "/api/v1/actions/act_01930000000070008000000000000001/revert",
        "{}",
        RESPOND,
    ),
    (
        "GET /api/v1/incidents/{id}",
        "/api/v1/incidents/inc_01930000000070008000000000000001",
        "",
        VIEW,
    ),
    ("GET /api/v1/automation", "/api/v1/automation", "", VIEW),
    (
        "POST /api/v1/automation/pause",
        "/api/v1/automation/pause",
        "{}",
        RESPOND,
    ),
    (
        "POST /api/v1/automation/resume",
        "/api/v1/automation/resume",
        "{}",
        ADMINISTER,
    ),
    (
        "POST /api/v1/automation/opt-in",
        "/api/v1/automation/opt-in",
        "{}",
        ADMINISTER,
    ),
    (
        "POST /api/v1/automation/opt-out",
        "/api/v1/automation/opt-out",
        "{}",
        RESPOND,
    ),
    ("GET /api/v1/connections", "/api/v1/connections", "", VIEW),
    (
        "POST /api/v1/connections/check",
        "/api/v1/connections/check",
        "{}",
        RESPOND,
    ),
    (
        "POST /api/v1/policy/backtest",
        "/api/v1/policy/backtest",
        "{}",
        RESPOND,
    ),
    ("GET /api/v1/lists", "/api/v1/lists", "", VIEW),
    ("POST /api/v1/lists", "/api/v1/lists", "{}", RESPOND),
    (
        "DELETE /api/v1/lists/{id}",
        "/api/v1/lists/lst_01930000000070008000000000000001",
        "{}",
        ADMINISTER,
    ),
    (
        "GET /api/v1/lists/history",
        "/api/v1/lists/history",
        "",
        VIEW,
    ),
    (
        "POST /api/v1/policy/apply",
        "/api/v1/policy/apply",
        "{}",
        ADMINISTER,
    ),
    (
        "GET /was-it-you/{token}",
        "/was-it-you/0123456789abcdef",
        "",
        PUBLIC,
    ),
    (
        "GET /was-it-you/callback",
        "/was-it-you/callback",
        "",
        PUBLIC,
    ),
    (
        "POST /was-it-you/{token}",
        "/was-it-you/0123456789abcdef",
        "",
        PUBLIC,
    ),
    ("GET /api/v1/events", "/api/v1/events", "", VIEW),
    ("GET /metrics", "/metrics", "", VIEW),
    ("GET /healthz", "/healthz", "", PUBLIC),
    ("GET /readyz", "/readyz", "", PUBLIC),
    ("GET /api/openapi.json", "/api/openapi.json", "", PUBLIC),
];

#[test]
fn every_route_has_a_case_and_every_case_a_route() {
    let written: BTreeMap<_, _> = CASES
        .iter()
        .map(|(route, _, _, access)| ((*route).to_owned(), *access))
        .collect();
    let table: BTreeMap<_, _> = routes()
        .iter()
        .map(|route| {
            (
                format!("{} {}", route.verb.as_str(), route.path),
                route.access,
            )
        })
        .collect();
    assert_eq!(written, table);
    assert_eq!(table.len(), routes().len(), "two rows for one route");
}

#[tokio::test]
async fn every_route_admits_precisely_whom_the_table_says() {
    let app = TestApp::new();
    for (route, path, body, access) in CASES {
        let (method, _) = route.split_once(' ').unwrap();
        for (caller, token) in [
            ("nobody", ""),
            ("a stranger", "not-a-token-0123456789"),
            ("viewer", VIEWER),
            ("responder", RESPONDER),
            ("administrator", ADMINISTRATOR),
            ("intake", DESK),
        ] {
            let known = !matches!(caller, "nobody" | "a stranger");
            let expected = match access {
                Access::Public => None,
                // No token is a vendor's signature.
                Access::Vendor => Some(401),
                _ if !known => Some(401),
                Access::Intake => (caller != "intake").then_some(403),
                Access::Role(role) => {
                    let admitted = match caller {
                        "viewer" => *role == Role::Viewer,
                        "responder" => *role <= Role::Responder,
                        "administrator" => true,
                        _ => false,
                    };
                    (!admitted).then_some(403)
                }
            };
            let request = request(method, path, token).header("content-type", "application/json");
            let request = request.body(Body::from(*body)).unwrap();
            // Events never end, so only the head of the answer is looked at.
            let response = tower::ServiceExt::oneshot(app.router.clone(), request)
                .await
                .unwrap();
            let status = response.status().as_u16();
            match expected {
                Some(refused) => assert_eq!(status, refused, "{route} for {caller}"),
                // What is asked for need not exist; the caller got as far as being told so.
                None => assert!(
                    !matches!(status, 401 | 403 | 405),
                    "{route} for {caller}: {status}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn a_refusal_says_what_is_missing_and_not_more() {
    let app = TestApp::new();
    let nobody = app.get("", "/api/v1/actions").await;
    assert_eq!(
        (nobody.status.as_u16(), nobody.code()),
        (401, "unauthorized")
    );
    assert_eq!(nobody.headers["www-authenticate"], "Bearer");
    let viewer = app
        .post(VIEWER, "/api/v1/automation/resume", serde_json::json!({}))
        .await;
    assert_eq!((viewer.status.as_u16(), viewer.code()), (403, "forbidden"));
    assert_eq!(
        viewer.body["message"],
        "this needs the role administrator; this token's role is viewer"
    );
    let intake = app.get(DESK, "/api/v1/actions").await;
    assert_eq!(
        intake.body["message"],
        "this token belongs to a connection, which may only push alerts"
    );
}
