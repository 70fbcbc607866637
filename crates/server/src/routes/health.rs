//! `GET /healthz`

use crate::api::HealthView;
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, read};
use crate::problem::Refusal;

struct Health;

pub(super) const ROUTE: Route = Route {
    path: "/healthz",
    name: "health",
    access: Access::Public,
    summary: "Says that the process answers. Looks at nothing else.",
    ..read::<Health>()
};

impl Read for Health {
    type Reply = HealthView;
    const ABOUT: &'static str = "It answers.";

    async fn handle(_: Context) -> Result<HealthView, Refusal> {
        Ok(ok())
    }
}

pub(super) fn ok() -> HealthView {
    HealthView {
        status: "ok".to_owned(),
    }
}
