//! Error bodies. The Directory and Reports services list reasons; the Alert Center only has a status; the token service
//! speaks OAuth.

use serde_json::{Value, json};

use super::endpoint::Endpoint;
use crate::http::{Reply, encode};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `errors[0].reason`, or the OAuth code of a token call.
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    pub(crate) fn no_user() -> Self {
        Self::new(404, "notFound", "Resource Not Found: userKey")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(
            403,
            "forbidden",
            "Not Authorized to access this resource/api",
        )
    }

    pub(crate) fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.";
        Self::new(401, "authError", message)
    }

    pub(crate) fn lacks_scope() -> Self {
        let message = "Request had insufficient authentication scopes.";
        Self::new(403, "insufficientPermissions", message)
    }

    /// The service is not switched on in the project the service account belongs to.
    pub(crate) fn switched_off() -> Self {
        let message =
            "This API has not been used in project 104857600000 before or it is disabled.";
        Self::new(403, "accessNotConfigured", message)
    }

    /// What the vendor answers when the server itself fails.
    pub(crate) fn failed(status: u16, endpoint: Endpoint) -> Self {
        let reason = match endpoint {
            Endpoint::Token => "internal_failure",
            _ => "backendError",
        };
        Self::new(status, reason, "Backend Error")
    }

    pub(crate) fn reply(&self, endpoint: Endpoint) -> Reply {
        if endpoint == Endpoint::Token {
            let body = json!({"error": self.reason, "error_description": self.message});
            return encode(self.status, &body);
        }
        let mut error = json!({"code": self.status, "message": self.message});
        let named = match self.status {
            400 => Some("INVALID_ARGUMENT"),
            401 => Some("UNAUTHENTICATED"),
            403 => Some("PERMISSION_DENIED"),
            404 => Some("NOT_FOUND"),
            429 => Some("RESOURCE_EXHAUSTED"),
            503 => Some("UNAVAILABLE"),
            _ => Some("INTERNAL"),
        };
        let legacy = !endpoint.is_newer();
        // Directory errors of the old kind have no status; those of the gateway in front have both.
        let gateway = matches!(
            self.reason,
            "authError" | "insufficientPermissions" | "rateLimitExceeded"
        );
        if let Value::Object(error) = &mut error {
            if legacy {
                let one =
                    json!({"message": self.message, "domain": "global", "reason": self.reason});
                error.insert("errors".to_owned(), json!([one]));
            }
            // The newer form says the same by another name and in another place.
            if !legacy && self.reason == "accessNotConfigured" {
                let info = "type.googleapis.com/google.rpc.ErrorInfo";
                let one = json!({"@type": info, "reason": "SERVICE_DISABLED"});
                error.insert("details".to_owned(), json!([one]));
            }
            if let Some(named) = named.filter(|_| !legacy || gateway) {
                error.insert("status".to_owned(), named.into());
            }
        }
        encode(self.status, &json!({"error": error}))
    }
}
