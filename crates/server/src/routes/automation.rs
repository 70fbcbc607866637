//! `GET /api/v1/automation`

use jiff::Timestamp;
use quell_engine::{Engine, agreement};
use quell_model::ActionType;
use serde::Deserialize;

use crate::Role;
use crate::api::{AutomationView, OfferView, OptInChangeView, OptInView, PauseView};
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
    const ABOUT: &'static str = "Whether automation is paused, and what is opted in to.";

    async fn handle(cx: Context) -> Result<AutomationView, Refusal> {
        view(&cx.app.engine).await
    }
}

/// What the store keeps while something is paused.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Note {
    by: Option<String>,
    reason: Option<String>,
    at: Option<Timestamp>,
}

pub(super) async fn view(engine: &Engine) -> Result<AutomationView, Refusal> {
    let store = engine.store();
    let (mut everything, mut paused_connections) = (None, Vec::new());
    for (connection, note) in store.pauses().await? {
        // An unreadable note of who paused it does not make it any less paused.
        let note = Note::deserialize(note).unwrap_or_default();
        match connection {
            None => everything = Some(note),
            Some(connection) => paused_connections.push(PauseView {
                connection,
                by: note.by,
                reason: note.reason,
                at: note.at,
            }),
        }
    }
    let paused = everything.is_some();
    let Note { by, reason, at } = everything.unwrap_or_default();
    let opted_in = engine.opted_in();
    let offered = |action: &ActionType| {
        let effect = action.effect();
        let mut connections = engine.connections();
        !opted_in.allow(*action) && connections.any(|c| c.connected.facts(effect).is_some())
    };
    let offer = |action: &ActionType| {
        let text = agreement(*action)?;
        Some(OfferView {
            action: *action,
            text,
        })
    };
    let changes = store.opt_ins(engine.organization()).await?;
    Ok(AutomationView {
        paused,
        by,
        reason,
        at,
        paused_connections,
        opted_in: opted_in
            .iter()
            .map(|(action, opt_in)| OptInView {
                action,
                by: opt_in.by.clone(),
                at: opt_in.at,
                agreed: opt_in.agreed.clone(),
            })
            .collect(),
        offers: ActionType::ALL
            .iter()
            .filter(|a| offered(a))
            .filter_map(offer)
            .collect(),
        changes: changes
            .into_iter()
            .map(|change| OptInChangeView {
                action: change.action,
                opted_in: change.opted_in,
                by: change.person,
                at: change.at,
                text: change.text,
            })
            .collect(),
    })
}
