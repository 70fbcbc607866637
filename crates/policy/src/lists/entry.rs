//! One entry of a list: what it is about, how strongly, for which actions, and whether it makes sense
//! at all. Finding entries is the index's business.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use quell_model::{ActionType, ConnectionId, EntityType, text};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::form::{Form, form};

/// Longest value, reason, author or source, in characters: what the model keeps of one line.
pub const LONGEST: usize = text::LINE_LIMIT;

/// What being on a list means. Never is stronger than ask, ask is stronger than allow.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// It is on the allow list. Where an action type has an allow list, a target that is on none of
    /// its entries asks a person.
    Allow,
    /// Never by itself.
    Ask,
    /// Nobody through Quell, not even after a yes.
    Never,
}

impl Strength {
    /// Every strength, the weakest first.
    pub const ALL: &'static [Self] = &[Self::Allow, Self::Ask, Self::Never];

    /// The name in JSON and CSV.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Never => "never",
        }
    }
}

macro_rules! subjects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal on $($target:ident)|*;)*) => {
        /// What an entry is about, and with that what its value is compared with. An entry about one
        /// thing never matches another: a sender pattern cannot protect a host by accident.
        ///
        /// Values are compared without regard to case. Where it is not said otherwise, `*` in a value
        /// stands for any characters and `?` for exactly one, and the whole text has to fit.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Subject { $($(#[$doc])* $variant,)* }

        impl Subject {
            /// Every subject, in the order documents list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in JSON and CSV.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kinds of target an entry about it can match.
            #[must_use]
            pub const fn targets(self) -> &'static [EntityType] {
                match self { $(Self::$variant => subjects!(@ $($target)|*),)* }
            }
        }
    };
    (@ All) => { EntityType::ALL };
    (@ $($target:ident)|*) => { &[$(EntityType::$target),*] };
}

subjects! {
    /// A machine: its device id or its name. Protects processes and files on it too.
    Host = "host" on Host | Process | File;
    /// A person's or service's account: its id, principal, name or `DOMAIN\name`. Protects the rules
    /// in its mailbox and its access keys too.
    Account = "account" on Account | InboxRule | AccessKey;
    /// A file's SHA-256, SHA-1 or MD5 in hexadecimal, without wildcards. Protects processes that run
    /// the file too.
    Hash = "hash" on File | Process;
    /// A file's name, without its folder.
    FileName = "file_name" on File;
    /// The name of a process's image, without its folder.
    ProcessName = "process_name" on Process;
    /// A domain. Without wildcards it stands for everything below it too (`example.com` for
    /// `www.example.com`), and for URLs there. A domain above a protected one is protected as well,
    /// because blocking it blocks what is below.
    Domain = "domain" on NetworkIndicator;
    /// An IPv4 or IPv6 address or network (`192.0.2.0/24`), without wildcards, and URLs there. A
    /// network that contains a protected address is protected as well.
    Ip = "ip" on NetworkIndicator;
    /// A sender's address (`ana@example.com`) or whole domain (`example.com`, with everything below
    /// it), and messages from it. A domain with a protected address in it is protected as well.
    Sender = "sender" on Sender | EmailMessage;
    /// A virtual machine's id in its cloud.
    CloudInstance = "cloud_instance" on CloudInstance;
    /// An access key's public id.
    AccessKey = "access_key" on AccessKey;
    /// A mailbox rule's id or name, or a forwarding address.
    InboxRule = "inbox_rule" on InboxRule;
    /// A label of the target, or for a process or a file of its machine.
    Label = "label" on All;
    /// Whatever the target is: all of its ids and names, a URL or a message id included, compared as
    /// text and nothing else. For lists that do not say what their values are.
    Any = "any" on All;
}

/// An entry as somebody wrote it, before it is checked.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProtectionListEntry")]
pub struct Draft {
    /// What it is about.
    pub subject: Subject,
    /// Which ones, in the form its subject says; 1 to 512 characters on one line.
    pub value: String,
    /// What being on it means.
    pub strength: Strength,
    /// The action types it counts for. None means every action type.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub actions: BTreeSet<ActionType>,
    /// The connection it counts for. Without it: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// Why, for the person who finds it in the way; 1 to 512 characters on one line.
    pub reason: String,
    /// The person or job that answers for it; 1 to 512 characters on one line.
    pub author: String,
    /// Who wrote it: `person`, or the name of the job that fills it. 1 to 512 characters on one line.
    pub source: String,
    /// When it was written (RFC 3339). It counts from the moment it is loaded, whatever this says.
    pub added: Timestamp,
    /// The moment it stops counting (RFC 3339). Without it: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A checked entry. Its fields can be read like those of a [`Draft`], and not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Draft", into = "Draft")]
pub struct Entry {
    draft: Draft,
    form: Form,
}

/// One thing that is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {wrong}: {fix}")]
pub struct Problem {
    /// The field it is about, as JSON and CSV name it.
    pub field: &'static str,
    /// What is wrong with the field, without its name.
    pub wrong: String,
    /// What to do about it.
    pub fix: String,
}

/// Everything that is wrong with an entry; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Entry {
    /// Checks an entry. Spaces around its texts are dropped.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it: a text that is empty, too long or has hidden characters, a
    /// value that is not what its subject says or that could never match, an action that acts on
    /// something else than the subject, an allow list for everything, an end before its beginning.
    pub fn new(mut draft: Draft) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        for (field, text) in [
            ("value", &mut draft.value),
            ("reason", &mut draft.reason),
            ("author", &mut draft.author),
            ("source", &mut draft.source),
        ] {
            *text = text.trim().to_owned();
            problems.extend(unreadable(field, text));
        }
        for action in &draft.actions {
            if !draft.subject.targets().contains(&action.target()) {
                problems.push(problem(
                    "actions",
                    format!("has `{action}`, which acts on another kind of target"),
                    format!(
                        "leave it out; a `{}` entry never matches one",
                        draft.subject.as_str()
                    ),
                ));
            }
        }
        if draft.expires.is_some_and(|expires| expires <= draft.added) {
            problems.push(problem(
                "expires",
                "is not after `added`",
                "give a later moment, or none for an entry that stays",
            ));
        }
        let unreadable_value = problems.iter().any(|problem| problem.field == "value");
        match form(&draft) {
            Ok(form) if problems.is_empty() => return Ok(Self { draft, form }),
            // An empty or hidden value is not also complained of as no domain.
            Err(wrong) if !unreadable_value => problems.push(wrong),
            _ => {}
        }
        Err(Problems(problems))
    }

    pub(super) const fn form(&self) -> &Form {
        &self.form
    }

    /// Whether it counts for this action through this connection at this moment.
    pub(super) fn counts(
        &self,
        action: ActionType,
        connection: &ConnectionId,
        now: Timestamp,
    ) -> bool {
        (self.actions.is_empty() || self.actions.contains(&action))
            && self
                .connection
                .as_ref()
                .is_none_or(|only| only == connection)
            && self.expires.is_none_or(|expires| expires > now)
    }
}

/// Reading only: a changed value would no longer be the one that was checked.
impl Deref for Entry {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.draft
    }
}

impl TryFrom<Draft> for Entry {
    type Error = Problems;

    fn try_from(draft: Draft) -> Result<Self, Problems> {
        Self::new(draft)
    }
}

impl From<Entry> for Draft {
    fn from(entry: Entry) -> Self {
        entry.draft
    }
}

impl JsonSchema for Entry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Draft::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        Draft::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Draft::json_schema(generator)
    }
}

impl Problems {
    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

/// All of them on one line.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

pub(super) fn problem(
    field: &'static str,
    wrong: impl Into<String>,
    fix: impl Into<String>,
) -> Problem {
    Problem {
        field,
        wrong: wrong.into(),
        fix: fix.into(),
    }
}

/// A value short enough to stand in a message, without anything that could forge a line.
pub(super) fn excerpt(value: &str) -> String {
    let short: String = value.chars().take(48).collect();
    text::line(&short)
}

fn unreadable(field: &'static str, text: &str) -> Option<Problem> {
    if text.is_empty() {
        return Some(problem(field, "is empty", "fill it in"));
    }
    let length = text.chars().count();
    if length > LONGEST {
        return Some(problem(
            field,
            format!("has {length} characters"),
            format!("shorten it to {LONGEST}"),
        ));
    }
    // The same characters that are taken out of an alert: nothing an alert names could match them.
    (text::line(text) != text).then(|| {
        problem(
            field,
            "has control or invisible characters",
            "type it by hand instead of pasting it",
        )
    })
}
