//! `GET /api/v1/lists`

use std::str::FromStr;

use quell_model::ListEntryId;
use quell_policy::lists::{Strength, Subject};

use crate::Role;
use crate::api::{ListEntryView, Page};
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, in_query, invalid, read};
use crate::problem::{Code, Refusal};

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

struct List;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/lists",
    name: "list_list_entries",
    access: Access::Role(Role::Viewer),
    summary: "Lists the entries of the protection lists in force: those kept at run time newest first, then Quell's own, then the policy folder's.",
    parameters: &[
        in_query::<String>(
            "source",
            "Only of this source: `person`, `quell`, or the connection whose job fills the list.",
        ),
        in_query::<Subject>("subject", "Only about this."),
        in_query::<Strength>("strength", "Only of this strength."),
        in_query::<String>(
            "matching",
            "Only what a target of this name, id, hash, address or label is on.",
        ),
        in_query::<String>("before", "Where to go on: the `next` of the page before."),
        in_query::<u16>("limit", "How many at most, 1 to 1000; 100 when missing."),
    ],
    refusals: &[Code::InvalidParameter],
    ..read::<List>()
};

impl Read for List {
    type Reply = Page<ListEntryView>;
    const ABOUT: &'static str = "A page of entries.";

    async fn handle(cx: Context) -> Result<Page<ListEntryView>, Refusal> {
        let limit = cx.once("limit")?.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(invalid("limit", &format!("it must be 1 to {LIMIT_MAX}")));
        }
        let source = cx.once::<String>("source")?;
        let subject = cx.once::<Named<Subject>>("subject")?.map(|named| named.0);
        let strength = cx.once::<Named<Strength>>("strength")?.map(|named| named.0);
        let matching = cx.once::<String>("matching")?;
        let before = cx.once::<Place>("before")?;
        let engine = &cx.app.engine;
        // Another node may have changed them a moment ago.
        engine.refresh_lists().await?;
        let rules = engine.rules();
        let connections: Vec<_> = engine.connections().map(|c| &c.connected.id).collect();
        let now = cx.app.now();
        let found = matching.map(|text| rules.guardrails.naming(&text, &connections, now));
        let mut fixed = 0;
        let mut items = Vec::new();
        let mut next = None;
        for (id, entry) in rules.guardrails.all() {
            let place = id.map_or(Place::Fixed(fixed), Place::Kept);
            fixed += usize::from(id.is_none());
            let wanted = before.is_none_or(|before| place.is_after(before))
                && source.as_ref().is_none_or(|source| *source == entry.source)
                && subject.is_none_or(|subject| subject == entry.subject)
                && strength.is_none_or(|strength| strength == entry.strength)
                && found.as_ref().is_none_or(|found| found.contains(&***entry));
            if !wanted {
                continue;
            }
            if items.len() == limit {
                next = Some(place);
                break;
            }
            items.push((place, ListEntryView::of(id, entry)));
        }
        let last = items.last().map(|(place, _)| *place);
        Ok(Page {
            next: next.and(last).map(|place| place.to_string()),
            items: items.into_iter().map(|(_, view)| view).collect(),
        })
    }
}

/// Where an entry stands among all of them.
#[derive(Debug, Clone, Copy)]
enum Place {
    Kept(ListEntryId),
    /// How many without an id stand before it.
    Fixed(usize),
}

impl Place {
    fn is_after(self, other: Self) -> bool {
        match (self, other) {
            // The newest come first.
            (Self::Kept(this), Self::Kept(other)) => this < other,
            (Self::Fixed(this), Self::Fixed(other)) => this > other,
            (Self::Fixed(_), Self::Kept(_)) => true,
            (Self::Kept(_), Self::Fixed(_)) => false,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kept(id) => id.fmt(f),
            Self::Fixed(number) => number.fmt(f),
        }
    }
}

impl FromStr for Place {
    type Err = quell_model::id::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(number) => Ok(Self::Fixed(number)),
            Err(_) => text.parse().map(Self::Kept),
        }
    }
}

/// One of a list of names.
struct Named<T>(T);

fn named<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Result<Named<T>, String> {
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.map(Named).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
        format!("it is one of {}", names.join(", "))
    })
}

impl FromStr for Named<Subject> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(text, Subject::ALL, Subject::as_str)
    }
}

impl FromStr for Named<Strength> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(text, Strength::ALL, Strength::as_str)
    }
}
