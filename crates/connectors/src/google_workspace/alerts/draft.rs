//! An alert being put together: cleaned values in, entities and notes out, each thing once.

use std::net::IpAddr;

use jiff::Timestamp;
use quell_model::alert::Note;
use quell_model::entity::{Account, Entity, IndicatorKind, NetworkIndicator};
use quell_model::text;

use super::super::PROVIDER;
use super::super::users::is_address;

/// Most entities and notes of one alert; no real one comes near.
const MOST: usize = 200;

/// Entities and notes found so far.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) entities: Vec<Entity>,
    pub(super) notes: Vec<Note>,
}

impl Draft {
    pub(super) fn note(&mut self, field: &str, sentence: &str) {
        let note = Note {
            field: field.to_owned(),
            text: text::line(sentence),
            doubt: false,
        };
        if self.notes.len() < MOST && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn add(&mut self, entity: impl Into<Entity>) {
        let entity = entity.into();
        if self.entities.len() < MOST && !self.entities.contains(&entity) {
            self.entities.push(entity);
        }
    }

    /// Adds an account by its address.
    pub(super) fn account(&mut self, field: &str, email: Option<&str>) {
        let Some(email) = line(email) else { return };
        let Some((name, domain)) = email.split_once('@').filter(|_| is_address(&email)) else {
            let sentence = format!("`{email}` is no address, so the account cannot be acted on.");
            return self.note(field, &sentence);
        };
        self.add(Account {
            name: Some(name.to_owned()),
            domain: Some(domain.to_lowercase()),
            provider: Some(PROVIDER.to_owned()),
            principal: Some(email),
            ..Account::default()
        });
    }

    /// Adds an address of the network; a text that is none is left out with a note.
    pub(super) fn ip(&mut self, field: &str, address: Option<&str>) {
        let Some(given) = address.and_then(text::present) else {
            return;
        };
        match given.parse::<IpAddr>() {
            Ok(ip) if !ip.is_unspecified() => self.add(NetworkIndicator {
                kind: IndicatorKind::Ip,
                value: ip.to_string(),
            }),
            _ => {
                let given = text::line(given);
                self.note(field, &format!("`{given}` is no network address."));
            }
        }
    }

    /// The alert's name, and whom it is about.
    pub(super) fn title(&self, name: &str) -> String {
        let account = self.entities.iter().find_map(|entity| match entity {
            Entity::Account(account) => account.principal.as_deref(),
            _ => None,
        });
        match account {
            Some(account) => text::line(&format!("{name}: {account}")),
            None => name.to_owned(),
        }
    }
}

/// One harmless line.
pub(super) fn line(given: Option<&str>) -> Option<String> {
    given
        .and_then(text::present)
        .map(text::line)
        .filter(|line| !line.is_empty())
}

/// A moment; one that cannot be read is left out with a note.
pub(super) fn time(draft: &mut Draft, field: &str, given: Option<&str>) -> Option<Timestamp> {
    let given = given.and_then(text::present)?;
    let time = given.parse().ok();
    if time.is_none() {
        let given = text::line(given);
        draft.note(
            field,
            &format!("`{given}` is not a time Quell can read; left out."),
        );
    }
    time
}
