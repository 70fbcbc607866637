//! Entities: what an alert is about and an action can target.
//!
//! An entity says what it is in the vendor's own ids, because those are what the vendor's API
//! takes. A missing value is `None`, never an empty text, an all-zero hash or `N/A`.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::asset::AssetClass;

/// A machine, as one vendor knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Host {
    /// The vendor's device id. Without it the host cannot be acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Host name as the vendor shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the document says the machine is.
    pub class: AssetClass,
    /// Operating system family: `windows`, `macos`, `linux`, or the vendor's word in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Operating system version as the vendor shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Directory domain the machine belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Address inside the organization's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_ip: Option<String>,
    /// Address as seen from the internet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_ip: Option<String>,
    /// The vendor's tags and groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A running (or once running) process on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Process {
    /// The vendor's device id of the host it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Name of that host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The operating system's process id: the only number that can be killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The vendor's own id of the process in its graph, which is not a pid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_id: Option<String>,
    /// Image name (`evil.exe`), compared before a kill because pids are reused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Image path as the vendor spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<String>,
    /// SHA-256 of the image, lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Who ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Part it plays in the alert: `subject`, `parent` or `grandparent`.
    pub role: ProcessRole,
}

/// The part a process plays in an alert. Only the subject is a target of remediation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessRole {
    /// The process the alert is about.
    #[default]
    Subject,
    /// Its parent.
    Parent,
    /// Its parent's parent.
    Grandparent,
}

/// A file, known by its hashes; on a host when the alert names one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct File {
    /// SHA-256, 64 lower-case hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// MD5, 32 lower-case hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// SHA-1, 40 lower-case hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    /// File name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Path as the vendor spells it (CrowdStrike: an NT device path, not `C:\…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The vendor's device id of the host it lies on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// The vendor already moved it to quarantine.
    pub quarantined: bool,
}

/// A person's or a service's account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Account {
    /// The directory's or vendor's stable id (SID, object id, principal id).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Account name without its domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Directory domain, or the cloud account the identity belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// User principal name or e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Where the account lives: `active_directory`, `aws`, `local` and so on, when the document says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Windows security identifier (`S-1-5-21-…`): the same account in Active Directory, wherever `id`
    /// is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// One e-mail message; an action reaches it in every recipient's mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EmailMessage {
    /// Internet message id (`<…@…>`), the same in every mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The vendor's own id of the message or of the delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor_id: Option<String>,
    /// Sender address from the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Subject line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Recipient addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
}

/// A domain, address or URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct NetworkIndicator {
    /// What the value is.
    pub kind: IndicatorKind,
    /// The domain, address or URL itself, lower case where case has no meaning.
    pub value: String,
}

/// The kinds of network indicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IndicatorKind {
    /// A DNS name.
    Domain,
    /// An IPv4 or IPv6 address or network.
    Ip,
    /// A full URL.
    Url,
}

/// A sender of mail: an address, or a whole domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// `user@example.com` or `example.com`, lower case.
    pub value: String,
}

/// A virtual machine in a cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CloudInstance {
    /// `aws`, `azure`, `gcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Account, subscription or project id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Instance id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A cloud access key. Only its public id, never its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AccessKey {
    /// `aws` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Account the key belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// User the key belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The key's public id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A rule or forwarding address in a mailbox that an attacker may have planted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InboxRule {
    /// Mailbox address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// The vendor's id of the rule, or the forwarding address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The rule's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

macro_rules! entities {
    ($($(#[$doc:meta])* $variant:ident($inner:ty) = $tag:literal, $words:literal;)*) => {
        /// One thing an alert is about.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum Entity { $($(#[$doc])* $variant($inner),)* }

        /// The kinds of entity.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum EntityType { $($(#[$doc])* $variant,)* }

        impl EntityType {
            /// Every kind, in the order documents list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used in JSON and policy.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $tag,)* }
            }

            /// The name in a sentence for people.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)* }
            }
        }

        impl Entity {
            /// Which kind of entity this is.
            #[must_use]
            pub const fn entity_type(&self) -> EntityType {
                match self { $(Self::$variant(_) => EntityType::$variant,)* }
            }
        }

        $(impl From<$inner> for Entity {
            fn from(inner: $inner) -> Self { Self::$variant(inner) }
        }

        impl crate::property::Target for $inner {
            const TYPE: EntityType = EntityType::$variant;
            fn of(entity: &Entity) -> Option<&Self> {
                match entity { Entity::$variant(inner) => Some(inner), _ => None }
            }
        })*
    };
}

entities! {
    /// A machine.
    Host(Host) = "host", "host";
    /// A process on a machine.
    Process(Process) = "process", "process";
    /// A file or its hash.
    File(File) = "file", "file";
    /// An account.
    Account(Account) = "account", "account";
    /// An e-mail message.
    EmailMessage(EmailMessage) = "email_message", "e-mail message";
    /// A domain, address or URL.
    NetworkIndicator(NetworkIndicator) = "network_indicator", "network indicator";
    /// A sender of mail.
    Sender(Sender) = "sender", "sender";
    /// A virtual machine in a cloud.
    CloudInstance(CloudInstance) = "cloud_instance", "cloud instance";
    /// A cloud access key.
    AccessKey(AccessKey) = "access_key", "access key";
    /// A mailbox rule or forwarding address.
    InboxRule(InboxRule) = "inbox_rule", "inbox rule";
}

impl Entity {
    /// The identity two mentions of the same thing share, or nothing when the document does not
    /// identify it well enough to say. Used to join alerts and to keep one live action per target.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let id = match self {
            Self::Host(host) => host.id.clone()?,
            Self::Process(process) => format!(
                "{}/{}/{}",
                process.host_id.as_deref()?,
                process.pid?,
                process.name.as_deref().unwrap_or_default()
            ),
            Self::File(file) => file
                .sha256
                .clone()
                .or_else(|| file.md5.clone())
                .or_else(|| file.sha1.clone())?,
            Self::Account(account) => account
                .id
                .clone()
                .or_else(|| account.principal.as_deref().map(str::to_lowercase))
                .or_else(|| {
                    let name = account.name.as_deref()?;
                    Some(
                        format!("{}\\{name}", account.domain.as_deref().unwrap_or_default())
                            .to_lowercase(),
                    )
                })?,
            Self::EmailMessage(message) => message
                .message_id
                .clone()
                .or_else(|| message.vendor_id.clone())?,
            Self::NetworkIndicator(indicator) => indicator.value.clone(),
            Self::Sender(sender) => sender.value.clone(),
            Self::CloudInstance(instance) => instance.id.clone()?,
            Self::AccessKey(key) => key.id.clone()?,
            Self::InboxRule(rule) => {
                format!("{}/{}", rule.mailbox.as_deref()?, rule.id.as_deref()?)
            }
        };
        Some(format!("{}:{id}", self.entity_type().as_str()))
    }
}

/// The entity as a person would name it in a sentence.
impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = |options: &[&Option<String>]| {
            options
                .iter()
                .find_map(|o| (*o).clone())
                .unwrap_or_else(|| "(unnamed)".to_owned())
        };
        match self {
            Self::Host(host) => f.write_str(&first(&[&host.name, &host.id])),
            Self::Process(process) => {
                f.write_str(&first(&[&process.name, &process.path, &process.vendor_id]))?;
                if let Some(pid) = process.pid {
                    write!(f, " (pid {pid})")?;
                }
                write!(f, " on {}", first(&[&process.host_name, &process.host_id]))
            }
            Self::File(file) => {
                let hash = file
                    .sha256
                    .as_ref()
                    .or(file.md5.as_ref())
                    .or(file.sha1.as_ref());
                match (&file.name, hash) {
                    (Some(name), Some(hash)) => {
                        let short: String = hash.chars().take(12).collect();
                        write!(f, "{name} ({short}…)")
                    }
                    (Some(name), None) => f.write_str(name),
                    (None, Some(hash)) => f.write_str(hash),
                    (None, None) => f.write_str("(unnamed)"),
                }
            }
            Self::Account(account) => match (&account.principal, &account.domain, &account.name) {
                (Some(principal), _, _) => f.write_str(principal),
                (None, Some(domain), Some(name)) => write!(f, "{domain}\\{name}"),
                _ => f.write_str(&first(&[&account.name, &account.id])),
            },
            Self::EmailMessage(message) => {
                write!(
                    f,
                    "“{}”",
                    first(&[&message.subject, &message.message_id, &message.vendor_id])
                )
            }
            Self::NetworkIndicator(indicator) => f.write_str(&indicator.value),
            Self::Sender(sender) => f.write_str(&sender.value),
            Self::CloudInstance(instance) => f.write_str(&first(&[&instance.id])),
            Self::AccessKey(key) => f.write_str(&first(&[&key.id])),
            Self::InboxRule(rule) => {
                write!(
                    f,
                    "{} in {}",
                    first(&[&rule.name, &rule.id]),
                    first(&[&rule.mailbox])
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_an_operating_system_pid_has_no_identity_to_act_on() {
        let process = Process {
            host_id: Some("h1".into()),
            vendor_id: Some("pid:h1:99".into()),
            ..Process::default()
        };
        assert_eq!(Entity::from(process).key(), None);
    }

    #[test]
    fn two_mentions_of_one_account_share_a_key_whatever_their_case() {
        let account = |principal: &str| {
            Entity::from(Account {
                principal: Some(principal.into()),
                ..Account::default()
            })
            .key()
        };
        assert_eq!(account("Ana@Example.com"), account("ana@example.com"));
    }

    #[test]
    fn the_json_form_names_its_type_and_leaves_out_what_is_missing() {
        let host = Entity::from(Host {
            id: Some("h1".into()),
            ..Host::default()
        });
        assert_eq!(
            serde_json::to_value(host).unwrap(),
            serde_json::json!({ "type": "host", "id": "h1", "class": "unknown" })
        );
    }
}
