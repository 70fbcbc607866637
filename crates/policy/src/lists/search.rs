//! Finding the entries a target is on, fast: one lookup for each of its names, whatever the number of
//! entries. Owns what counts as being on a list and the order of what is found.

use std::collections::BTreeSet;
use std::ops::Bound;

use jiff::Timestamp;
use quell_model::entity::{IndicatorKind, NetworkIndicator};
use quell_model::{ActionType, ConnectionId, Entity};

use super::entry::{Entry, Strength, Subject};
use super::glob::{Letters, fold};
use super::index::{End, Lists, Places};
use super::names::names;
use super::place::{Network, Place, sender, turned, upwards};

/// How many matching entries [`Found`] keeps.
pub const MOST: usize = 16;

/// What is looked up: one action on one target, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// What would be done.
    pub action: ActionType,
    /// To what.
    pub target: &'a Entity,
    /// The target's labels, or for a process or a file its machine's (`AssetFacts::labels`).
    pub labels: &'a BTreeSet<String>,
    /// Through which connection.
    pub connection: &'a ConnectionId,
    /// When; entries that have expired by then do not count.
    pub now: Timestamp,
}

/// The lists a target is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// The strongest of the entries it is on; nothing when it is on none.
    pub strength: Option<Strength>,
    /// The entries it is on, never ones first, at most [`MOST`].
    pub entries: Vec<&'a Entry>,
    /// An allow list applies and the target is not on it.
    pub not_allowed: bool,
}

impl Found<'_> {
    /// What the lists demand, all in all: where the target is missing from an allow list, a person is
    /// asked. Nothing when they have nothing to say.
    #[must_use]
    pub fn demand(&self) -> Option<Strength> {
        self.strength.max(self.not_allowed.then_some(Strength::Ask))
    }
}

impl Lists {
    /// Which entries a target is on.
    #[must_use]
    pub fn find(&self, lookup: &Lookup<'_>) -> Found<'_> {
        let mut search = Search {
            lists: self,
            lookup,
            places: Vec::new(),
            allowed: false,
        };
        for (subject, name) in names(lookup.target) {
            let name = fold(&name);
            if subject != Subject::Any {
                search.text(subject, &name);
            }
            search.text(Subject::Any, &name);
        }
        for label in lookup.labels {
            search.text(Subject::Label, &fold(label.trim()));
        }
        match lookup.target {
            Entity::NetworkIndicator(indicator) => search.indicator(indicator),
            Entity::Sender(target) => search.sender(&target.value),
            Entity::EmailMessage(message) => {
                if let Some(from) = &message.sender {
                    search.sender(from);
                }
            }
            _ => {}
        }
        search.found()
    }

    fn has_allow_list(&self, lookup: &Lookup<'_>) -> bool {
        self.allowing.get(&lookup.action).is_some_and(|allowing| {
            let here = allowing.connections.get(lookup.connection).copied();
            allowing.everywhere.max(here) > Some(End::At(lookup.now))
        })
    }
}

struct Search<'a, 'l> {
    lists: &'a Lists,
    lookup: &'l Lookup<'l>,
    places: Places,
    allowed: bool,
}

impl<'a> Search<'a, '_> {
    /// Entries about `subject` whose value is `text` or fits it.
    fn text(&mut self, subject: Subject, text: &str) {
        let Some(texts) = self.lists.texts.get(&subject) else {
            return;
        };
        if let Some(places) = texts.exact.get(text) {
            self.keep(places.iter().copied());
        }
        if texts.globs.is_empty() {
            return;
        }
        let letters = Letters::of(text);
        for initial in [None, text.chars().next()] {
            let Some(globs) = texts.globs.get(&initial) else {
                continue;
            };
            let matching = globs
                .iter()
                .filter(|(glob, _)| glob.may_match(letters) && glob.matches(text));
            self.keep(matching.map(|(_, place)| *place));
        }
    }

    fn indicator(&mut self, indicator: &NetworkIndicator) {
        // Blocking one URL leaves the rest of its host, so nothing below the host is touched.
        let url = indicator.kind == IndicatorKind::Url;
        match Place::read(&indicator.value) {
            Some(Place::Network(network)) => self.network(network),
            Some(Place::Name(name)) => {
                self.text(Subject::Domain, &name);
                self.above(Subject::Domain, &name);
                if !url {
                    self.below(Subject::Domain, &name, &["."]);
                }
            }
            None => {}
        }
    }

    fn sender(&mut self, text: &str) {
        let (address, domain) = sender(text);
        self.text(Subject::Sender, &address);
        let Some(domain) = domain else {
            return;
        };
        if address == domain {
            self.below(Subject::Sender, &domain, &[".", "@"]);
        } else {
            self.exact(Subject::Sender, &domain);
        }
        self.above(Subject::Sender, &domain);
    }

    fn exact(&mut self, subject: Subject, text: &str) {
        let lists = self.lists;
        let places = lists
            .texts
            .get(&subject)
            .and_then(|texts| texts.exact.get(text));
        self.keep(places.into_iter().flatten().copied());
    }

    /// Entries for a domain above `name`.
    fn above(&mut self, subject: Subject, name: &str) {
        for above in upwards(name).skip(1) {
            self.exact(subject, above);
        }
    }

    /// Protected entries below the domain `name`, which a block of the whole domain would hit.
    fn below(&mut self, subject: Subject, name: &str, separators: &[&str]) {
        let Some(protected) = self.lists.below.get(&subject) else {
            return;
        };
        for separator in separators {
            let prefix = turned(name) + separator;
            for entries in [&protected.never, &protected.ask] {
                let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
                let inside = entries
                    .range::<str, _>(from)
                    .take_while(|(key, _)| key.starts_with(&prefix))
                    .flat_map(|(_, places)| places);
                self.keep_some(inside.copied());
            }
        }
    }

    fn network(&mut self, network: Network) {
        let networks = &self.lists.networks;
        let (shortest, longest) = ((network.is_v4(), 0), (network.is_v4(), network.bits()));
        for (_, bits) in networks.lengths.range(shortest..=longest) {
            if let Some(places) = networks.exact.get(&network.widened(*bits)) {
                self.keep(places.iter().copied());
            }
        }
        let (from, to) = network.inside();
        for entries in [&networks.protected.never, &networks.protected.ask] {
            let inside = entries.range(from..=to).flat_map(|(_, places)| places);
            self.keep_some(inside.copied());
        }
    }

    fn live(&self, place: usize) -> Option<&'a Entry> {
        let Lookup {
            action,
            connection,
            now,
            ..
        } = *self.lookup;
        let entry = self.lists.entries.get(place)?.as_ref();
        entry.counts(action, connection, now).then_some(entry)
    }

    /// Keeps the strongest of the places, which come in order, and notes whether one allows.
    fn keep(&mut self, places: impl Iterator<Item = usize>) {
        let mut room = MOST;
        for place in places {
            let Some(entry) = self.live(place) else {
                continue;
            };
            self.allowed |= entry.strength == Strength::Allow;
            if room > 0 {
                room -= 1;
                self.places.push(place);
            } else if self.allowed {
                break;
            }
        }
    }

    /// Keeps some of the places, which are of one strength: a wide target may contain thousands.
    fn keep_some(&mut self, places: impl Iterator<Item = usize>) {
        let live: Places = places
            .filter(|place| self.live(*place).is_some())
            .take(MOST)
            .collect();
        self.places.extend(live);
    }

    fn found(mut self) -> Found<'a> {
        self.places.sort_unstable();
        self.places.dedup();
        self.places.truncate(MOST);
        let lists = self.lists;
        let entries: Vec<&Entry> = self
            .places
            .iter()
            .filter_map(|place| lists.entries.get(*place).map(AsRef::as_ref))
            .collect();
        Found {
            strength: entries.first().map(|entry| entry.strength),
            entries,
            not_allowed: !self.allowed && lists.has_allow_list(self.lookup),
        }
    }
}
