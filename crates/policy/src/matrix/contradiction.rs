//! Cells that can never say anything, or say something else than their row. Owns what counts as a
//! contradiction; a cell that only takes away once more what is taken away already is none.
//!
//! Of all that applies to a target the strictest holds, so a cell is in vain when it is looser than
//! everything it can meet: somebody reads "auto" or "ask" there and relies on it.

use quell_model::ActionType;

use super::{Cell, Column, Matrix, has_class, rows};

/// A cell that somebody wrote, and where.
pub(super) struct Place {
    pub(super) action: Option<ActionType>,
    pub(super) column: Column,
    /// In bytes.
    pub(super) offset: usize,
}

/// Where, what is wrong there, and what to do about it.
pub(super) type Complaint = (usize, String, &'static str);

/// What is in vain among the cells that were written over `base`, which made `matrix`.
pub(super) fn find(base: &Matrix, matrix: &Matrix, written: &[Place]) -> Vec<Complaint> {
    let complaints = written.iter().filter_map(|place| {
        let Place {
            action,
            column,
            offset,
        } = *place;
        let (cell, _) = matrix.cells.get(&(action, column))?;
        let (said, help) = if column == Column::Any {
            (
                nothing_left(matrix, action?)?,
                "change the cells of the classes (`quell policy show` prints them), or remove this one",
            )
        } else if column.is_class() {
            return None;
        } else {
            on_top(base, matrix, action, column, *cell)?
        };
        Some((offset, format!("`{}`: {said}", name(action, column)), help))
    });
    complaints.collect()
}

/// Why `any` stands for nothing in this row.
fn nothing_left(matrix: &Matrix, action: ActionType) -> Option<String> {
    let classes = [
        Column::Workstation,
        Column::Server,
        Column::DomainController,
        Column::Mobile,
        Column::Unknown,
    ];
    let all = classes
        .iter()
        .all(|class| matrix.cell(action, *class).is_some());
    (has_class(action.target()) && all).then(|| {
        "it stands for the classes without a cell of their own, and in this row each has one"
            .to_owned()
    })
}

/// Why a cell that comes on top of a class has nothing to take away.
fn on_top(
    base: &Matrix,
    matrix: &Matrix,
    action: Option<ActionType>,
    column: Column,
    cell: Cell,
) -> Option<(String, &'static str)> {
    if let (Some(_), Some((every, origin))) = (action, matrix.cells.get(&(None, column)))
        && strictness(cell) < strictness(*every)
    {
        let said = format!(
            "it says {}, but `{}` ({}:{}) says {} for every action, and the strictest holds",
            words(cell),
            name(None, column),
            origin.file,
            origin.line,
            words(*every)
        );
        return Some((said, "remove one of the two"));
    }
    if cell == Cell::Auto {
        // In place of a shipped cell it is how that one is lifted.
        let lifts = base.cells.contains_key(&(action, column));
        return (!lifts).then(|| {
            let said = "a column that comes on top only takes away, so \"auto\" says nothing in it";
            (said.to_owned(), "remove it, or change the cell of a class")
        });
    }
    let loosest = loosest(matrix, action)?;
    (strictness(cell) < strictness(loosest)).then(|| {
        let row = if action.is_some() {
            "the row"
        } else {
            "any row"
        };
        let said = format!(
            "it says {}, but no class of {row} says less than {}, and the strictest holds",
            words(cell),
            words(loosest)
        );
        (said, "change the cell of a class, or remove this one")
    })
}

/// The loosest cell of a class in the row, or in all of them.
fn loosest(matrix: &Matrix, action: Option<ActionType>) -> Option<Cell> {
    let rows = rows().filter(|row| action.is_none_or(|action| action == *row));
    rows.flat_map(|row| {
        Column::all()
            .filter(|column| column.is_class())
            .filter_map(move |column| matrix.cell(row, column))
    })
    .min_by_key(|cell| strictness(*cell))
}

const fn strictness(cell: Cell) -> (u8, u8) {
    match cell {
        Cell::Auto => (0, 0),
        Cell::AskBelowConfidence(confidence) => (1, confidence),
        // Whom it asks is added up, whatever cell says so.
        Cell::Ask(_) => (2, 0),
        Cell::Never => (3, 0),
    }
}

fn name(action: Option<ActionType>, column: Column) -> String {
    match action {
        Some(action) => format!("actions.{action}.{}", column.as_str()),
        None => format!("every_action.{}", column.as_str()),
    }
}

fn words(cell: Cell) -> String {
    match cell {
        Cell::Auto => "\"auto\"".to_owned(),
        Cell::Ask(quorum) if quorum.is_one() => "\"ask\"".to_owned(),
        Cell::Ask(quorum) => format!("to ask {}", quorum.words()),
        Cell::Never => "\"never\"".to_owned(),
        Cell::AskBelowConfidence(confidence) => {
            format!("{{ ask_below_confidence = {confidence} }}")
        }
    }
}
