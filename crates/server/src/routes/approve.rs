//! `POST /api/v1/actions/{id}/approve`

use quell_model::ActionId;

use crate::Role;
use crate::api::{ActionView, AnswerRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, in_path, order, reason};
use crate::problem::{Code, Refusal};

struct Approve;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/actions/{id}/approve",
    name: "approve_action",
    access: Access::Role(Role::Responder),
    summary: "Says yes to an action that waits for a person.",
    details: "A yes to an action whose outcome is unknown confirms that it happened. Where policy asks for two people, or the person has said yes very often within the hour, the action goes on waiting for a second one. A no holds at once; an action that changed since it was shown has to be looked at again.",
    parameters: &[in_path::<ActionId>("id", "The action's id.")],
    refusals: &[
        Code::InvalidParameter,
        Code::InvalidBody,
        Code::NotFound,
        Code::Changed,
        Code::Refused,
    ],
    ..order::<Approve>()
};

impl Order for Approve {
    type Body = AnswerRequest;
    type Reply = ActionView;
    const ABOUT: &'static str = "The action as it now is.";

    async fn handle(cx: Context, body: AnswerRequest) -> Result<ActionView, Refusal> {
        let (id, person) = (cx.path::<ActionId>("id")?, cx.caller()?);
        let (engine, reason) = (cx.app.engine.clone(), reason(&body.reason)?);
        let answered =
            detached(async move { engine.answer(id, &body.shown, &person, true, &reason).await });
        Ok(answered.await??.action.into())
    }
}
