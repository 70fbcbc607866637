//! The envelope around every Falcon reply: `meta`, `errors`, `resources` (both vendor SDKs agree on it). `errors` may be
//! non-empty beside a success status; that is how the vendor reports partial failure.

use serde::Serialize;
use serde_json::Value;

use super::endpoint::Endpoint;
use crate::http::Reply;

/// One member of `errors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ApiError {
    pub(crate) code: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            id: None,
            message: message.into(),
        }
    }

    pub(crate) fn about(code: u32, id: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            id: Some(id.to_owned()),
            message: message.into(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Pagination {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<Value>,
    pub(crate) limit: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Writes {
    pub(crate) resources_affected: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Meta<'a> {
    query_time: f64,
    powered_by: &'static str,
    trace_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writes: Option<Writes>,
}

#[derive(Debug, Serialize)]
struct Envelope<'a, R> {
    meta: Meta<'a>,
    errors: Option<&'a [ApiError]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<R>,
}

/// What a handler needs to wrap its answer.
#[derive(Debug)]
pub(crate) struct Wrap<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) trace_id: &'a str,
    pub(crate) pagination: Option<Pagination>,
    pub(crate) writes: Option<Writes>,
}

impl<'a> Wrap<'a> {
    pub(crate) fn new(endpoint: Endpoint, trace_id: &'a str) -> Self {
        Self {
            endpoint,
            trace_id,
            pagination: None,
            writes: None,
        }
    }

    pub(crate) fn paged(mut self, pagination: Pagination) -> Self {
        self.pagination = Some(pagination);
        self
    }

    pub(crate) fn wrote(mut self, resources_affected: usize) -> Self {
        self.writes = Some(Writes { resources_affected });
        self
    }

    pub(crate) fn meta(self) -> Meta<'a> {
        Meta {
            query_time: 0.004_217,
            powered_by: self.endpoint.powered_by(),
            trace_id: self.trace_id,
            pagination: self.pagination,
            writes: self.writes,
        }
    }

    /// The endpoint's success status with these resources.
    pub(crate) fn ok<R: Serialize>(self, resources: R) -> Reply {
        self.partly(resources, &[])
    }

    /// The endpoint's success status with resources and errors side by side.
    pub(crate) fn partly<R: Serialize>(self, resources: R, errors: &[ApiError]) -> Reply {
        let status = self.endpoint.success();
        self.with(status, Some(resources), errors)
    }

    /// One error and nothing else.
    pub(crate) fn error(self, status: u16, error: ApiError) -> Reply {
        self.with::<()>(status, None, &[error])
    }

    pub(crate) fn with<R: Serialize>(
        self,
        status: u16,
        resources: Option<R>,
        errors: &[ApiError],
    ) -> Reply {
        // The device service says `null` where the others say `[]` (recorded replies): a client must stand both.
        let null = errors.is_empty()
            && matches!(
                self.endpoint,
                Endpoint::DeviceRead | Endpoint::DeviceCombined
            );
        encode(
            status,
            &Envelope {
                meta: self.meta(),
                errors: (!null).then_some(errors),
                resources,
            },
        )
    }
}

pub(crate) fn encode<T: Serialize>(status: u16, body: &T) -> Reply {
    match serde_json::to_vec(body) {
        Ok(text) => Reply::json(status, text),
        // Only reachable through a document with non-text keys, which none of ours has.
        Err(error) => Reply::json(
            500,
            format!(
                "{{\"twin_error\":\"{}\"}}",
                error.to_string().replace('"', "'")
            ),
        ),
    }
}
