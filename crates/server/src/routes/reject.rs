//! `POST /api/v1/actions/{id}/reject`

use quell_model::ActionId;

use crate::Role;
use crate::api::{ActionView, AnswerRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, in_path, order, reason};
use crate::problem::{Code, Refusal};

struct Reject;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/actions/{id}/reject",
    name: "reject_action",
    access: Access::Role(Role::Responder),
    summary: "Says no to an action that waits for a person.",
    details: "A no to an action whose outcome is unknown says that it did not happen. The first answer holds; an action that changed since it was shown has to be looked at again.",
    parameters: &[in_path::<ActionId>("id", "The action's id.")],
    refusals: &[
        Code::InvalidParameter,
        Code::InvalidBody,
        Code::NotFound,
        Code::Changed,
        Code::Refused,
    ],
    ..order::<Reject>()
};

impl Order for Reject {
    type Body = AnswerRequest;
    type Reply = ActionView;
    const ABOUT: &'static str = "The action as it now is.";

    async fn handle(cx: Context, body: AnswerRequest) -> Result<ActionView, Refusal> {
        let (id, person) = (cx.path::<ActionId>("id")?, cx.caller()?);
        let (engine, reason) = (cx.app.engine.clone(), reason(&body.reason)?);
        let answered = detached(async move {
            engine
                .answer(id, &body.shown, &person, false, &reason)
                .await
        });
        Ok(answered.await??.action.into())
    }
}
