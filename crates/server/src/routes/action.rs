//! `GET /api/v1/actions/{id}`

use quell_engine::{quorum, said_yes, shown};
use quell_model::{ActionId, ActionState};

use crate::Role;
use crate::api::{ActionDetail, ApprovalNeeded};
use crate::auth::Access;
use crate::endpoint::{Context, Read, Route, in_path, read};
use crate::problem::{Code, Refusal};

struct Show;

pub(super) const ROUTE: Route = Route {
    path: "/api/v1/actions/{id}",
    name: "show_action",
    access: Access::Role(Role::Viewer),
    summary: "Shows one action with its history, answers and alerts.",
    details: "Its `shown` is what an answer must name: whoever answers binds themselves to precisely what is shown here.",
    parameters: &[in_path::<ActionId>("id", "The action's id.")],
    refusals: &[Code::InvalidParameter, Code::NotFound],
    ..read::<Show>()
};

impl Read for Show {
    type Reply = ActionDetail;
    const ABOUT: &'static str = "The action.";

    async fn handle(cx: Context) -> Result<ActionDetail, Refusal> {
        let id: ActionId = cx.path("id")?;
        let (store, organization) = (cx.app.engine.store(), cx.app.engine.organization());
        let action = store.action(organization, id).await?.action;
        // Read at once, not one after the other: each may wait for its turn at the store.
        let (history, approvals, alerts, incident, password, asked) = tokio::try_join!(
            store.history(id),
            store.approvals(id),
            store.alerts_of(id),
            store.incident(organization, action.incident),
            store.password(organization, id),
            store.questions(organization, action.incident),
        )?;
        let waits = action.state == ActionState::AwaitingApproval;
        let approval = waits.then(|| {
            let yes = said_yes(&action, &approvals);
            let quorum = quorum(&action, &yes);
            ApprovalNeeded {
                approvers: quorum.approvers,
                role: quorum.role,
                yes,
                answer_by: action.clocks.answer_by,
            }
        });
        Ok(ActionDetail {
            approval,
            shown: shown(&action),
            awaits_answer: matches!(
                action.state,
                ActionState::AwaitingApproval | ActionState::Unknown
            ),
            impact: action.action.impact().to_owned(),
            reverted_by: action.action.revert(),
            prior: action.prior.clone(),
            password: password.map(Into::into),
            asked: asked.into_iter().map(Into::into).collect(),
            history,
            approvals: approvals.into_iter().map(Into::into).collect(),
            alerts: alerts.into_iter().map(Into::into).collect(),
            incident: incident.into(),
            action: action.into(),
        })
    }
}
