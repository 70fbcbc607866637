//! From cells to rules. Each cell becomes one or two rules that name the cell and its place, so that a
//! decision can be traced to a line of the table.

use std::fmt::Write as _;

use quell_model::{ActionType, Quorum, Severity};

use super::{Cell, Column, Matrix, ORIGIN, Origin, When, has_class, rows};

/// Text of the rules; nothing here comes from outside but numbers and the name of the file.
pub(super) fn rules(matrix: &Matrix) -> String {
    let mut to = Rules {
        matrix,
        text: String::new(),
    };
    to.severity();
    for ((action, column), (cell, origin)) in &matrix.cells {
        match action {
            Some(action) => to.cell(*action, *column, *cell, origin),
            None => to.every_action(*column, *cell, origin),
        }
    }
    for action in rows() {
        to.approval(action);
    }
    to.text
}

struct Rules<'a> {
    matrix: &'a Matrix,
    text: String,
}

/// What a rule is about.
struct Head<'a> {
    id: String,
    reason: String,
    /// Who has to say yes.
    quorum: Quorum,
    origin: &'a Origin,
}

impl Head<'_> {
    const fn asking(mut self, quorum: Quorum) -> Self {
        self.quorum = quorum;
        self
    }
}

impl Rules<'_> {
    fn severity(&mut self) {
        let Matrix {
            act_from,
            auto_from,
            ..
        } = self.matrix;
        let (act, auto) = (act_from.level(), auto_from.level());
        let (origin, remediation) = (&self.matrix.severity, "action in Action::\"remediation\"");
        if *act_from > Severity::Informational {
            let head = Head {
                id: "below-severity".to_owned(),
                reason: format!(
                    "Severity is {{severity}}; nothing is done below {}.",
                    act_from.as_str()
                ),
                quorum: Quorum::ONE,
                origin,
            };
            let when = format!("context.severity < {act}");
            self.forbid(false, remediation, &head, Some(when), None);
        }
        if auto_from > act_from {
            let head = Head {
                id: "ask-severity".to_owned(),
                reason: format!(
                    "Severity is {{severity}}; a person decides below {}.",
                    auto_from.as_str()
                ),
                quorum: Quorum::ONE,
                origin,
            };
            let when = format!("context.severity >= {act} && context.severity < {auto}");
            self.forbid(true, remediation, &head, Some(when), None);
        }
    }

    fn every_action(&mut self, column: Column, cell: Cell, origin: &Origin) {
        let head = |text: &str| Head {
            id: format!("every-action-{}", dashed(column.as_str())),
            reason: format!("{}, {text}", words(column)),
            quorum: Quorum::ONE,
            origin,
        };
        let when = Some(condition(column));
        let action = "action in Action::\"remediation\"";
        match cell {
            Cell::Auto => {}
            Cell::Ask(quorum) => {
                let head = head(&format!("every action needs {}.", quorum.words())).asking(quorum);
                self.forbid(true, action, &head, when, None);
            }
            Cell::AskBelowConfidence(from) => {
                let text = format!(
                    "every action needs a person below confidence {from} (it is {{confidence}})."
                );
                self.forbid(true, action, &head(&text), when, Some(from));
            }
            Cell::Never => self.forbid(false, action, &head("nothing is ever done."), when, None),
        }
    }

    fn cell(&mut self, action: ActionType, column: Column, cell: Cell, origin: &Origin) {
        let phrase = action.phrase();
        let head = |suffix: &str, text: &str| {
            let at = words(column);
            let comma = if at.is_empty() { "" } else { ", " };
            Head {
                id: format!(
                    "{}-{}{suffix}",
                    dashed(action.as_str()),
                    dashed(column.as_str())
                ),
                reason: format!("{at}{comma}“{phrase}” {text}"),
                quorum: Quorum::ONE,
                origin,
            }
        };
        let when = match column {
            Column::Any => self.rest(action),
            column => Some(self.narrowed(action, column)),
        };
        let scope = format!("action == Action::\"{action}\"");
        // A column that comes on top takes away; what it leaves is for the class to permit.
        let permits = column.is_class();
        match cell {
            Cell::Auto if permits => {
                let head = head("", "runs by itself at {severity} severity.");
                self.permit_alone(&scope, &head, when, None);
            }
            Cell::Auto => {}
            Cell::Ask(quorum) => {
                let head = head("", &format!("needs {}.", quorum.words())).asking(quorum);
                self.forbid(true, &scope, &head, when, None);
            }
            Cell::AskBelowConfidence(from) => {
                let text =
                    format!("needs a person below confidence {from} (it is {{confidence}}).");
                self.forbid(true, &scope, &head("", &text), when.clone(), Some(from));
                if permits {
                    let text =
                        format!("runs by itself from confidence {from} on (it is {{confidence}}).");
                    self.permit_alone(&scope, &head("-confident", &text), when, Some(from));
                }
            }
            Cell::Never => {
                let head = head("", "is never done.");
                self.forbid(false, &scope, &head, when, None);
            }
        }
    }

    /// Whatever is permitted to Quell may be approved by a person, and so may what only waits for one.
    fn approval(&mut self, action: ActionType) {
        let text = format!(
            "@id(\"approve-{}\") @reason(\"A person may approve “{}”.\")\n\
             permit (principal == Mode::\"approved\", action == Action::\"{action}\", resource)\n\
             when {{ context.severity >= {} }};\n\n",
            dashed(action.as_str()),
            action.phrase(),
            self.matrix.act_from.level()
        );
        self.text.push_str(&text);
    }

    /// What no other column of a class in the row covers; nothing when the row has no other.
    fn rest(&self, action: ActionType) -> Option<String> {
        let others: Vec<String> = Column::all()
            .filter(|column| {
                *column != Column::Any
                    && column.is_class()
                    && self.matrix.cell(action, *column).is_some()
            })
            .map(|column| self.narrowed(action, column))
            .collect();
        (has_class(action.target()) && !others.is_empty())
            .then(|| format!("!({})", others.join(" || ")))
    }

    /// The condition of a column. Servers leave out those that have a cell of their own.
    fn narrowed(&self, action: ActionType, column: Column) -> String {
        let own = self.matrix.cell(action, Column::NonEssentialServer);
        if column == Column::Server && own.is_some() {
            return format!(
                "({} && !resource.labels.contains(\"non-essential\"))",
                condition(Column::Server)
            );
        }
        condition(column)
    }

    fn permit_alone(
        &mut self,
        action: &str,
        head: &Head<'_>,
        when: Option<String>,
        confidence: Option<u8>,
    ) {
        let mut conditions = vec![format!(
            "context.severity >= {}",
            self.matrix.auto_from.level()
        )];
        conditions.extend(when);
        conditions.extend(confidence.map(reached));
        self.rule("permit", "principal == Mode::\"auto\"", action, head);
        let _infallible = writeln!(self.text, "\nwhen {{ {} }};\n", conditions.join(" && "));
    }

    fn forbid(
        &mut self,
        alone: bool,
        action: &str,
        head: &Head<'_>,
        when: Option<String>,
        unless: Option<u8>,
    ) {
        let principal = if alone {
            "principal == Mode::\"auto\""
        } else {
            "principal"
        };
        self.rule("forbid", principal, action, head);
        if let Some(when) = when {
            let _infallible = write!(self.text, "\nwhen {{ {when} }}");
        }
        if let Some(confidence) = unless {
            let _infallible = write!(self.text, "\nunless {{ {} }}", reached(confidence));
        }
        self.text.push_str(";\n\n");
    }

    fn rule(&mut self, effect: &str, principal: &str, action: &str, head: &Head<'_>) {
        let Head {
            id,
            reason,
            quorum,
            origin,
        } = head;
        let file = origin.file.replace(['"', '\\', '\n'], "?");
        let _infallible = write!(
            self.text,
            "@id(\"{id}\") @reason(\"{reason}\") @{ORIGIN}(\"{file}:{}\")",
            origin.line
        );
        if !quorum.is_one() {
            let Quorum { approvers, role } = quorum;
            let _infallible = write!(self.text, " @approvers(\"{approvers}\") @role(\"{role}\")");
        }
        let _infallible = write!(self.text, "\n{effect} ({principal}, {action}, resource)");
    }
}

fn condition(column: Column) -> String {
    match column.entry().map(|entry| entry.when) {
        Some(When::Class(class)) => format!("resource.class == Class::\"{class}\""),
        Some(When::LabelledServer) => {
            "(resource.class == Class::\"server\" && resource.labels.contains(\"non-essential\"))"
                .to_owned()
        }
        Some(When::Critical) => "resource.critical".to_owned(),
        Some(When::Label(label)) => format!("resource.labels.contains(\"{label}\")"),
        Some(When::Rest) | None => "true".to_owned(),
    }
}

fn reached(confidence: u8) -> String {
    format!("context has confidence && context.confidence >= {confidence}")
}

fn words(column: Column) -> &'static str {
    column.entry().map_or("", |entry| entry.words)
}

/// Rule names are lower case with dashes.
fn dashed(name: &str) -> String {
    name.replace('_', "-")
}
