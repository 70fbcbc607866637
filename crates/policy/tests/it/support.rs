//! Cases to decide, with the usual values in place.

use std::sync::LazyLock;

use quell_model::action::Basis;
use quell_model::entity::{
    AccessKey, Account, CloudInstance, EmailMessage, File, Host, InboxRule, IndicatorKind,
    NetworkIndicator, Process, Sender,
};
use quell_model::{
    ActionType, AssetClass, AssetFacts, Decision, Entity, EntityType, FileFacts, Severity,
};
use quell_policy::{Diagnostics, Policy, Question, Settings, Source};

/// Everything a question refers to, owned.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) action: ActionType,
    pub(crate) target: Entity,
    pub(crate) asset: AssetFacts,
    pub(crate) basis: Basis,
    pub(crate) file: FileFacts,
    pub(crate) lists: Vec<String>,
}

impl Case {
    /// High severity, a workstation, nothing else known.
    pub(crate) fn new(action: ActionType) -> Self {
        Self {
            action,
            target: target(action.target()),
            asset: AssetFacts {
                class: AssetClass::Workstation,
                ..AssetFacts::default()
            },
            basis: Basis {
                severity: Severity::High,
                confidence: None,
                source: "crowdstrike".into(),
                detection: "Ransomware".into(),
            },
            file: FileFacts::default(),
            lists: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn decide(&self, policy: &Policy) -> Decision {
        let lists: Vec<&str> = self.lists.iter().map(String::as_str).collect();
        policy.decide(&Question {
            action: self.action,
            target: &self.target,
            asset: &self.asset,
            basis: &self.basis,
            file: self.file,
            lists: &lists,
            entry: None,
        })
    }
}

/// A target of the kind that nothing speaks against.
pub(crate) fn target(kind: EntityType) -> Entity {
    let some = |text: &str| Some(text.to_owned());
    match kind {
        EntityType::Host => Host {
            id: some("h1"),
            name: some("WS-17"),
            ..Host::default()
        }
        .into(),
        EntityType::Process => Process {
            host_id: some("h1"),
            pid: Some(4711),
            name: some("evil.exe"),
            path: some(r"\Device\HarddiskVolume3\Users\ana\evil.exe"),
            ..Process::default()
        }
        .into(),
        EntityType::File => File {
            sha256: Some("ab".repeat(32)),
            name: some("evil.exe"),
            path: some(r"\Device\HarddiskVolume3\Users\ana\evil.exe"),
            host_id: some("h1"),
            ..File::default()
        }
        .into(),
        EntityType::Account => Account {
            id: some("S-1-5-21"),
            ..Account::default()
        }
        .into(),
        EntityType::EmailMessage => EmailMessage {
            message_id: some("<1@example.com>"),
            ..EmailMessage::default()
        }
        .into(),
        EntityType::NetworkIndicator => NetworkIndicator {
            kind: IndicatorKind::Domain,
            value: "evil.example".into(),
        }
        .into(),
        EntityType::Sender => Sender {
            value: "evil@example.com".into(),
        }
        .into(),
        EntityType::CloudInstance => CloudInstance {
            id: some("i-1"),
            ..CloudInstance::default()
        }
        .into(),
        EntityType::AccessKey => AccessKey {
            id: some("AKIA1"),
            ..AccessKey::default()
        }
        .into(),
        EntityType::InboxRule => InboxRule {
            mailbox: some("ana@example.com"),
            id: some("r1"),
            ..InboxRule::default()
        }
        .into(),
    }
}

pub(crate) fn rule_ids(decision: &Decision) -> Vec<&str> {
    decision
        .reasons
        .iter()
        .map(|reason| reason.rule.as_str())
        .collect()
}

/// The shipped rules, loaded once.
pub(crate) fn builtin() -> &'static Policy {
    static BUILTIN: LazyLock<Policy> = LazyLock::new(|| {
        Policy::builtin().unwrap_or_else(|wrong| panic!("the shipped rules do not load:\n{wrong}"))
    });
    &BUILTIN
}

/// The shipped rules, with changes to the shipped matrix.
pub(crate) fn with_matrix(text: &str) -> Policy {
    let source = Source {
        name: "policy/policy.toml",
        text,
    };
    let matrix = Settings::load(&source)
        .unwrap_or_else(|wrong| panic!("{wrong}"))
        .matrix;
    Policy::with(&matrix, &[Policy::builtin_source()]).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// The shipped rules with one more.
pub(crate) fn with_rule(own: Source<'_>) -> Result<Policy, Diagnostics> {
    Policy::with(
        &Settings::builtin().matrix,
        &[Policy::builtin_source(), own],
    )
}

/// The texts of the shipped rules, one by one.
pub(crate) fn shipped_rules() -> Vec<String> {
    let text = Settings::builtin().matrix.rules() + Policy::builtin_source().text;
    let rules: Vec<_> = text
        .split("@id(")
        .skip(1)
        .map(|rule| format!("@id({rule}"))
        .collect();
    assert_eq!(rules.len(), builtin().rules().len());
    rules
}
