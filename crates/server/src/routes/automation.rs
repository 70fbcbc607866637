//! `GET /api/v1/automation`

use jiff::Timestamp;
use quell_engine::Engine;
use serde::Deserialize;

use crate::Role;
use crate::api::{AutomationView, OptInView};
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, read};
use crate::problem::Refusal;

struct Show;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/automation",
    name: "show_automation",
    access: Access::Role(Role::Viewer),
    summary: "Says whether Quell acts, and on what.",
    ..read::<Show>()
};

impl Read for Show {
    type Reply = AutomationView;
    const ABOUT: &'static str = "Whether automation is paused, and what is opted in.";

    async fn handle(cx: Context) -> Result<AutomationView, Refusal> {
        view(&cx.app.engine).await
    }
}

/// What the store keeps while automation is paused.
#[derive(Deserialize)]
struct Pause {
    by: Option<String>,
    reason: Option<String>,
    at: Option<Timestamp>,
}

pub(super) async fn view(engine: &Engine) -> Result<AutomationView, Refusal> {
    let paused = engine.store().paused().await?;
    // An unreadable note of who paused it does not make it any less paused.
    let pause = paused
        .clone()
        .and_then(|note| Pause::deserialize(note).ok());
    let (by, reason, at) = pause.map_or((None, None, None), |p| (p.by, p.reason, p.at));
    let opted_in = engine
        .rules()
        .guardrails
        .opted_in
        .iter()
        .map(|(action, opt_in)| OptInView {
            action: *action,
            by: opt_in.by.clone(),
            at: opt_in.at,
        })
        .collect();
    Ok(AutomationView {
        paused: paused.is_some(),
        by,
        reason,
        at,
        opted_in,
    })
}
