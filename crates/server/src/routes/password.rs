//! `POST /api/v1/actions/{id}/password`

use quell_model::ActionId;

use crate::Role;
use crate::api::{PasswordRequest, PasswordView};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, in_path, order};
use crate::problem::{Code, Refusal};

struct Password;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/actions/{id}/password",
    name: "show_password",
    access: Access::Role(Role::Responder),
    summary: "Shows the temporary password that an action set, once.",
    details: "Policy says which role is shown passwords (`[passwords] shown_to`). Who saw it is recorded and told; then it is gone.",
    parameters: &[in_path::<ActionId>("id", "The action's id.")],
    refusals: &[
        Code::InvalidParameter,
        Code::InvalidBody,
        Code::NotFound,
        Code::Refused,
    ],
    ..order::<Password>()
};

impl Order for Password {
    type Body = PasswordRequest;
    type Reply = PasswordView;
    const ABOUT: &'static str = "The password. It is not kept any more.";

    async fn handle(cx: Context, _: PasswordRequest) -> Result<PasswordView, Refusal> {
        let (id, person) = (cx.path::<ActionId>("id")?, cx.caller()?);
        let engine = cx.app.engine.clone();
        let shown = detached(async move { engine.show_password(id, &person).await }).await??;
        Ok(PasswordView {
            action: id,
            account: shown.action.target.to_string(),
            password: shown.password.expose().to_owned(),
        })
    }
}
