//! Requests and replies in the vendor's spelling. No logic. Alert documents are under `alerts`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::lenient::{Flag, List, Number, Text};

/// `POST /oauth2/token`
#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: String,
    pub(super) expires_in: Option<u64>,
}

/// What is around every reply. `errors` may be filled beside a success status.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct Envelope<T> {
    #[serde(default = "Default::default")]
    pub(super) meta: Meta,
    #[serde(default)]
    pub(super) errors: List<ApiError>,
    #[serde(default = "Option::default")]
    pub(super) resources: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) pagination: Option<Pagination>,
    pub(super) writes: Option<Writes>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pagination {
    pub(super) after: Text,
    pub(super) total: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Writes {
    pub(super) resources_affected: Number,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiError {
    pub(super) code: Number,
    pub(super) id: Text,
    pub(super) message: Text,
}

#[derive(Debug, Serialize)]
pub(super) struct Ids<'a> {
    pub(super) ids: &'a [String],
}

/// A device record.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Device {
    pub(super) device_id: Text,
    pub(super) hostname: Text,
    pub(super) machine_domain: Text,
    pub(super) local_ip: Text,
    pub(super) external_ip: Text,
    pub(super) status: Text,
    pub(super) platform_name: Text,
    pub(super) os_version: Text,
    pub(super) product_type: Text,
    pub(super) product_type_desc: Text,
    pub(super) tags: List<Text>,
}

/// A device an action was accepted for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Accepted {
    pub(super) id: Text,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct OnlineState {
    pub(super) id: Text,
    pub(super) state: Text,
}

#[derive(Debug, Serialize)]
pub(super) struct OpenSession<'a> {
    pub(super) device_id: &'a str,
    pub(super) origin: &'static str,
    pub(super) queue_offline: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) session_id: Text,
    pub(super) offline_queued: Flag,
}

#[derive(Debug, Serialize)]
pub(super) struct Command<'a> {
    pub(super) base_command: &'a str,
    pub(super) command_string: &'a str,
    pub(super) session_id: &'a str,
    pub(super) device_id: &'a str,
    pub(super) id: u8,
    pub(super) persist: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CommandAccepted {
    pub(super) cloud_request_id: Text,
    pub(super) queued_command_offline: Flag,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CommandStatus {
    pub(super) complete: Flag,
    pub(super) stdout: Text,
    pub(super) stderr: Text,
}

/// A custom indicator as the vendor shows it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Indicator {
    pub(super) id: Text,
    pub(super) action: Text,
    pub(super) severity: Text,
    pub(super) platforms: List<Text>,
    pub(super) applied_globally: Flag,
    pub(super) source: Text,
    pub(super) description: Text,
    pub(super) tags: List<Text>,
    pub(super) expired: Flag,
    pub(super) deleted: Flag,
    pub(super) from_parent: Flag,
    /// Why an entry was refused.
    pub(super) message: Text,
}

/// On how many devices an indicator was seen.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeviceCount {
    pub(super) device_count: Number,
}

#[derive(Debug, Serialize)]
pub(super) struct Indicators<'a, T> {
    pub(super) comment: &'a str,
    pub(super) indicators: [T; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct NewIndicator<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'a str,
    pub(super) value: &'a str,
    pub(super) action: &'a str,
    pub(super) severity: &'a str,
    pub(super) platforms: &'a [&'a str],
    pub(super) applied_globally: bool,
    pub(super) description: &'a str,
    pub(super) source: &'a str,
    pub(super) tags: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Metadata<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) filename: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct ChangedIndicator<'a> {
    pub(super) id: &'a str,
    pub(super) action: &'a str,
    pub(super) severity: &'a str,
    pub(super) platforms: &'a [&'a str],
    pub(super) applied_globally: bool,
    pub(super) tags: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expiration: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct AlertSearch<'a> {
    pub(super) filter: &'a str,
    pub(super) sort: &'a str,
    pub(super) limit: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<&'a str>,
}

/// Alert documents stay as the vendor wrote them.
pub(super) type Alerts = Envelope<Box<RawValue>>;

/// The members of an alert document that the feed's cursor needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertStamp {
    pub(super) composite_id: Text,
    pub(super) updated_timestamp: Text,
}

#[derive(Debug, Serialize)]
pub(super) struct CompositeIds<'a> {
    pub(super) composite_ids: &'a [&'a str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) action_parameters: &'a [ActionParameter<'a>],
}

#[derive(Debug, Serialize)]
pub(super) struct ActionParameter<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}
