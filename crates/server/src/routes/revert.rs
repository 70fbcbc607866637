//! `POST /api/v1/actions/{id}/revert`

use quell_model::ActionId;

use crate::Role;
use crate::api::{ActionView, RevertRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, in_path, order, reason};
use crate::problem::{Code, Refusal};

struct Revert;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/actions/{id}/revert",
    name: "revert_action",
    access: Access::Role(Role::Responder),
    summary: "Orders an action to be taken back.",
    details: "The answer comes when the order is durable; the action is then `reverting`. What Quell did not do is not taken back.",
    parameters: &[in_path::<ActionId>("id", "The action's id.")],
    refusals: &[
        Code::InvalidParameter,
        Code::InvalidBody,
        Code::NotFound,
        Code::Changed,
        Code::Refused,
    ],
    ..order::<Revert>()
};

impl Order for Revert {
    type Body = RevertRequest;
    type Reply = ActionView;
    const ABOUT: &'static str = "The action as it now is.";

    async fn handle(cx: Context, body: RevertRequest) -> Result<ActionView, Refusal> {
        let (id, person) = (cx.path::<ActionId>("id")?, cx.person()?);
        let (engine, reason) = (cx.app.engine.clone(), reason(&body.reason)?);
        let ordered = detached(async move {
            engine
                .revert(id, &person, &reason, body.even_if_unclear)
                .await
        });
        Ok(ordered.await??.action.into())
    }
}
