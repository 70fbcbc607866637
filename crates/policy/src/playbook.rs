//! Playbooks: which actions make sense for which kind of alert. A playbook proposes and never
//! decides; what it proposes may still be refused, or turn out to be something only a person can do.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use quell_model::entity::ProcessRole;
use quell_model::text::present;
use quell_model::{
    ActionType, Alert, AlertKind, AlertStatus, AssetFacts, Entity, Reason, Severity,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::budget::{self, WINDOWS};
use crate::diagnostics::{Diagnostic, Diagnostics, Source, toml_complaint};

/// The playbooks that ship with Quell.
const SHIPPED: &[Source<'static>] = &[
    Source {
        name: "playbooks/malicious-process.toml",
        text: include_str!("../../../playbooks/malicious-process.toml"),
    },
    Source {
        name: "playbooks/risky-sign-in.toml",
        text: include_str!("../../../playbooks/risky-sign-in.toml"),
    },
];

/// What makes sense for one kind of alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Its name, unique: a playbook of an organization replaces the shipped one of the same name.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// The kind of alert it answers.
    pub alert: AlertKind,
    /// What to propose, in the order it should be done.
    pub propose: Vec<Step>,
    /// Whom an alert is told to even when nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
}

/// One thing to propose, for each entity of the alert that the action type acts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What to do. Its target follows from it: hosts, the process the alert is about, files.
    pub action: ActionType,
    /// What makes the step pointless when the vendor's prevention already did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Unless>,
    /// Only when the same happened to the target before, or has since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// What makes a step one for the second time only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Longest time between the two events, whichever was heard of first. A minute to 30 days.
    #[serde(deserialize_with = "window", serialize_with = "budget::seconds")]
    pub within: Duration,
    /// Events below this severity neither count nor lead to the step.
    #[serde(default = "high")]
    pub from: Severity,
}

const fn high() -> Severity {
    Severity::High
}

fn window<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let written = SignedDuration::deserialize(from)?;
    Duration::try_from(written)
        .ok()
        .filter(|window| (WINDOWS.0..=WINDOWS.1).contains(window))
        .ok_or_else(|| D::Error::custom("must be from a minute to 30 days, for example \"24h\""))
}

/// What the vendor's prevention may have done before Quell heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unless {
    /// The process was stopped, and nothing says that stopping it failed.
    ProcessStopped,
    /// The file lies in the vendor's quarantine.
    FileQuarantined,
}

/// When people are told of an alert whatever is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// From this severity on.
    pub severity: Severity,
    /// Only when the asset is critical.
    #[serde(default)]
    pub critical_only: bool,
}

/// One action that makes sense. Whether it may run is [`Policy`](crate::Policy)'s to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What to do.
    pub action: ActionType,
    /// To what.
    pub target: Entity,
    /// Name of the playbook that proposes it.
    pub playbook: String,
    /// What the target lacks for it: then only a person can do it, elsewhere.
    pub gap: Option<Reason>,
    /// It is for the second time only.
    pub again: Option<Again>,
}

/// One action that a playbook would have proposed, and why it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What was not proposed.
    pub action: ActionType,
    /// For what; missing when the alert names no such thing.
    pub target: Option<Entity>,
    /// Name of the playbook.
    pub playbook: String,
    /// Why not.
    pub reason: Reason,
}

/// What the playbooks make of an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to propose, in the order it should be done.
    pub proposals: Vec<Proposal>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    /// Why there is nothing at all, when no playbook answers this kind of alert.
    pub none: Option<Reason>,
}

/// The playbooks of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playbooks(Vec<Playbook>);

impl Playbook {
    /// Reads one playbook.
    ///
    /// # Errors
    /// When the text is not TOML, lacks a field, has an unknown one, or names an action twice.
    pub fn parse(name: &str, text: &str) -> Result<Self, Diagnostics> {
        let source = Source { name, text };
        let deserializer =
            toml::Deserializer::parse(text).map_err(|error| toml_complaint(&source, "", &error))?;
        let playbook: Self = serde_path_to_error::deserialize(deserializer)
            .map_err(|error| toml_complaint(&source, &error.path().to_string(), error.inner()))?;
        playbook.check(&source)?;
        Ok(playbook)
    }

    fn check(&self, source: &Source<'_>) -> Result<(), Diagnostics> {
        // Serde has the lines only while it reads, so what concerns a whole playbook is said at its top.
        let mut wrong = Vec::new();
        let mut complain = |message: String| wrong.push(Diagnostic::at(source, 0, message));
        for (field, text) in [("name", &self.name), ("title", &self.title)] {
            if present(text).is_none() {
                complain(format!("`{field}` is empty"));
            }
        }
        if self.propose.is_empty() {
            complain("`propose` is empty: a playbook proposes at least one action".into());
        }
        let mut seen = BTreeSet::new();
        for (index, step) in self.propose.iter().enumerate() {
            if !seen.insert(step.action) {
                complain(format!(
                    "`propose[{index}].action` names `{}` a second time",
                    step.action
                ));
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics::new(wrong))
        }
    }

    /// Whether people are told of this alert whatever is decided, and why.
    #[must_use]
    pub fn notifies(&self, alert: &Alert, asset: &AssetFacts) -> Option<Reason> {
        let notify = self.notify.as_ref()?;
        let due = alert.kind == self.alert
            && alert.severity >= notify.severity
            && (asset.critical || !notify.critical_only);
        let on = if asset.critical {
            " on a critical asset"
        } else {
            ""
        };
        due.then(|| {
            Reason::new(
                "notify",
                format!(
                    "Severity is {}{on}, so people are told.",
                    alert.severity.as_str()
                ),
            )
        })
    }

    fn plan(&self, alert: &Alert, plan: &mut Plan) {
        for step in &self.propose {
            let action = step.action;
            let skip = |target: Option<&Entity>, reason| Skipped {
                action,
                target: target.cloned(),
                playbook: self.name.clone(),
                reason,
            };
            let targets: Vec<_> = alert
                .entities
                .iter()
                .filter(|entity| fits(action, entity))
                .collect();
            if targets.is_empty() {
                let text = format!(
                    "The alert names no {}, so “{}” is not proposed.",
                    action.target().words(),
                    action.phrase()
                );
                plan.skipped
                    .push(skip(None, Reason::new("target-missing", text)));
            }
            let counts = |again: Again| alert.severity >= again.from;
            if let Some(again) = step.again.filter(|again| !counts(*again)) {
                let text = format!(
                    "“{}” needs two alerts of severity {} or more, and this one is {}.",
                    action.phrase(),
                    again.from.as_str(),
                    alert.severity.as_str()
                );
                plan.skipped
                    .push(skip(None, Reason::new("does-not-count", text)));
                continue;
            }
            for target in targets {
                if let Some(reason) = step.unless.and_then(|unless| unless.holds(alert, target)) {
                    plan.skipped.push(skip(Some(target), reason));
                } else if !plan.proposes(action, target) {
                    plan.proposals.push(Proposal {
                        action,
                        target: target.clone(),
                        playbook: self.name.clone(),
                        gap: gap(action, target),
                        again: step.again,
                    });
                }
            }
        }
    }
}

impl Playbooks {
    /// The playbooks that ship with Quell.
    ///
    /// # Errors
    /// When a shipped playbook does not load, which a test excludes.
    pub fn builtin() -> Result<Self, Diagnostics> {
        Self::load(&[])
    }

    /// The texts of the playbooks that ship with Quell, to start one's own from.
    #[must_use]
    pub const fn builtin_sources() -> &'static [Source<'static>] {
        SHIPPED
    }

    /// Names of those with something that is done the second time only.
    pub fn counting(&self) -> impl Iterator<Item = &str> {
        let counts =
            |playbook: &&Playbook| playbook.propose.iter().any(|step| step.again.is_some());
        self.0
            .iter()
            .filter(counts)
            .map(|playbook| playbook.name.as_str())
    }

    /// The playbooks that ship with Quell, with an organization's own beside them; one of the same
    /// name replaces the shipped one.
    ///
    /// # Errors
    /// When one of the texts does not load, or two of the organization's own have the same name.
    pub fn load(own: &[Source<'_>]) -> Result<Self, Diagnostics> {
        let mut wrong = Vec::new();
        let mut read = |sources: &[Source<'_>]| {
            let mut all: Vec<Playbook> = Vec::new();
            for source in sources {
                match Playbook::parse(source.name, source.text) {
                    Ok(playbook) if all.iter().any(|other| other.name == playbook.name) => {
                        let message =
                            format!("the playbook name `{}` is used twice", playbook.name);
                        wrong.push(Diagnostic::at(source, 0, message));
                    }
                    Ok(playbook) => all.push(playbook),
                    Err(diagnostics) => wrong.extend(diagnostics.iter().cloned()),
                }
            }
            all
        };
        let (shipped, own) = (read(SHIPPED), read(own));
        if !wrong.is_empty() {
            return Err(Diagnostics::new(wrong));
        }
        let replaced = |playbook: &Playbook| own.iter().any(|mine| mine.name == playbook.name);
        let kept = shipped
            .into_iter()
            .filter(|playbook| !replaced(playbook))
            .collect::<Vec<_>>();
        Ok(Self(kept.into_iter().chain(own).collect()))
    }

    /// One by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Playbook> {
        self.0.iter()
    }

    /// What makes sense for an alert: each action once for each target, however often the alert or
    /// the playbooks name it.
    #[must_use]
    pub fn propose(&self, alert: &Alert) -> Plan {
        let mut plan = Plan::default();
        // Somebody has dealt with it already, perhaps by finding that it was nothing. A feed brings such
        // alerts when it starts, and each time one is closed.
        if alert.status == AlertStatus::Closed {
            let text = "The alert is closed at the vendor, so nothing is proposed.";
            plan.none = Some(Reason::new("alert-closed", text));
            return plan;
        }
        let mut fitting = self
            .0
            .iter()
            .filter(|playbook| playbook.alert == alert.kind)
            .peekable();
        if fitting.peek().is_none() {
            let kind = alert.kind.as_str().replace('_', " ");
            plan.none = Some(Reason::new(
                "no-playbook",
                format!("No playbook answers alerts of the kind “{kind}”, so nothing is proposed."),
            ));
        }
        for playbook in fitting {
            playbook.plan(alert, &mut plan);
        }
        plan
    }

    /// Whether people are told of this alert whatever is decided, and why.
    #[must_use]
    pub fn notifies(&self, alert: &Alert, asset: &AssetFacts) -> Option<Reason> {
        self.0
            .iter()
            .find_map(|playbook| playbook.notifies(alert, asset))
    }
}

impl Plan {
    fn proposes(&self, action: ActionType, target: &Entity) -> bool {
        let same = |other: &Entity| {
            other == target || (target.key().is_some() && other.key() == target.key())
        };
        self.proposals
            .iter()
            .any(|p| p.action == action && same(&p.target))
    }
}

impl Unless {
    fn holds(self, alert: &Alert, target: &Entity) -> Option<Reason> {
        let prevention = &alert.prevention;
        match self {
            // A document that claims both is wrong about one; trying again does no harm.
            Self::ProcessStopped => {
                (prevention.process_stopped && !prevention.kill_failed).then(|| {
                    Reason::new(
                        "process-already-stopped",
                        "The vendor already stopped the process.",
                    )
                })
            }
            Self::FileQuarantined => {
                let there = matches!(target, Entity::File(file) if file.quarantined);
                (there || prevention.file_quarantined).then(|| {
                    Reason::new(
                        "file-already-quarantined",
                        "The vendor already quarantined the file.",
                    )
                })
            }
        }
    }
}

/// Whether an action is meant for this entity of the alert. The shell or service that started the
/// process is in the alert as well, and is not to be killed.
fn fits(action: ActionType, entity: &Entity) -> bool {
    entity.entity_type() == action.target()
        && !matches!(entity, Entity::Process(process) if process.role != ProcessRole::Subject)
}

/// What the target lacks for the action.
fn gap(action: ActionType, target: &Entity) -> Option<Reason> {
    let has = |value: &Option<String>| value.as_deref().and_then(present).is_some();
    let (rule, lack) = match target {
        Entity::Host(host) if !has(&host.id) => ("device-id-missing", "the vendor's device id"),
        Entity::Process(process) if !has(&process.host_id) => {
            ("device-id-missing", "the vendor's device id of the host")
        }
        Entity::Process(process) if process.pid.is_none() => {
            ("process-id-missing", "the operating system's process id")
        }
        Entity::File(file) if on_host(action) && !has(&file.host_id) => {
            ("device-id-missing", "the vendor's device id of the host")
        }
        Entity::File(file) if on_host(action) && !has(&file.path) => {
            ("file-path-missing", "the file's path")
        }
        Entity::File(file)
            if !on_host(action) && ![&file.sha256, &file.md5, &file.sha1].into_iter().any(has) =>
        {
            ("file-hash-missing", "a hash of the file")
        }
        Entity::Account(account)
            if ![&account.id, &account.principal, &account.name]
                .into_iter()
                .any(has) =>
        {
            ("account-id-missing", "an id or name of the account")
        }
        Entity::EmailMessage(message)
            if ![&message.message_id, &message.vendor_id]
                .into_iter()
                .any(has) =>
        {
            ("message-id-missing", "an id of the message")
        }
        Entity::CloudInstance(instance) if !has(&instance.id) => {
            ("instance-id-missing", "the instance id")
        }
        Entity::AccessKey(key) if !has(&key.id) => {
            ("access-key-id-missing", "the id of the access key")
        }
        Entity::InboxRule(rule) if !has(&rule.mailbox) => ("mailbox-missing", "the mailbox"),
        Entity::InboxRule(rule) if !has(&rule.id) => {
            ("inbox-rule-id-missing", "the id of the rule")
        }
        _ => return None,
    };
    Some(Reason::new(
        rule,
        format!(
            "The alert lacks {lack}, so “{}” is left to a person.",
            action.phrase()
        ),
    ))
}

/// Whether a file action needs the file on its host, rather than its hash.
const fn on_host(action: ActionType) -> bool {
    matches!(action, ActionType::QuarantineFile | ActionType::RestoreFile)
}
