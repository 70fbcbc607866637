//! `GET /api/openapi.json`

use std::sync::LazyLock;

use axum::routing::on;
use bytes::Bytes;
use http::header;

use crate::auth::Access;
use crate::endpoint::{Context, JSON, Reply, Route, raw};

pub(super) const ROUTE: Route = Route {
    path: "/api/openapi.json",
    name: "openapi",
    access: Access::Public,
    summary: "This document.",
    ..raw(
        Reply {
            status: 200,
            media: JSON,
            about: "An OpenAPI 3.1 document.",
            schema: None,
        },
        |filter| on(filter, show),
    )
};

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| crate::openapi().to_string().into());

async fn show(_: Context) -> ([(header::HeaderName, &'static str); 1], Bytes) {
    ([(header::CONTENT_TYPE, JSON)], DOCUMENT.clone())
}
