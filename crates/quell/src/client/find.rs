//! Finding an action by as much of its id as a person cares to type.

use quell_model::ActionId;
use quell_server::api::{ActionDetail, ActionView, Page};

use super::Client;
use crate::failure::{Failure, Result};

/// How far back a part of an id is looked for.
const PAGES: usize = 10;
/// Shortest part of an id that is looked for.
const SHORTEST: usize = 4;

impl Client {
    /// The action that `id` names: in full, or by its last characters.
    ///
    /// # Errors
    /// When there is no such action, or more than one.
    pub async fn find(&self, id: &str) -> Result<ActionDetail> {
        let id = match id.parse::<ActionId>() {
            Ok(id) => id,
            Err(_) => self.by_end(id).await?.ok_or_else(|| {
                let id = quell_model::text::line(id);
                Failure::bad_input(format!("no recent action has an id that ends in `{id}`")).hint(
                    "`quell actions` lists them; older ones are found by their whole id, `act_…`",
                )
            })?,
        };
        self.get(&format!("/api/v1/actions/{id}")).await
    }

    async fn by_end(&self, end: &str) -> Result<Option<ActionId>> {
        let digits = end.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digits || end.len() < SHORTEST {
            return Ok(None);
        }
        let mut found: Vec<ActionId> = Vec::new();
        let mut path = "/api/v1/actions?limit=200".to_owned();
        for _ in 0..PAGES {
            let page: Page<ActionView> = self.get(&path).await?;
            let ends = |id: &ActionId| id.to_string().ends_with(&end.to_lowercase());
            found.extend(page.items.iter().map(|action| action.id).filter(ends));
            let Some(next) = page.next else { break };
            path = format!("/api/v1/actions?limit=200&before={next}");
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            many => Err(
                Failure::bad_input(format!("{} actions end in `{end}`", many.len()))
                    .hint("use more of the id"),
            ),
        }
    }
}

/// The end of an id: short enough for a table, and enough to find it again.
#[must_use]
pub fn short(id: ActionId) -> String {
    let id = id.to_string();
    id.get(id.len().saturating_sub(8)..)
        .unwrap_or(&id)
        .to_owned()
}
