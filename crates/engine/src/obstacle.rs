//! What stands in the way of an action and is known before it is tried: it ends with the reason, or goes
//! on through the connection that can do it.

use quell_connector::{Instead, Obstacle};
use quell_model::{Action, ActionState, Cause, Decision, Entity, NoticeKind, Outcome, Reason};
use quell_store::{Job, Result, Stored};
use serde_json::{Value, json};

use crate::engine::{Connection, Engine};
use crate::step::Step;

impl Engine {
    /// An action that must not or cannot be done through its connection.
    pub(crate) async fn obstructed(
        &self,
        job: &Job,
        stored: Stored,
        obstacle: Obstacle,
    ) -> Result<()> {
        let Obstacle {
            rule,
            text,
            instead,
        } = obstacle;
        let reason = Reason::new(rule, text);
        match instead {
            Instead::Nothing => self.ends(job, stored, Outcome::Never, vec![reason]).await,
            Instead::Person => self.ends(job, stored, Outcome::Manual, vec![reason]).await,
            Instead::Other { connector, target } => {
                match self.elsewhere(&stored.action, connector, &target) {
                    Some(connection) => {
                        let connection = connection.connected.id.clone();
                        let evidence = json!({ "reason": reason, "connection": connection });
                        let note = format!("{} It goes on through {connection}.", reason.text);
                        let mut stored = stored;
                        stored.action.connection = connection;
                        stored.action.target = *target;
                        // A yes was about the other system, which the person saw.
                        stored.action.clocks.approved = None;
                        self.hand_over(job, stored, note, evidence).await
                    }
                    None => {
                        let text = format!(
                            "No connection of the connector `{connector}` can {} there, so it is for a person.",
                            stored.action.action.phrase()
                        );
                        let reasons = vec![reason, Reason::new("no-connection", text)];
                        self.ends(job, stored, Outcome::Manual, reasons).await
                    }
                }
            }
        }
    }

    /// The connection that can do the action to the target where that really lives.
    fn elsewhere(&self, action: &Action, connector: &str, target: &Entity) -> Option<&Connection> {
        let domain = match target {
            Entity::Account(account) => account.domain.as_deref(),
            _ => None,
        };
        let able = |connection: &&Connection| {
            let connected = &connection.connected;
            connected.connector == connector
                && connected.id != action.connection
                && connected.facts(action.action.effect()).is_some()
        };
        let holds = |connection: &&Connection| match (&connection.connected.realm, domain) {
            (Some(realm), Some(domain)) => realm.eq_ignore_ascii_case(domain),
            _ => false,
        };
        let mut candidates = self.connections().filter(able);
        match self.connections().filter(able).find(holds) {
            Some(connection) => Some(connection),
            // A directory that was not said to hold another domain is asked; it knows its own accounts.
            None => candidates.find(|c| domain.is_none() || c.connected.realm.is_none()),
        }
    }

    async fn ends(
        &self,
        job: &Job,
        mut stored: Stored,
        outcome: Outcome,
        reasons: Vec<Reason>,
    ) -> Result<()> {
        let note = reasons
            .iter()
            .map(|reason| reason.text.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        stored.action.decision = Decision::new(outcome, reasons);
        let evidence = json!({ "decision": stored.action.decision, "asset": stored.action.asset });
        let (state, told) = match outcome {
            Outcome::Never => (ActionState::Denied, NoticeKind::Decided),
            _ => (ActionState::Manual, NoticeKind::Proposed),
        };
        Step::of_job(self, stored, &job.claim)
            .cause(Cause::Policy)
            .to(state, note, evidence)
            .tell(told)
            .commit()
            .await
            .map(drop)
    }

    /// Goes on with the same action on another connection.
    async fn hand_over(
        &self,
        job: &Job,
        stored: Stored,
        note: String,
        evidence: Value,
    ) -> Result<()> {
        let mut step = Step::of_job(self, stored, &job.claim).keep();
        if step.action().state == ActionState::Scheduled {
            // No state follows itself: an attempt was made.
            step = step.to(ActionState::Running, "Looked at the target.", Value::Null);
        }
        step.to(ActionState::Scheduled, note, evidence)
            .moved()
            .commit()
            .await?;
        self.postpone(job, self.now()).await
    }
}
