//! The matrix: who decides about which action on which kind of target, as a table an analyst can read.
//!
//! A row is an action type, a column a kind of target. The columns of a machine's class exclude each
//! other; the others (critical, VIP, …) come on top, and of all that apply the strictest holds. The
//! table compiles to rules in the policy language, which hold beside the hand-written ones.

use std::collections::BTreeMap;

use quell_model::{ActionType, EntityType, Quorum, Role, Severity};
use serde::Serialize;

use crate::diagnostics::Source;

mod compile;
mod contradiction;
mod read;

pub(crate) use read::{Row, Thresholds, Written, quorum};

/// Name of the source that a matrix compiles to. Its rules carry the place of their cell.
pub(crate) const COMPILED: &str = "matrix";

/// Annotation of a compiled rule with the place of its cell.
pub(crate) const ORIGIN: &str = "origin";

/// A kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Every target that no other column of a class names.
    Any,
    /// A workstation.
    Workstation,
    /// A server.
    Server,
    /// A server labelled `non-essential`.
    NonEssentialServer,
    /// A domain controller.
    DomainController,
    /// A phone or tablet.
    Mobile,
    /// A machine of which nobody said what it is.
    Unknown,
    /// Called critical by the organization.
    Critical,
    /// Labelled `vip`: somebody whose interruption is felt.
    Vip,
    /// Labelled `service-account`.
    ServiceAccount,
    /// Labelled `privileged`: an account with an administrator's rights.
    Privileged,
    /// Labelled `production`.
    Production,
    /// Labelled `red-team`: part of an exercise.
    RedTeam,
    /// Labelled `break-glass`: the way in when nothing else works.
    BreakGlass,
}

/// A column's name, the words for it at the beginning of a sentence, and when it applies.
struct Entry {
    column: Column,
    name: &'static str,
    words: &'static str,
    when: When,
}

#[derive(Clone, Copy)]
enum When {
    Rest,
    Class(&'static str),
    /// Servers are two columns, told apart by a label.
    LabelledServer,
    Critical,
    Label(&'static str),
}

const COLUMNS: &[Entry] = &[
    entry(Column::Any, "any", "", When::Rest),
    entry(
        Column::Workstation,
        "workstation",
        "On a workstation",
        When::Class("workstation"),
    ),
    entry(
        Column::Server,
        "server",
        "On a server",
        When::Class("server"),
    ),
    entry(
        Column::NonEssentialServer,
        "non_essential_server",
        "On a server labelled non-essential",
        When::LabelledServer,
    ),
    entry(
        Column::DomainController,
        "domain_controller",
        "On a domain controller",
        When::Class("domain_controller"),
    ),
    entry(
        Column::Mobile,
        "mobile",
        "On a mobile device",
        When::Class("mobile"),
    ),
    entry(
        Column::Unknown,
        "unknown",
        "On a machine of unknown kind",
        When::Class("unknown"),
    ),
    entry(
        Column::Critical,
        "critical",
        "On a critical asset",
        When::Critical,
    ),
    entry(Column::Vip, "vip", "For a VIP", When::Label("vip")),
    entry(
        Column::ServiceAccount,
        "service_account",
        "For a service account",
        When::Label("service-account"),
    ),
    entry(
        Column::Privileged,
        "privileged",
        "For a privileged account",
        When::Label("privileged"),
    ),
    entry(
        Column::Production,
        "production",
        "In production",
        When::Label("production"),
    ),
    entry(
        Column::RedTeam,
        "red_team",
        "In a red-team exercise",
        When::Label("red-team"),
    ),
    entry(
        Column::BreakGlass,
        "break_glass",
        "On what is labelled break-glass",
        When::Label("break-glass"),
    ),
];

const fn entry(column: Column, name: &'static str, words: &'static str, when: When) -> Entry {
    Entry {
        column,
        name,
        words,
        when,
    }
}

impl Column {
    /// Every column, in the order a table shows them.
    pub fn all() -> impl Iterator<Item = Self> {
        COLUMNS.iter().map(|entry| entry.column)
    }

    /// Its name in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.entry().map_or("", |entry| entry.name)
    }

    /// Whether it is one of those that exclude each other, rather than come on top.
    #[must_use]
    pub fn is_class(self) -> bool {
        !matches!(
            self.entry().map(|entry| entry.when),
            Some(When::Critical | When::Label(_))
        )
    }

    fn named(name: &str) -> Option<Self> {
        let entry = COLUMNS.iter().find(|entry| entry.name == name)?;
        Some(entry.column)
    }

    fn entry(self) -> Option<&'static Entry> {
        COLUMNS.iter().find(|entry| entry.column == self)
    }

    /// Whether a target of this type can be in the column at all.
    const fn fits(self, target: EntityType) -> bool {
        match self {
            Self::Workstation
            | Self::Server
            | Self::NonEssentialServer
            | Self::DomainController
            | Self::Mobile
            | Self::Unknown => has_class(target),
            _ => true,
        }
    }
}

/// Whether rules can ask about the class of such a target.
pub(crate) const fn has_class(target: EntityType) -> bool {
    matches!(
        target,
        EntityType::Host | EntityType::Process | EntityType::File | EntityType::CloudInstance
    )
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Quell, by itself.
    Auto,
    /// People.
    Ask(Quorum),
    /// A person below this confidence, 1 to 100, and Quell from it on. No confidence is below.
    AskBelowConfidence(u8),
    /// Nobody: it is not done through Quell.
    Never,
}

impl Serialize for Cell {
    /// As it is written in the file.
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Written {
            Word(&'static str),
            People { ask: u8, role: Role },
            Confidence { ask_below_confidence: u8 },
        }
        match *self {
            Self::Auto => Written::Word("auto"),
            Self::Ask(Quorum::ONE) => Written::Word("ask"),
            Self::Ask(Quorum { approvers, role }) => Written::People {
                ask: approvers,
                role,
            },
            Self::AskBelowConfidence(from) => Written::Confidence {
                ask_below_confidence: from,
            },
            Self::Never => Written::Word("never"),
        }
        .serialize(to)
    }
}

/// Where a cell stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    file: String,
    line: usize,
}

/// Who decides about which action on which kind of target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// Nothing is done below this severity.
    pub act_from: Severity,
    /// Below this severity a person decides.
    pub auto_from: Severity,
    severity: Origin,
    /// No row: whatever the action.
    cells: BTreeMap<(Option<ActionType>, Column), (Cell, Origin)>,
}

impl Default for Matrix {
    /// No cell: nothing is permitted.
    fn default() -> Self {
        Self {
            act_from: Severity::Medium,
            auto_from: Severity::High,
            severity: Origin {
                file: String::new(),
                line: 0,
            },
            cells: BTreeMap::new(),
        }
    }
}

impl Matrix {
    /// The text of [`Matrix::rules`] as a source to load; its rules are listed at their cells.
    #[must_use]
    pub const fn compiled(rules: &str) -> Source<'_> {
        Source {
            name: COMPILED,
            text: rules,
        }
    }

    /// The rules it means, as text in the policy language.
    #[must_use]
    pub fn rules(&self) -> String {
        compile::rules(self)
    }

    /// The cell of an action and a column, if one stands there.
    #[must_use]
    pub fn cell(&self, action: ActionType, column: Column) -> Option<Cell> {
        self.cells
            .get(&(Some(action), column))
            .map(|(cell, _)| *cell)
    }

    /// The cell of a column for every action, if one stands there.
    #[must_use]
    pub fn every_action(&self, column: Column) -> Option<Cell> {
        self.cells.get(&(None, column)).map(|(cell, _)| *cell)
    }
}

/// The actions that have a row: those against an attack. Taking one back has rules of its own.
pub fn rows() -> impl Iterator<Item = ActionType> {
    ActionType::ALL.iter().copied().filter(|action| {
        ActionType::ALL
            .iter()
            .all(|done| done.revert() != Some(*action))
    })
}
