//! `POST /api/v1/connections/check`

use std::time::Duration;

use futures_util::future::join_all;
use quell_connector::Call;
use quell_engine::Connection;

use crate::Role;
use crate::api::{CheckReply, CheckRequest, ConnectionChecks};
use crate::app::App;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order};
use crate::problem::{Code, Refusal};

/// How long one connection's check may take.
const CALLS: Duration = Duration::from_secs(60);

struct Check;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/connections/check",
    name: "check_connections",
    access: Access::Role(Role::Responder),
    summary: "Finds out what the connections' credentials really allow, changing nothing at the vendors.",
    details: "Asks the vendors now, so it takes a while and counts against their rate limits.",
    refusals: &[Code::InvalidBody, Code::NotFound],
    patience: Duration::from_secs(90),
    ..order::<Check>()
};

impl Order for Check {
    type Body = CheckRequest;
    type Reply = CheckReply;
    const ABOUT: &'static str = "What was found, by connection.";

    async fn handle(cx: Context, body: CheckRequest) -> Result<CheckReply, Refusal> {
        let engine = &cx.app.engine;
        if let Some(unknown) = body
            .connections
            .iter()
            .find(|id| engine.connection(id).is_none())
        {
            let message = format!("there is no connection `{unknown}`");
            return Err(Refusal::new(Code::NotFound, message).path("$.connections"));
        }
        let wanted = |c: &&Connection| {
            body.connections.is_empty() || body.connections.contains(&c.connected.id)
        };
        let checks = engine
            .connections()
            .filter(wanted)
            .map(|c| probe(&cx.app, c));
        Ok(CheckReply {
            connections: join_all(checks).await,
        })
    }
}

async fn probe(app: &App, connection: &Connection) -> ConnectionChecks {
    let call = Call::new(app.engine.clock().clone(), CALLS, "check");
    let checks = connection.connected.probe(&call).await;
    ConnectionChecks {
        connection: connection.connected.id.clone(),
        ok: checks.iter().all(|check| check.ok != Some(false)),
        checks: checks.into_iter().map(Into::into).collect(),
    }
}
