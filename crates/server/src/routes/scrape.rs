//! `GET /metrics`

use axum::routing::on;
use http::header;

use crate::Role;
use crate::auth::Access;
use crate::endpoint::{Context, Reply, Route, raw};
use crate::problem::Refusal;

const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) const ROUTE: Route = Route {
    path: "/metrics",
    name: "metrics",
    access: Access::Role(Role::Viewer),
    summary: "Metrics in Prometheus' text format.",
    // Not “loopback only”: behind a proxy on the same machine everybody comes from there.
    details: "Needs a token, because it names connections and says how busy the organization is; Prometheus sends one with `authorization: credentials`.",
    ..raw(
        Reply {
            status: 200,
            media: MEDIA,
            about: "The metrics.",
            schema: None,
        },
        |filter| on(filter, scrape),
    )
};

async fn scrape(cx: Context) -> Result<([(header::HeaderName, &'static str); 1], String), Refusal> {
    let pauses = cx.app.engine.store().pauses().await?;
    let paused = pauses.iter().any(|(connection, _)| connection.is_none());
    metrics::gauge!("quell_automation_paused").set(f64::from(u8::from(paused)));
    for connection in cx.app.engine.connections() {
        let id = &connection.connected.id;
        let paused = pauses.iter().any(|(only, _)| only.as_ref() == Some(id));
        metrics::gauge!("quell_connection_paused", "connection" => id.to_string())
            .set(f64::from(u8::from(paused)));
    }
    Ok(([(header::CONTENT_TYPE, MEDIA)], cx.app.metrics.render()))
}
