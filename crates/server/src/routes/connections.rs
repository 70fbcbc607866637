//! `GET /api/v1/connections`

use quell_engine::Connection;
use quell_model::ActionType;

use crate::Role;
use crate::api::{AbilityView, ConnectionView, IntakeMethod, Page};
use crate::app::App;
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, read};
use crate::problem::Refusal;
use crate::settings::IntakeAuth;

struct List;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/connections",
    name: "list_connections",
    access: Access::Role(Role::Viewer),
    summary: "Lists the connections and what each can do.",
    ..read::<List>()
};

impl Read for List {
    type Reply = Page<ConnectionView>;
    const ABOUT: &'static str = "All connections.";

    async fn handle(cx: Context) -> Result<Page<ConnectionView>, Refusal> {
        let items = cx
            .app
            .engine
            .connections()
            .map(|c| view(&cx.app, c))
            .collect();
        Ok(Page { items, next: None })
    }
}

fn view(app: &App, connection: &Connection) -> ConnectionView {
    let connected = &connection.connected;
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let actions = ActionType::ALL
        .iter()
        .filter_map(|action| Some((*action, connected.facts(action.effect())?)))
        .map(|(action, facts)| AbilityView {
            action,
            needs: owned(facts.needs),
            docs: facts.docs.to_owned(),
            quirks: owned(facts.quirks),
        });
    ConnectionView {
        id: connected.id.clone(),
        connector: connected.connector.to_owned(),
        name: connected.name.to_owned(),
        tenant: connection.tenant.clone(),
        intake: app.intake.get(&connected.id).map(|auth| match auth {
            IntakeAuth::Bearer(_) => IntakeMethod::Bearer,
            IntakeAuth::StandardWebhooks(_) => IntakeMethod::StandardWebhooks,
        }),
        polled: connected.abilities.feed.is_some(),
        notifies: connected.abilities.notify.is_some(),
        writes_back: connected.abilities.write_back.is_some(),
        actions: actions.collect(),
    }
}
