//! `POST /api/v1/automation/opt-out`

use super::automation;
use crate::Role;
use crate::api::{AutomationView, OptOutRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order, reason};
use crate::problem::{Code, Refusal};

struct OptOut;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/automation/opt-out",
    name: "opt_out",
    access: Access::Role(Role::Responder),
    summary: "Puts an action type back into shadow mode, at once and for queued work too.",
    details: "A responder may, because whoever is on duty must be able to stop it.",
    refusals: &[Code::InvalidBody],
    ..order::<OptOut>()
};

impl Order for OptOut {
    type Body = OptOutRequest;
    type Reply = AutomationView;
    const ABOUT: &'static str = "Automation as it now is.";

    async fn handle(cx: Context, body: OptOutRequest) -> Result<AutomationView, Refusal> {
        let (engine, person) = (cx.app.engine.clone(), cx.person()?);
        let (action, reason) = (body.action, reason(&body.reason)?);
        detached(async move { engine.opt_out(action, &person, &reason).await }).await??;
        automation::view(&cx.app.engine).await
    }
}
