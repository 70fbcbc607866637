//! `GET /api/v1/lists/history`

use quell_model::ListEntryId;

use crate::Role;
use crate::api::{ListChangeView, Page};
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, in_query, invalid, read};
use crate::problem::{Code, Refusal};

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 200;

struct History;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/lists/history",
    name: "list_list_changes",
    access: Access::Role(Role::Viewer),
    summary: "Says who put what on a protection list and who took it off, newest first.",
    parameters: &[
        in_query::<ListEntryId>("entry", "Only what happened to this entry."),
        in_query::<String>(
            "before",
            "Only older changes: the `next` of the page before.",
        ),
        in_query::<u8>("limit", "How many at most, 1 to 200; 50 when missing."),
    ],
    refusals: &[Code::InvalidParameter],
    ..read::<History>()
};

impl Read for History {
    type Reply = Page<ListChangeView>;
    const ABOUT: &'static str = "A page of changes.";

    async fn handle(cx: Context) -> Result<Page<ListChangeView>, Refusal> {
        let limit = cx.once("limit")?.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(invalid("limit", &format!("it must be 1 to {LIMIT_MAX}")));
        }
        let (entry, before) = (cx.once("entry")?, cx.once::<i64>("before")?);
        let engine = &cx.app.engine;
        // One more than asked tells whether there is a next page.
        let mut found = engine
            .store()
            .list_history(engine.organization(), entry, before, limit + 1)
            .await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|last| last.seq.to_string());
        let items = found
            .into_iter()
            .map(ListChangeView::try_from)
            .collect::<Result<_, _>>()
            .map_err(Refusal::internal)?;
        Ok(Page { items, next })
    }
}
