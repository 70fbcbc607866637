//! `GET /api/v1/events`

use std::convert::Infallible;

use axum::Extension;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Sse};
use axum::routing::on;
use futures_util::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::Role;
use crate::api::{EventView, LaggedView};
use crate::auth::Access;
use crate::endpoint::{Context, Reply, Route, raw, schema};
use crate::problem::{Code, Refusal};
use crate::serve::Closing;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/events",
    name: "events",
    access: Access::Role(Role::Viewer),
    summary: "Transitions of actions as they become durable, as server-sent events.",
    details: "Each event of type `transition` holds an `EventView`. A listener that is too slow misses some and is told how many by one of type `lagged`, which holds a `LaggedView`; nothing is sent again, so it should then read anew what it shows.",
    refusals: &[Code::Overloaded],
    ..raw(
        Reply {
            status: 200,
            media: "text/event-stream",
            about: "The events, for as long as the connection lasts.",
            schema: Some(schema::<EventView>),
        },
        |filter| on(filter, listen),
    )
};

struct Listener {
    events: Receiver<quell_engine::Event>,
    closing: Option<Closing>,
    _place: OwnedSemaphorePermit,
}

async fn listen(
    cx: Context,
    closing: Option<Extension<Closing>>,
) -> Result<impl IntoResponse, Refusal> {
    let place = cx.app.listeners.clone().try_acquire_owned();
    let listener = Listener {
        events: cx.app.engine.events(),
        closing: closing.map(|Extension(closing)| closing),
        _place: place.map_err(|_| Refusal::overloaded())?,
    };
    let events = unfold(listener, async |mut listener: Listener| {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    // Proxies would otherwise hold events back until they have a buffer full.
    let prompt = [("x-accel-buffering", "no")];
    Ok((prompt, Sse::new(events).keep_alive(KeepAlive::default())))
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        let Self {
            events, closing, ..
        } = self;
        let stopped = async {
            match closing {
                Some(closing) => closing.begins().await,
                None => std::future::pending().await,
            }
        };
        let received = tokio::select! {
            biased;
            () = stopped => return None,
            received = events.recv() => received,
        };
        let event = match received {
            Ok(event) => Event::default()
                .event("transition")
                .json_data(EventView::from(event)),
            Err(RecvError::Lagged(missed)) => Event::default()
                .event("lagged")
                .json_data(LaggedView { missed }),
            Err(RecvError::Closed) => return None,
        };
        event.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quell_model::{Action, Transition};
    use serde_json::json;
    use tokio::sync::{Semaphore, broadcast};

    use super::*;

    fn event() -> quell_engine::Event {
        let id = |prefix: &str| format!("{prefix}_01930000000070008000000000000001");
        let action: Action = serde_json::from_value(json!({
            "id": id("act"), "organization": "acme", "incident": id("inc"), "alert": id("alr"),
            "connection": "desk", "action": "contain_host", "target": { "type": "host", "id": "h" },
            "asset": {}, "playbook": "p", "state": "scheduled",
            "decision": { "outcome": "auto", "reasons": [] },
            "basis": { "severity": "high", "confidence": null, "source": "desk", "detection": "d" },
            "clocks": {}
        }))
        .unwrap();
        let transition = Transition {
            at: jiff::Timestamp::UNIX_EPOCH,
            from: None,
            to: action.state,
            cause: quell_model::Cause::Policy,
            note: "line\nbreak".into(),
            evidence: serde_json::Value::Null,
        };
        quell_engine::Event { action, transition }
    }

    #[tokio::test]
    async fn a_listener_that_is_too_slow_is_told_how_many_it_missed_and_goes_on() {
        let sender = broadcast::Sender::new(2);
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let mut listener = Listener {
            events: sender.subscribe(),
            closing: None,
            _place: place,
        };
        for _ in 0..5 {
            sender.send(event()).unwrap();
        }
        drop(sender);
        let mut events = Vec::new();
        while let Some(event) = listener.next().await {
            events.push(Ok::<_, Infallible>(event));
        }
        let stream = Sse::new(futures_util::stream::iter(events)).into_response();
        let text = axum::body::to_bytes(stream.into_body(), usize::MAX)
            .await
            .unwrap();
        let text = String::from_utf8(text.into()).unwrap();
        let types: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("event: "))
            .collect();
        assert_eq!(types, ["lagged", "transition", "transition"]);
        assert!(
            text.starts_with("event: lagged\ndata: {\"missed\":3}\n\n"),
            "{text}"
        );
    }
}
