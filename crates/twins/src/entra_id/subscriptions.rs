//! Subscriptions to change notifications, and the requests the vendor would send to their receivers. The twin calls
//! nobody: a test hands these texts to the receiver itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::{parse_time, rfc3339};

/// Longest life of a subscription to users, in minutes.
const LONGEST_MINUTES: i64 = 41_760;
const MINUTE: i64 = 60_000_000_000;

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// `created`, `updated`, `deleted`, separated by commas.
    pub change_type: String,
    /// Where changes are sent.
    pub notification_url: String,
    /// Where news about the subscription itself is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_notification_url: Option<String>,
    /// What is watched (`users`).
    pub resource: String,
    /// When it ends unless renewed.
    pub expiration_date_time: String,
    /// What comes back with each notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_state: Option<String>,
}

/// Every subscription of the app.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(pub(crate) BTreeMap<String, Subscription>);

impl Subscriptions {
    pub(crate) fn create(
        &mut self,
        body: &[u8],
        id: String,
        now: i64,
    ) -> Result<Subscription, String> {
        let mut wanted: Subscription =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let resource = wanted.resource.trim_start_matches('/');
        let known = ["users", "groups"]
            .iter()
            .any(|name| resource == *name || resource.starts_with(&format!("{name}/")));
        if !known {
            return Err(format!("Resource '{resource}' is not supported."));
        }
        if !wanted.notification_url.starts_with("https://") {
            return Err("Notification endpoint must use https.".into());
        }
        if wanted.client_state.as_ref().is_some_and(|s| s.len() > 128) {
            return Err("clientState is longer than 128 characters.".into());
        }
        expires(&wanted.expiration_date_time, now)?;
        wanted.id = id;
        self.0.insert(wanted.id.clone(), wanted.clone());
        Ok(wanted)
    }

    pub(crate) fn renew(
        &mut self,
        id: &str,
        body: &[u8],
        now: i64,
    ) -> Result<Option<Subscription>, String> {
        self.expire(now);
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let until = body.get("expirationDateTime").and_then(Value::as_str);
        let until = until.ok_or("expirationDateTime is required.")?;
        expires(until, now)?;
        Ok(self.0.get_mut(id).map(|subscription| {
            subscription.expiration_date_time = until.to_owned();
            subscription.clone()
        }))
    }

    pub(crate) fn expire(&mut self, now: i64) {
        self.0.retain(|_, subscription| {
            parse_time(&subscription.expiration_date_time).is_some_and(|until| until > now)
        });
    }
}

fn expires(text: &str, now: i64) -> Result<(), String> {
    let until = parse_time(text).ok_or("expirationDateTime is not a date.")?;
    if until <= now {
        return Err("Subscription expiration must be in the future.".into());
    }
    if until - now > LONGEST_MINUTES * MINUTE {
        let problem = "Subscription expiration can only be 41760 minutes in the future.";
        return Err(problem.into());
    }
    Ok(())
}

/// The body of a notification that a user changed.
pub(crate) fn changed(subscription: &Subscription, tenant: &str, user: &str) -> Value {
    json!({"value": [{
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": subscription.expiration_date_time,
        "clientState": subscription.client_state,
        "changeType": "updated",
        "resource": format!("Users/{user}"),
        "tenantId": tenant,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.User",
            "@odata.id": format!("Users/{user}"),
            "id": user,
        },
    }]})
}

/// The body of a notification about the subscription itself.
pub(crate) fn lifecycle(subscription: &Subscription, tenant: &str, event: &str, now: i64) -> Value {
    json!({"value": [{
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": rfc3339(now),
        "clientState": subscription.client_state,
        "tenantId": tenant,
        "lifecycleEvent": event,
    }]})
}
