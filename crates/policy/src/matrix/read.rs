//! From the text of a matrix to its cells: names, values and contradictions are checked against the catalogue,
//! each complaint at its line.

use std::collections::BTreeMap;
use std::fmt;

use quell_model::{ActionType, Quorum, Role, Severity};
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};
use toml::Spanned;

use super::contradiction::{self, Place};
use super::{Cell, Column, Matrix, Origin, rows};
use crate::diagnostics::{Diagnostic, Diagnostics, Source, suggestion};

/// Column to cell.
pub(crate) type Row = BTreeMap<String, Spanned<Cell>>;

/// The matrix as it is written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) severity: Thresholds,
    pub(crate) every_action: Row,
    pub(crate) actions: BTreeMap<String, Spanned<Row>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Thresholds {
    act_from: Option<Spanned<Severity>>,
    auto_from: Option<Spanned<Severity>>,
}

impl Matrix {
    /// This matrix with the cells that are written in place of its own.
    pub(crate) fn over(&self, written: &Written, source: &Source<'_>) -> Result<Self, Diagnostics> {
        let mut to = Reading {
            matrix: self.clone(),
            source,
            cells: Vec::new(),
            wrong: Vec::new(),
        };
        to.severity(&written.severity);
        for (name, cell) in &written.every_action {
            to.every_action(name, cell);
        }
        for (name, row) in &written.actions {
            to.row(name, row);
        }
        for (offset, message, help) in contradiction::find(self, &to.matrix, &to.cells) {
            to.complain(offset, message, help);
        }
        if to.wrong.is_empty() {
            Ok(to.matrix)
        } else {
            Err(Diagnostics::new(to.wrong))
        }
    }
}

struct Reading<'a> {
    matrix: Matrix,
    source: &'a Source<'a>,
    /// The cells that were taken.
    cells: Vec<Place>,
    wrong: Vec<Diagnostic>,
}

impl Reading<'_> {
    fn severity(&mut self, thresholds: &Thresholds) {
        let Thresholds {
            act_from,
            auto_from,
        } = thresholds;
        if let Some(from) = act_from {
            self.matrix.act_from = *from.get_ref();
        }
        if let Some(from) = auto_from {
            self.matrix.auto_from = *from.get_ref();
        }
        let Some(last) = [auto_from, act_from].into_iter().flatten().next() else {
            return;
        };
        self.matrix.severity = self.origin(last.span().start);
        if self.matrix.auto_from < self.matrix.act_from {
            let message = format!(
                "`severity.auto_from` is {}, below `severity.act_from` ({}), where nothing is done",
                self.matrix.auto_from.as_str(),
                self.matrix.act_from.as_str()
            );
            self.complain(
                last.span().start,
                message,
                "raise the one or lower the other",
            );
        }
    }

    fn every_action(&mut self, name: &str, cell: &Spanned<Cell>) {
        let place = format!("every_action.{name}");
        let Some(column) = self.column(name, &place, cell) else {
            return;
        };
        if column.is_class() {
            let message =
                format!("`{place}`: a class of machine has its cells in the rows of the actions");
            self.complain(cell.span().start, message, "put it under [actions.…]");
            return;
        }
        self.set(None, column, &place, cell);
    }

    fn row(&mut self, name: &str, row: &Spanned<Row>) {
        let Some(action) = ActionType::named(name) else {
            let known: Vec<_> = rows().map(ActionType::as_str).collect();
            self.complain(
                row.span().start,
                format!("`actions.{name}`: there is no such action"),
                &suggestion(name, &known),
            );
            return;
        };
        if !rows().any(|row| row == action) {
            let message =
                format!("`actions.{name}`: taking an action back always waits for a person");
            self.complain(row.span().start, message, "remove the row");
            return;
        }
        for (name, cell) in row.get_ref() {
            let place = format!("actions.{action}.{name}");
            let Some(column) = self.column(name, &place, cell) else {
                continue;
            };
            if !column.fits(action.target()) {
                let message = format!(
                    "`{place}`: a {} has no class, so this can never apply",
                    action.target().words()
                );
                self.complain(cell.span().start, message, "use `any`, or a label");
                continue;
            }
            self.set(Some(action), column, &place, cell);
        }
    }

    fn column(&mut self, name: &str, place: &str, cell: &Spanned<Cell>) -> Option<Column> {
        let column = Column::named(name);
        if column.is_none() {
            let known: Vec<_> = Column::all().map(Column::as_str).collect();
            self.complain(
                cell.span().start,
                format!("`{place}`: there is no such column"),
                &suggestion(name, &known),
            );
        }
        column
    }

    fn set(
        &mut self,
        action: Option<ActionType>,
        column: Column,
        place: &str,
        cell: &Spanned<Cell>,
    ) {
        let value = *cell.get_ref();
        // One mistake here stops sign-in for everybody, and nobody is left who could undo it.
        let person = (
            matches!(value, Cell::Ask(_) | Cell::Never),
            "write \"ask\" or \"never\"",
        );
        let guarded = match column {
            Column::DomainController => Some((
                "a domain controller is never acted on without a person",
                person,
            )),
            Column::RedTeam => Some(("an exercise is never answered automatically", person)),
            Column::BreakGlass => Some((
                "the way in when nothing else works is never touched",
                (value == Cell::Never, "write \"never\""),
            )),
            _ => None,
        };
        if let Some((why, (false, fix))) = guarded {
            let message = format!("`{place}`: {why}");
            self.complain(cell.span().start, message, fix);
            return;
        }
        let offset = cell.span().start;
        let origin = self.origin(offset);
        self.cells.push(Place {
            action,
            column,
            offset,
        });
        self.matrix.cells.insert((action, column), (value, origin));
    }

    fn origin(&self, offset: usize) -> Origin {
        Origin {
            file: self.source.name.to_owned(),
            line: Diagnostic::at(self.source, offset, "").line,
        }
    }

    fn complain(&mut self, offset: usize, message: impl AsRef<str>, help: &str) {
        self.wrong
            .push(Diagnostic::at(self.source, offset, message).help(help));
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReadCell)
    }
}

struct ReadCell;

impl<'de> Visitor<'de> for ReadCell {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"auto\", \"ask\", \"never\", { ask = 2 } or { ask_below_confidence = 95 }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Cell, E> {
        match text {
            "auto" => Ok(Cell::Auto),
            "ask" => Ok(Cell::Ask(Quorum::ONE)),
            "never" => Ok(Cell::Never),
            other => Err(E::custom(format!(
                "`{}` is no answer; write \"auto\", \"ask\", \"never\", {{ ask = 2 }} or {{ ask_below_confidence = 95 }}",
                quell_model::text::line(other)
            ))),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Cell, M::Error> {
        let (mut confidence, mut approvers, mut role) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "ask_below_confidence" => confidence = Some(map.next_value::<u8>()?),
                "ask" => approvers = Some(map.next_value::<u8>()?),
                "role" => role = Some(map.next_value::<String>()?),
                _ => {
                    return Err(M::Error::custom(format!(
                        "`{}` is not known here; {FORMS}",
                        quell_model::text::line(&key)
                    )));
                }
            }
        }
        match (confidence, approvers, role) {
            (Some(confidence @ 1..=100), None, None) => Ok(Cell::AskBelowConfidence(confidence)),
            (Some(_), None, None) => Err(M::Error::custom(
                "`ask_below_confidence` must be from 1 to 100",
            )),
            (None, Some(approvers), role) => quorum(approvers, role.as_deref())
                .map(Cell::Ask)
                .map_err(M::Error::custom),
            _ => Err(M::Error::custom(FORMS)),
        }
    }
}

const FORMS: &str =
    "write { ask = 2 }, { ask = 2, role = \"administrator\" } or { ask_below_confidence = 95 }";

/// Who has to say yes, as it is written in a cell or at a rule.
pub(crate) fn quorum(approvers: u8, role: Option<&str>) -> Result<Quorum, String> {
    if !(1..=Quorum::MOST).contains(&approvers) {
        return Err(format!(
            "{approvers} people cannot be asked for; write 1 or 2"
        ));
    }
    let role = match role {
        None => Role::Responder,
        Some(name) => Role::named(name)
            .filter(|role| *role >= Role::Responder)
            .ok_or_else(|| {
                let name = quell_model::text::line(name);
                format!("`{name}` cannot approve; write \"responder\" or \"administrator\"")
            })?,
    };
    Ok(Quorum { approvers, role })
}
