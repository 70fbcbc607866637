//! `POST /api/v1/lists`

use std::time::Duration;

use quell_engine::{ListError, PERSON};
use quell_policy::lists::{Draft, Entry, Strength};

use crate::Role;
use crate::api::{ListAddReply, ListAddRequest, NewListEntry};
use crate::app::detached;
use crate::auth::Access;
use crate::endpoint::{Context, Order, Route, order};
use crate::problem::{Code, Refusal};

/// Ids in one reply.
const SHOWN: usize = 100;

struct Add;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/lists",
    name: "add_list_entries",
    access: Access::Role(Role::Responder),
    summary: "Puts entries on protection lists, all or none. They count from then on, for what waits too.",
    details: "Their author is the name of the token. What is there already, said by a person in the same way, is not added again, so that the order may be repeated. A responder may add `ask` and `never` entries, which only take away from what Quell may do; `allow` needs the role administrator.",
    refusals: &[Code::InvalidBody],
    patience: Duration::from_secs(120),
    ..order::<Add>()
};

impl Order for Add {
    type Body = ListAddRequest;
    type Reply = ListAddReply;
    const ABOUT: &'static str = "How many were added.";
    /// Some hundred thousand entries.
    const LIMIT: usize = 48 << 20;

    async fn handle(cx: Context, body: ListAddRequest) -> Result<ListAddReply, Refusal> {
        let person = cx.person()?;
        if body.entries.is_empty() {
            let message = "$.entries: name at least one";
            return Err(Refusal::new(Code::InvalidBody, message).path("$.entries"));
        }
        if body.entries.iter().any(|e| e.strength == Strength::Allow) {
            cx.needs(Role::Administrator)?;
        }
        let (engine, now) = (cx.app.engine.clone(), cx.app.now());
        let author = person.clone();
        // Checking a hundred thousand of them keeps a processor busy for a while.
        let check = move || checked(body.entries, &author, now);
        let entries = tokio::task::spawn_blocking(check)
            .await
            .map_err(Refusal::internal)??;
        let added =
            detached(async move { engine.add_list_entries(&person, entries).await }).await??;
        let number = |count| u64::try_from(count).unwrap_or(u64::MAX);
        Ok(ListAddReply {
            added: number(added.added.len()),
            known: number(added.known),
            ids: added.added.into_iter().take(SHOWN).collect(),
        })
    }
}

fn checked(
    entries: Vec<NewListEntry>,
    author: &str,
    added: jiff::Timestamp,
) -> Result<Vec<Entry>, Refusal> {
    let mut checked = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let draft = Draft {
            subject: entry.subject,
            value: entry.value,
            strength: entry.strength,
            actions: entry.actions,
            connection: entry.connection,
            reason: entry.reason,
            author: author.to_owned(),
            source: PERSON.to_owned(),
            added,
            expires: entry.expires,
        };
        let entry = Entry::new(draft).map_err(|problems| {
            let first = problems.iter().next();
            let field = first.map_or("value", |problem| problem.field);
            let path = format!("$.entries[{index}].{field}");
            Refusal::new(Code::InvalidBody, format!("{path}: {problems}")).path(path)
        })?;
        checked.push(entry);
    }
    Ok(checked)
}

impl From<ListError> for Refusal {
    fn from(error: ListError) -> Self {
        match error {
            // Written for the person who gave the order.
            ListError::Refused(why) => Self::new(Code::Refused, why),
            ListError::Store(error) => error.into(),
        }
    }
}
