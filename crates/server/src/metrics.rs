//! The Prometheus recorder: one for the process, because the `metrics` crate has one for the process.

use std::sync::OnceLock;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::error;

/// Upper bounds in seconds, from a database flush to a person's answer; for every `…_seconds`.
const SECONDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 3600.0, 14400.0,
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// The metrics of this process. The first call installs the recorder; before it, nothing is counted.
#[must_use]
pub fn metrics() -> PrometheusHandle {
    RECORDER
        .get_or_init(|| {
            install().unwrap_or_else(|error| {
                error!(
                    error = &error as &dyn std::error::Error,
                    "metrics cannot be recorded; /metrics will be empty"
                );
                PrometheusBuilder::new().build_recorder().handle()
            })
        })
        .clone()
}

/// Keeps histograms that nobody scrapes from growing.
pub(crate) fn upkeep() {
    if let Some(handle) = RECORDER.get() {
        handle.run_upkeep();
    }
}

fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    describe_counter!(
        "quell_http_requests_total",
        "Requests by route, method and status."
    );
    describe_histogram!(
        "quell_http_request_seconds",
        Unit::Seconds,
        "How long requests took."
    );
    describe_counter!(
        "quell_intake_refused_total",
        "Bodies of alerts that were refused, by connection and code."
    );
    describe_counter!(
        "quell_alerts_total",
        "Alerts taken in, by connection and whether they were known."
    );
    describe_counter!(
        "quell_transitions_total",
        "States that actions reached, by action type."
    );
    describe_counter!(
        "quell_feed_failures_total",
        "Polls of a vendor that failed."
    );
    describe_counter!(
        "quell_documents_refused_total",
        "Alerts of a feed that could not be read."
    );
    describe_gauge!("quell_automation_paused", "1 while automation is paused.");
    describe_gauge!(
        "quell_connection_paused",
        "1 while actions through a connection are paused."
    );
    Ok(handle)
}
