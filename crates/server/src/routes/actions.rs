//! `GET /api/v1/actions`

use quell_model::{ActionId, ActionState, IncidentId};
use quell_store::ActionFilter;

use crate::Role;
use crate::api::{ActionView, Page};
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, in_query, invalid, read};
use crate::problem::{Code, Refusal};

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 200;

struct List;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/actions",
    name: "list_actions",
    access: Access::Role(Role::Viewer),
    summary: "Lists actions, newest first.",
    parameters: &[
        in_query::<ActionState>(
            "state",
            "Only in this state. May be repeated or a comma list; any of them is listed.",
        ),
        in_query::<IncidentId>("incident", "Only of this incident."),
        in_query::<ActionId>(
            "before",
            "Only older than this one: the `next` of the page before.",
        ),
        in_query::<u8>("limit", "How many at most, 1 to 200; 50 when missing."),
    ],
    refusals: &[Code::InvalidParameter],
    ..read::<List>()
};

impl Read for List {
    type Reply = Page<ActionView>;
    const ABOUT: &'static str = "A page of actions.";

    async fn handle(cx: Context) -> Result<Page<ActionView>, Refusal> {
        let limit = cx.once("limit")?.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(invalid("limit", &format!("it must be 1 to {LIMIT_MAX}")));
        }
        let states = cx.each("state")?.into_iter().map(|Named(state)| state);
        let filter = ActionFilter {
            states: states.collect(),
            incident: cx.once::<IncidentId>("incident")?,
            before: cx.once::<ActionId>("before")?,
            // One more than asked tells whether there is a next page.
            limit: limit + 1,
        };
        let engine = &cx.app.engine;
        let mut found = engine
            .store()
            .actions(engine.organization(), filter)
            .await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|last| last.action.id.to_string());
        let items = found
            .into_iter()
            .map(|stored| stored.action.into())
            .collect();
        Ok(Page { items, next })
    }
}

struct Named(ActionState);

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = ActionState::ALL.iter().find(|state| state.as_str() == text);
        found.copied().map(Self).ok_or_else(|| {
            let names: Vec<_> = ActionState::ALL
                .iter()
                .map(|state| state.as_str())
                .collect();
            format!("there is no such state; it is one of {}", names.join(", "))
        })
    }
}
