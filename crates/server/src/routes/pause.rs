//! `POST /api/v1/automation/pause`

use super::automation;
use crate::Role;
use crate::api::{AutomationView, PauseRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order, reason};
use crate::problem::{Code, Refusal};

struct Pause;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/automation/pause",
    name: "pause_automation",
    access: Access::Role(Role::Responder),
    summary: "Stops all actions, or those through one connection, queued ones included. Alerts are still taken in.",
    details: "A responder may pause, because whoever is on duty must be able to stop it; only an administrator may resume.",
    refusals: &[Code::InvalidBody, Code::Refused],
    ..order::<Pause>()
};

impl Order for Pause {
    type Body = PauseRequest;
    type Reply = AutomationView;
    const ABOUT: &'static str = "Automation as it now is.";

    async fn handle(cx: Context, body: PauseRequest) -> Result<AutomationView, Refusal> {
        let (person, reason) = (cx.person()?, reason(&body.reason)?);
        let (engine, connection) = (cx.app.engine.clone(), body.connection);
        detached(async move { engine.pause(connection.as_ref(), &person, &reason).await })
            .await??;
        automation::view(&cx.app.engine).await
    }
}
