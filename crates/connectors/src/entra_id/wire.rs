//! What Microsoft Graph sends and takes, as far as it is read. Members it leaves out or sends as null are none.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: String,
    pub(super) expires_in: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInRefused {
    pub(super) error_codes: Vec<u64>,
}

/// Claims of an access token.
#[derive(Deserialize)]
pub(super) struct Claims {
    /// Template ids of the directory roles held.
    pub(super) wids: Option<Vec<String>>,
}

/// The error shape of the API; every other reply is one without an error.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Failure {
    pub(super) error: Option<FailureBody>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct FailureBody {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next: Option<String>,
}

pub(super) type Documents = Page<Box<RawValue>>;

/// A user, with the members that [`USER`] selects.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) user_principal_name: Option<String>,
    pub(super) account_enabled: Option<bool>,
    pub(super) user_type: Option<String>,
    pub(super) on_premises_sync_enabled: Option<bool>,
    pub(super) on_premises_sam_account_name: Option<String>,
    pub(super) on_premises_domain_name: Option<String>,
    pub(super) on_premises_security_identifier: Option<String>,
    pub(super) sign_in_sessions_valid_from_date_time: Option<String>,
    pub(super) last_password_change_date_time: Option<String>,
}

/// None of these but the first two come unless they are selected.
pub(super) const USER: &str = "id,userPrincipalName,accountEnabled,userType,onPremisesSyncEnabled,\
onPremisesSamAccountName,onPremisesDomainName,onPremisesSecurityIdentifier,signInSessionsValidFromDateTime,\
lastPasswordChangeDateTime";

/// A directory role a user holds. Whoever may not read roles gets it with its id only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Role {
    pub(super) id: String,
    pub(super) display_name: Option<String>,
    pub(super) role_template_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Domain {
    pub(super) authentication_type: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Enablement {
    pub(super) account_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPassword<'a> {
    pub(super) password_profile: PasswordProfile<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordProfile<'a> {
    pub(super) force_change_password_next_sign_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserIds<'a> {
    pub(super) user_ids: &'a [&'a str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupIds<'a> {
    pub(super) group_ids: &'a [&'a str],
}

/// What the feed and the write-back read of a detection, and of a risky user, who is found when the risk changes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DetectionStamp {
    pub(super) id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) risk_state: Option<String>,
    #[serde(alias = "riskLastUpdatedDateTime")]
    pub(super) detected_date_time: Option<String>,
    pub(super) last_updated_date_time: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSubscription<'a> {
    pub(super) change_type: &'static str,
    pub(super) notification_url: &'a str,
    pub(super) lifecycle_notification_url: &'a str,
    pub(super) resource: &'a str,
    pub(super) expiration_date_time: String,
    pub(super) client_state: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Renewal {
    pub(super) expiration_date_time: String,
}

#[derive(Deserialize)]
pub(super) struct Subscribed {
    pub(super) id: String,
}

/// A push of change notifications.
#[derive(Deserialize)]
pub(super) struct Notified {
    pub(super) value: Vec<Notification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notification {
    pub(super) client_state: Option<String>,
}
