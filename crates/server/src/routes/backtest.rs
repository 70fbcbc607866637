//! `POST /api/v1/policy/backtest`

use std::time::Duration;

use quell_engine::backtest::{Backtest, BacktestError, Report};

use crate::Role;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order};
use crate::problem::{Code, Refusal};

struct Replay;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/policy/backtest",
    name: "backtest_policy",
    access: Access::Role(Role::Responder),
    summary: "Says what a changed policy would have decided about the stored alerts, beside the one in force.",
    details: "Nothing is written and no vendor is called. It keeps a processor busy for a while, so there is one at a time.",
    refusals: &[Code::InvalidBody, Code::Overloaded, Code::StoreUnavailable],
    patience: Duration::from_secs(300),
    ..order::<Replay>()
};

impl Order for Replay {
    type Body = Backtest;
    type Reply = Report;
    const ABOUT: &'static str = "Where the new policy decides otherwise.";
    /// A policy folder with its lists.
    const LIMIT: usize = 16 << 20;

    async fn handle(cx: Context, body: Backtest) -> Result<Report, Refusal> {
        let _turn = cx
            .app
            .backtests
            .try_acquire()
            .map_err(|_| Refusal::overloaded())?;
        cx.app
            .engine
            .backtest(body)
            .await
            .map_err(|error| match error {
                BacktestError::Policy(wrong) => {
                    let first = wrong.iter().next().map(ToString::to_string);
                    let message = format!("$.policy: {}", first.unwrap_or_default());
                    Refusal::new(Code::InvalidBody, message).path("$.policy")
                }
                BacktestError::Store(error) => error.into(),
                error @ BacktestError::Interrupted => Refusal::internal(error),
            })
    }
}
