//! Alerts: one detection of a connection, normalised.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::asset::AssetFacts;
use crate::entity::Entity;

/// How bad the vendor says it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth recording.
    Informational,
    /// Minor.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth acting on now.
    High,
    /// Worth waking somebody.
    Critical,
}

impl Severity {
    /// The OCSF `severity_id`, 1 to 5; also the number policy compares.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }

    /// The name used in JSON, policy and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What an alert is about; it selects the playbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// Something runs, or ran, on an endpoint.
    MaliciousProcess,
    /// A sign-in the identity provider calls risky.
    RiskySignIn,
    /// A phishing e-mail, detected or reported.
    PhishingEmail,
    /// Something an account did in a directory, other than signing in.
    IdentityActivity,
    /// Something done through a cloud provider's control plane.
    CloudActivity,
    /// Traffic to or from an indicator.
    NetworkActivity,
    /// A correlation or a kind no playbook knows.
    Other,
}

impl AlertKind {
    /// The name used in JSON, playbooks and policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaliciousProcess => "malicious_process",
            Self::RiskySignIn => "risky_sign_in",
            Self::PhishingEmail => "phishing_email",
            Self::IdentityActivity => "identity_activity",
            Self::CloudActivity => "cloud_activity",
            Self::NetworkActivity => "network_activity",
            Self::Other => "other",
        }
    }
}

/// Where the alert stands at the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Nobody looked yet.
    New,
    /// Somebody works on it.
    InProgress,
    /// Finished.
    Closed,
    /// Finished once, open again.
    Reopened,
    /// The vendor did not say.
    Unknown,
}

/// One ATT&CK technique, or the vendor's own code where it uses one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Technique {
    /// `T1055`, or the vendor's code (CrowdStrike: `CST0001`).
    pub id: String,
    /// The technique's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tactic's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tactic: Option<String>,
}

/// What the vendor's own prevention already did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Prevention {
    /// The process was stopped or never allowed to start.
    pub process_stopped: bool,
    /// The file lies in the vendor's quarantine.
    pub file_quarantined: bool,
    /// The vendor tried to stop the process and could not.
    pub kill_failed: bool,
}

/// One detection of a connection, normalised. The raw document is stored beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Connector that understood the document (`crowdstrike`).
    pub source: String,
    /// The vendor's id of the alert; unique within a connection.
    pub id: String,
    /// The vendor's id of the event behind it, where several alerts can be about one event: the
    /// sign-in's request id, a transaction id. Missing: the alert stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<String>,
    /// One line for people.
    pub title: String,
    /// A sentence or two, as the vendor gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How bad.
    pub severity: Severity,
    /// How sure the vendor is, 0 to 100; missing when it does not say.
    pub confidence: Option<u8>,
    /// What it is about.
    pub kind: AlertKind,
    /// Name of the rule or pattern that fired: what budgets and first-seen checks group by.
    pub detection: String,
    /// When the activity happened.
    pub time: Timestamp,
    /// When the vendor last changed the alert; with `id` it tells redelivery from an update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// ATT&CK techniques.
    pub techniques: Vec<Technique>,
    /// Where it stands at the vendor.
    pub status: AlertStatus,
    /// Page in the vendor's console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_url: Option<String>,
    /// The vendor's id of the customer the alert belongs to (CrowdStrike: `cid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What the vendor's prevention already did.
    #[serde(default)]
    pub prevention: Prevention,
    /// What the document says of the machine it is about.
    #[serde(default)]
    pub asset: AssetFacts,
    /// What it is about, in detail.
    pub entities: Vec<Entity>,
    /// Why parts of the document could not be turned into a target; one sentence each.
    #[serde(default)]
    pub notes: Vec<Note>,
}

/// A sentence about what a document lacks or contradicts, so that nobody has to guess why
/// something was not proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// JSON path of the member the note is about (`device.device_id`).
    pub field: String,
    /// The sentence.
    pub text: String,
    /// The document contradicts itself about which machine is meant: nothing is done to a host, or
    /// on one, without a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubt: bool,
}
