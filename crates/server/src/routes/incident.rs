//! `GET /api/v1/incidents/{id}`

use quell_model::IncidentId;
use quell_store::ActionFilter;

use crate::Role;
use crate::api::{IncidentDetail, TimelineEntry};
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, in_path, read};
use crate::problem::{Code, Refusal};

/// Most actions, alerts and transitions that are shown.
const LIMIT: usize = 500;

struct Show;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/incidents/{id}",
    name: "show_incident",
    access: Access::Role(Role::Viewer),
    summary: "Shows one incident with its actions and its timeline.",
    details: "The timeline merges the alerts received and the transitions of the actions, oldest first. Of a very large incident only the newest 500 of each are shown, and `truncated` is set.",
    parameters: &[in_path::<IncidentId>("id", "The incident's id.")],
    refusals: &[Code::InvalidParameter, Code::NotFound],
    ..read::<Show>()
};

impl Read for Show {
    type Reply = IncidentDetail;
    const ABOUT: &'static str = "The incident.";

    async fn handle(cx: Context) -> Result<IncidentDetail, Refusal> {
        let id: IncidentId = cx.path("id")?;
        let (store, organization) = (cx.app.engine.store(), cx.app.engine.organization());
        let incident = store.incident(organization, id).await?;
        let filter = ActionFilter {
            incident: Some(id),
            limit: LIMIT + 1,
            ..ActionFilter::default()
        };
        let (mut actions, mut alerts, mut transitions) = tokio::try_join!(
            store.actions(organization, filter),
            store.alerts_in(id, LIMIT + 1),
            store.history_of(id, LIMIT + 1),
        )?;
        let truncated = actions.len() > LIMIT || alerts.len() > LIMIT || transitions.len() > LIMIT;
        actions.truncate(LIMIT);
        alerts.truncate(LIMIT);
        transitions.truncate(LIMIT);
        let received = alerts.into_iter().map(|record| TimelineEntry::Alert {
            at: record.received,
            alert: record.id,
            connection: record.connection,
            severity: record.alert.severity,
            title: record.alert.title,
        });
        let done = transitions
            .into_iter()
            .map(|(action, transition)| TimelineEntry::Action {
                at: transition.at,
                action,
                state: transition.to,
                cause: transition.cause,
                note: transition.note,
            });
        // Newest first as read; turned round before a stable sort, so that moments of one instant
        // keep the order in which they were journaled, the alert before what it led to.
        let mut timeline: Vec<_> = done.chain(received).collect();
        timeline.reverse();
        timeline.sort_by_key(TimelineEntry::at);
        Ok(IncidentDetail {
            incident: incident.into(),
            actions: actions
                .into_iter()
                .map(|stored| stored.action.into())
                .collect(),
            timeline,
            truncated,
        })
    }
}
