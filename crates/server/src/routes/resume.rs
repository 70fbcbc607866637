//! `POST /api/v1/automation/resume`

use super::automation;
use crate::Role;
use crate::api::{AutomationView, ResumeRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order};
use crate::problem::{Code, Refusal};

struct Resume;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/automation/resume",
    name: "resume_automation",
    access: Access::Role(Role::Administrator),
    summary: "Lets actions run again, those that queued up included.",
    refusals: &[Code::InvalidBody],
    ..order::<Resume>()
};

impl Order for Resume {
    type Body = ResumeRequest;
    type Reply = AutomationView;
    const ABOUT: &'static str = "Automation as it now is.";

    async fn handle(cx: Context, body: ResumeRequest) -> Result<AutomationView, Refusal> {
        let (engine, person) = (cx.app.engine.clone(), cx.person()?);
        detached(async move { engine.resume(body.connection.as_ref(), &person).await }).await??;
        automation::view(&cx.app.engine).await
    }
}
