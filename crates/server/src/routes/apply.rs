//! `POST /api/v1/policy/apply`

use std::time::Duration;

use crate::Role;
use crate::api::{AppliedView, ApplyRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order};
use crate::problem::{Code, Refusal};

struct Apply;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/policy/apply",
    name: "apply_policy",
    access: Access::Role(Role::Administrator),
    summary: "Reads the configuration and the policy folder again and puts them in force.",
    details: "Nothing is sent: the server reads what is written down where it runs. What does not load changes nothing. Whoever puts a changed rule in force cannot approve by it for a while.",
    refusals: &[
        Code::InvalidBody,
        Code::InvalidPolicy,
        Code::Refused,
        Code::StoreUnavailable,
    ],
    patience: Duration::from_secs(60),
    ..order::<Apply>()
};

impl Order for Apply {
    type Body = ApplyRequest;
    type Reply = AppliedView;
    const ABOUT: &'static str = "What is in force now.";

    async fn handle(cx: Context, ApplyRequest {}: ApplyRequest) -> Result<AppliedView, Refusal> {
        let (app, person) = (cx.app.clone(), cx.person()?);
        let read = app.read_rules.clone().ok_or_else(|| {
            let message = "this server was started without a configuration to read again";
            Refusal::new(Code::Refused, message)
        })?;
        let applied = detached(async move {
            let _alone = app.applying.lock().await;
            let rules = tokio::task::spawn_blocking(move || (read.0)())
                .await
                .map_err(Refusal::internal)?
                .map_err(Refusal::policy)?;
            let (count, entries) = (rules.policy.rules().len(), rules.guardrails.entries());
            let changed = app.engine.put_in_force(rules, Some(&person)).await?;
            tracing::info!(
                by = person,
                rules = count,
                changed = changed.len(),
                "a changed policy is in force"
            );
            Ok::<_, Refusal>(AppliedView {
                rules: count,
                list_entries: entries,
                changed,
            })
        });
        applied.await?
    }
}
