//! What a command ends with when it cannot do its job: one sentence, what to do about it, and the
//! exit code.

use std::fmt;
use std::process::ExitCode;

use quell_policy::{Diagnostic, Diagnostics};
use serde_json::{Map, Value, json};

/// Result of a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Exit codes, documented in `quell --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// What was asked could not be done.
    Failed,
    /// What was given cannot be used: an unreadable document, a wrong configuration, a wrong option.
    BadInput,
}

/// Why a command could not do its job.
#[derive(Debug, Clone)]
pub struct Failure(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    message: String,
    hint: Option<String>,
    problems: Vec<Diagnostic>,
    members: Map<String, Value>,
}

impl Failure {
    /// What was asked could not be done.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// What was given cannot be used.
    #[must_use]
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Code::BadInput, message)
    }

    fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            message: message.into(),
            hint: None,
            problems: Vec::new(),
            members: Map::new(),
        }))
    }

    /// Places in a file that are wrong; none are no failure.
    #[must_use]
    pub fn of_problems(what: &str, mut problems: Vec<Diagnostic>) -> Self {
        problems.sort();
        problems.dedup();
        let count = match problems.len() {
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        let mut failure = Self::bad_input(format!("{what} has {count}"));
        failure.0.problems = problems;
        failure
    }

    /// With the places that are wrong.
    #[must_use]
    pub fn problems_at(mut self, problems: Vec<Diagnostic>) -> Self {
        self.0.problems = problems;
        self
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// With one more member for programs.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// With the causes of an error behind the message.
    #[must_use]
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if !self.0.message.contains(&text) {
                self.0.message.push_str(": ");
                self.0.message.push_str(&text);
            }
            cause = error.source();
        }
        self
    }

    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.0.code {
            Code::Failed => ExitCode::from(1),
            Code::BadInput => ExitCode::from(2),
        }
    }

    /// What went wrong, one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The places that are wrong, when it is about a file.
    #[must_use]
    pub fn problems(&self) -> &[Diagnostic] {
        &self.0.problems
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut error = Map::new();
        let code = match self.0.code {
            Code::Failed => "failed",
            Code::BadInput => "bad_input",
        };
        error.insert("code".into(), code.into());
        error.insert("message".into(), self.0.message.clone().into());
        error.extend(self.0.members.clone());
        if let Some(hint) = &self.0.hint {
            error.insert("hint".into(), hint.clone().into());
        }
        if !self.0.problems.is_empty() {
            error.insert("problems".into(), json!(self.0.problems));
        }
        json!({ "error": error })
    }
}

/// Why a file could not be used, in words for people.
#[must_use]
pub fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "this user may not".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::output::{BAD, QUIET};
        write!(f, "{BAD}error:{BAD:#} {}", self.0.message)?;
        if !self.0.problems.is_empty() {
            writeln!(f, "\n")?;
            for problem in &self.0.problems {
                write!(
                    f,
                    "  {}:{}:{}: ",
                    problem.file, problem.line, problem.column
                )?;
                f.write_str(&problem.message)?;
                match &problem.help {
                    Some(help) => writeln!(f, "\n      {QUIET}{help}{QUIET:#}")?,
                    None => writeln!(f)?,
                }
            }
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\n  {QUIET}{hint}{QUIET:#}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        let problems: Vec<_> = diagnostics.iter().cloned().collect();
        Self::of_problems("the policy", problems)
    }
}
