//! `POST /api/v1/automation/opt-in`

use super::automation;
use crate::Role;
use crate::api::{AutomationView, OptInRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order};
use crate::problem::{Code, Refusal};

struct OptIn;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/automation/opt-in",
    name: "opt_in",
    access: Access::Role(Role::Administrator),
    summary: "Lets Quell do an action type that was in shadow mode.",
    details: "The text agreed to, who agreed and when are recorded.",
    refusals: &[Code::InvalidBody, Code::Refused],
    ..order::<OptIn>()
};

impl Order for OptIn {
    type Body = OptInRequest;
    type Reply = AutomationView;
    const ABOUT: &'static str = "Automation as it now is.";

    async fn handle(cx: Context, body: OptInRequest) -> Result<AutomationView, Refusal> {
        let (engine, person) = (cx.app.engine.clone(), cx.person()?);
        let OptInRequest { action, agreed } = body;
        detached(async move { engine.opt_in(action, &person, &agreed).await }).await??;
        automation::view(&cx.app.engine).await
    }
}
