//! `GET /readyz`

use super::health::ok;
use crate::api::HealthView;
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, read};
use crate::problem::{Code, Refusal};

struct Ready;

pub(super) const ROUTE: Route = Route {
    path: "/readyz",
    name: "ready",
    access: Access::Public,
    summary: "Says whether alerts can be taken in: whether the database answers.",
    refusals: &[Code::StoreUnavailable],
    ..read::<Ready>()
};

impl Read for Ready {
    type Reply = HealthView;
    const ABOUT: &'static str = "Alerts can be taken in.";

    async fn handle(cx: Context) -> Result<HealthView, Refusal> {
        cx.app.engine.store().ping().await?;
        Ok(ok())
    }
}
