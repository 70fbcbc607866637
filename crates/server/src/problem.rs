//! Refusals: what a caller is told, and what only the log is.

use std::error::Error;
use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use quell_connector::DocumentError;
use quell_engine::{ActError, IntakeError};

use crate::api::Problem;
use crate::settings::Unusable;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:ident;)*) => {
        /// Why a request is refused, for programs to decide on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The code in a [`Problem`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    /// Credentials are missing or wrong.
    Unauthorized = "unauthorized", UNAUTHORIZED;
    /// A signed body is too old, or from the future.
    TimestampOutOfRange = "timestamp_out_of_range", UNAUTHORIZED;
    /// The credentials are right, and do not allow this.
    Forbidden = "forbidden", FORBIDDEN;
    /// An alert belongs to another customer of the vendor.
    ForeignTenant = "foreign_tenant", FORBIDDEN;
    /// There is no such thing.
    NotFound = "not_found", NOT_FOUND;
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    /// A path or query parameter cannot be read.
    InvalidParameter = "invalid_parameter", BAD_REQUEST;
    /// The body is not UTF-8 text.
    BodyNotText = "body_not_text", BAD_REQUEST;
    /// The body ended before it was complete.
    BodyInterrupted = "body_interrupted", BAD_REQUEST;
    /// The body did not arrive in time.
    BodyTooSlow = "body_too_slow", REQUEST_TIMEOUT;
    /// The body is larger than allowed.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE;
    /// The body is of a type that is not read here.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE;
    /// The body is compressed.
    UnsupportedEncoding = "unsupported_encoding", UNSUPPORTED_MEDIA_TYPE;
    /// The body of an order cannot be understood.
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY;
    /// The policy that is written down does not load. The old one stays in force.
    InvalidPolicy = "invalid_policy", UNPROCESSABLE_ENTITY;
    /// An alert document cannot be understood. Nothing of the body was kept.
    InvalidDocument = "invalid_document", UNPROCESSABLE_ENTITY;
    /// The connection is not a source of alerts.
    NotASource = "not_a_source", UNPROCESSABLE_ENTITY;
    /// This very message was received before.
    Replayed = "replayed", CONFLICT;
    /// The action is not what the person was shown any more.
    Changed = "changed", CONFLICT;
    /// The order cannot be carried out as things are.
    Refused = "refused", CONFLICT;
    /// Too much is under way. Come back later.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE;
    /// The database cannot be used now. Come back later.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE;
    /// It took too long. Come back later.
    Timeout = "timeout", SERVICE_UNAVAILABLE;
    /// A defect of Quell.
    Internal = "internal", INTERNAL_SERVER_ERROR;
}

/// A refused request. What the caller is told is in `problem` alone; `cause` is for the log.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    problem: Box<Problem>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// Travels with the response to the one place that logs and counts.
#[derive(Clone)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            problem: Box::new(Problem {
                code: code.as_str().to_owned(),
                message: message.into(),
                field: None,
                path: None,
                problems: Vec::new(),
            }),
            cause: None,
        }
    }

    /// With the query parameter or header at fault.
    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.problem.field = Some(field.into());
        self
    }

    /// With the JSON path at fault.
    pub(crate) fn path(mut self, path: impl Into<String>) -> Self {
        self.problem.path = Some(path.into());
        self
    }

    /// With what is logged and not told.
    pub(crate) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// Says the same whoever asks for whatever, so that it tells strangers nothing.
    pub(crate) fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "credentials are missing or wrong")
    }

    pub(crate) fn internal(cause: impl Error + Send + Sync + 'static) -> Self {
        let message = "something went wrong inside Quell; its log says what, under the id in the x-request-id header";
        Self::new(Code::Internal, message).because(cause)
    }

    pub(crate) fn overloaded() -> Self {
        Self::new(
            Code::Overloaded,
            "too much is under way; send it again in a moment",
        )
    }

    /// A policy that cannot be put in force.
    pub(crate) fn policy(unusable: Unusable) -> Self {
        let message = format!("{}; the old policy stays in force", unusable.message);
        let mut refusal = Self::new(Code::InvalidPolicy, message);
        refusal.problem.problems = unusable.problems.into_iter().map(Into::into).collect();
        refusal
    }

    /// A body of an order that cannot be understood.
    pub(crate) fn body(error: DocumentError) -> Self {
        Self::new(Code::InvalidBody, error.to_string()).path(error.path)
    }
}

impl From<quell_store::Error> for Refusal {
    fn from(error: quell_store::Error) -> Self {
        match error {
            quell_store::Error::Missing { .. } => Self::new(Code::NotFound, error.to_string()),
            quell_store::Error::Corrupt(_) => Self::internal(error),
            _ => Self::new(
                Code::StoreUnavailable,
                "the database cannot be used now; nothing was changed",
            )
            .because(error),
        }
    }
}

impl From<ActError> for Refusal {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Changed | ActError::Store(quell_store::Error::Stale(_)) => {
                Self::new(Code::Changed, ActError::Changed.to_string())
            }
            // Written for the person who gave the order.
            ActError::Refused(why) => Self::new(Code::Refused, why),
            ActError::Store(error) => error.into(),
        }
    }
}

impl From<IntakeError> for Refusal {
    fn from(error: IntakeError) -> Self {
        let message = error.to_string();
        match error {
            IntakeError::UnknownConnection(_) => Self::new(Code::NotFound, message),
            IntakeError::NotASource(_) => Self::new(Code::NotASource, message),
            IntakeError::Document(error) => {
                Self::new(Code::InvalidDocument, message).path(error.path)
            }
            IntakeError::ForeignTenant { path, .. } => {
                Self::new(Code::ForeignTenant, message).path(path)
            }
            IntakeError::Store(error) => {
                let message = "the alerts could not be stored; send them again";
                Self::new(Code::StoreUnavailable, message).because(error)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.code.status(), Json(self.problem)).into_response();
        let wait = match self.code {
            Code::Overloaded => Some("2"),
            Code::StoreUnavailable | Code::Timeout => Some("5"),
            _ => None,
        };
        if let Some(wait) = wait {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Refused {
            code: self.code,
            cause: self.cause,
        });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_of_itself_is_logged_and_not_told() {
        let refusal = Refusal::from(quell_store::Error::InUse("/secret/path".into()));
        assert_eq!(refusal.code, Code::StoreUnavailable);
        assert!(!refusal.problem.message.contains("secret"));
        assert!(refusal.cause.unwrap().to_string().contains("secret"));
    }

    #[test]
    fn names_of_codes_differ_and_their_statuses_are_errors() {
        let names: std::collections::BTreeSet<_> =
            Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.status().as_u16() >= 400));
    }
}
