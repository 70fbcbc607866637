//! `DELETE /api/v1/lists/{id}`

use quell_model::ListEntryId;

use crate::Role;
use crate::api::{ListEntryView, ListRemoveRequest};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, Verb, in_path, order, reason};
use crate::problem::{Code, Refusal};

struct Remove;

pub(super) const ROUTE: Route = Route {
    verb: Verb::Delete,
    path: "/api/v1/lists/{id}",
    name: "remove_list_entry",
    access: Access::Role(Role::Administrator),
    summary: "Takes an entry off its list.",
    details: "The record keeps who did it and why. What a job puts on a list is corrected at the vendor, because the job would put it back; entries of the policy folder are changed there.",
    parameters: &[in_path::<ListEntryId>("id", "The entry's id.")],
    refusals: &[Code::NotFound, Code::Refused, Code::InvalidBody],
    ..order::<Remove>()
};

impl Order for Remove {
    type Body = ListRemoveRequest;
    type Reply = ListEntryView;
    const ABOUT: &'static str = "The entry as it was.";

    async fn handle(cx: Context, body: ListRemoveRequest) -> Result<ListEntryView, Refusal> {
        let (person, reason) = (cx.person()?, reason(&body.reason)?);
        let id = cx.path::<ListEntryId>("id")?;
        let engine = cx.app.engine.clone();
        let removed =
            detached(async move { engine.remove_list_entry(&person, id, &reason).await }).await??;
        Ok(ListEntryView::of(Some(removed.id), &removed.entry))
    }
}
