//! Refusals, as they go over the wire.

use quell_policy::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a request was refused. Every reply with a status of 400 or more has this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What to decide on (`not_found`). Codes are stable; messages are not.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// The query parameter or header at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// JSON path of the member at fault in the body that was sent (`$.reason`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The places in files of the server that are at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemPlace>,
}

/// A place in a file that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemPlace {
    /// The file, as the configuration names it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong, one line.
    pub message: String,
    /// What to do about it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl From<Diagnostic> for ProblemPlace {
    fn from(found: Diagnostic) -> Self {
        Self {
            file: found.file,
            line: found.line,
            column: found.column,
            message: found.message,
            help: found.help,
        }
    }
}

impl From<ProblemPlace> for Diagnostic {
    fn from(found: ProblemPlace) -> Self {
        Self {
            file: found.file,
            line: found.line,
            column: found.column,
            message: found.message,
            help: found.help,
        }
    }
}
