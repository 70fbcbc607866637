//! The one error type of every vendor call.
//!
//! Callers decide on [`Kind`], never on message text.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Result of a vendor call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in terms of what can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The connection's configuration cannot work as it is.
    ConfigInvalid,
    /// The vendor does not accept the credentials.
    AuthRejected,
    /// The credentials lack a permission; the detail names it.
    PermissionMissing,
    /// The vendor does not know the target.
    TargetNotFound,
    /// Several things answer to what the target is called.
    TargetAmbiguous,
    /// The connector or the vendor cannot do this to this target.
    Unsupported,
    /// The vendor asks to wait; nothing was applied.
    RateLimited,
    /// The vendor understood and refused; nothing was applied.
    VendorRejected,
    /// The vendor did not answer, or said it cannot now; nothing was applied.
    VendorUnavailable,
    /// Time ran out before the request left; nothing was applied.
    DeadlineExceeded,
    /// The request may have been applied; only reading the vendor's state can tell.
    MaybeApplied,
    /// The vendor answered something that cannot be understood.
    ReplyUnreadable,
}

impl Kind {
    /// The name used in logs, metrics and journals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigInvalid => "config_invalid",
            Self::AuthRejected => "auth_rejected",
            Self::PermissionMissing => "permission_missing",
            Self::TargetNotFound => "target_not_found",
            Self::TargetAmbiguous => "target_ambiguous",
            Self::Unsupported => "unsupported",
            Self::RateLimited => "rate_limited",
            Self::VendorRejected => "vendor_rejected",
            Self::VendorUnavailable => "vendor_unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::MaybeApplied => "maybe_applied",
            Self::ReplyUnreadable => "reply_unreadable",
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::VendorUnavailable
                | Self::DeadlineExceeded
                | Self::MaybeApplied
        )
    }
}

/// A failed vendor call.
#[derive(Clone)]
pub struct Error {
    /// What can be done about it.
    pub kind: Kind,
    /// What was attempted (`devices.contain`).
    pub operation: &'static str,
    /// One sentence for the operator. Never a secret, never a request or response body.
    pub detail: Box<str>,
    /// The vendor's own code, where it gave one.
    pub vendor_code: Option<Box<str>>,
    /// The vendor's id of the request: its support asks for it.
    pub request_id: Option<Box<str>>,
    /// How long the vendor asks to wait.
    pub retry_after: Option<Duration>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, operation: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind,
            operation,
            detail: quell_model::text::line(&detail.into()).into(),
            vendor_code: None,
            request_id: None,
            retry_after: None,
            source: None,
        }
    }

    /// With the vendor's code.
    #[must_use]
    pub fn code(mut self, code: impl fmt::Display) -> Self {
        self.vendor_code = Some(quell_model::text::line(&code.to_string()).into());
        self
    }

    /// With the vendor's request id.
    #[must_use]
    pub fn request_id(mut self, id: Option<String>) -> Self {
        self.request_id = id.map(String::into_boxed_str);
        self
    }

    /// With how long the vendor asks to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// With what caused it.
    #[must_use]
    pub fn source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.detail)?;
        if let Some(code) = &self.vendor_code {
            write!(f, " (vendor code {code})")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (vendor request {id})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind.as_str())?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
