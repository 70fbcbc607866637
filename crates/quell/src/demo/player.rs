//! Plays the story and follows the engine: raises alerts, waits for what comes of them, answers.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use quell_engine::Event;
use quell_model::{Action, ActionId, ActionState, ActionType};
use quell_server::api::{ActionDetail, ActionView, AnswerRequest, IntakeReply, RevertRequest};
use tokio::sync::broadcast;

use super::screen;
use super::sign_ins::SignIn;
use super::stage::{CONNECTION, IDENTITY, Stage};
use super::story::{Beat, By};
use crate::failure::{Failure, Result};

/// Longest wait for something that takes seconds.
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) struct Player<'a> {
    stage: &'a Stage,
    events: broadcast::Receiver<Event>,
    actions: BTreeMap<ActionId, Action>,
    /// The vendor's ids of the alerts, in the order of the story.
    pub(super) raised: Vec<String>,
    said: String,
}

impl<'a> Player<'a> {
    pub(super) fn new(stage: &'a Stage) -> Self {
        Self {
            stage,
            events: stage.running.engine.events(),
            actions: BTreeMap::new(),
            raised: Vec::new(),
            said: String::new(),
        }
    }

    /// Every action so far, oldest first, as it now is.
    pub(super) fn actions(&self) -> impl Iterator<Item = &Action> + Clone {
        self.actions.values()
    }

    /// The action of that type on the host of that name.
    pub(super) fn find(&self, action: ActionType, host: &str) -> Option<&Action> {
        self.actions()
            .find(|known| known.action == action && known.target.to_string() == host)
    }

    /// One alert, and what comes of it.
    pub(super) async fn beat(&mut self, beat: &Beat) -> Result<()> {
        screen::heading(beat.told);
        let stage = self.stage;
        let mut spec = (beat.alert)();
        spec.aid = stage
            .twin
            .aid_of(beat.host)
            .ok_or_else(|| Failure::failed(format!("there is no host {}", beat.host)))?;
        let id = stage.twin.add_alert(&spec).map_err(|error| {
            Failure::failed("the simulated vendor cannot raise an alert").because(&error)
        })?;
        self.raised.push(id.clone());
        let mut pushed = Vec::new();
        if beat.by == By::Push {
            let document = stage.twin.alert(&id).unwrap_or_default();
            let path = format!("/api/v1/intake/{CONNECTION}");
            let reply: IntakeReply = stage.vendor.post(&path, &document).await?;
            pushed.extend(reply.alerts.into_iter().flat_map(|taken| taken.actions));
        }
        if let Some(first) = pushed.first() {
            self.introduce(beat.host, beat.by, &id, *first).await?;
            let joined = pushed
                .iter()
                .filter(|id| self.actions.contains_key(*id))
                .count();
            if joined > 0 {
                screen::remark(&format!(
                    "The same host, so the same incident. {joined} of {} actions are under way already and stand for it.",
                    pushed.len()
                ));
            }
        } else {
            // Polling finds it; the first sign of that is an action nobody has seen.
            let event = loop {
                let event = self.next().await?;
                if !self.actions.contains_key(&event.action.id) {
                    break event;
                }
                self.take(event);
            };
            self.introduce(beat.host, beat.by, &id, event.action.id)
                .await?;
            self.take(event);
        }
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        if beat.hurried {
            Ok(())
        } else {
            self.settle().await
        }
    }

    /// One risky sign-in, and what comes of it.
    pub(super) async fn sign_in(&mut self, sign_in: &SignIn) -> Result<()> {
        screen::heading(sign_in.told);
        let stage = self.stage;
        let raised = stage.tenant.raise(&sign_in.risk());
        let id = raised.map_err(|error| {
            Failure::failed("the simulated identity provider cannot raise a risk").because(&error)
        })?;
        let document = stage.tenant.detection(&id).unwrap_or_default();
        let path = format!("/api/v1/intake/{IDENTITY}");
        let reply: IntakeReply = stage.vendor.post(&path, &document).await?;
        let first = reply
            .alerts
            .into_iter()
            .flat_map(|taken| taken.actions)
            .next();
        let first =
            first.ok_or_else(|| Failure::failed(format!("{} led to nothing", sign_in.told)))?;
        self.introduce(sign_in.user, By::Push, &id, first).await?;
        self.settle().await
    }

    /// Shows the alert that an action stands for, as Quell understood it.
    async fn introduce(&self, subject: &str, by: By, alert: &str, action: ActionId) -> Result<()> {
        let detail: ActionDetail = self
            .stage
            .person
            .get(&format!("/api/v1/actions/{action}"))
            .await?;
        if let Some(view) = detail.alerts.iter().find(|view| view.alert.id == alert) {
            let since = self.stage.since(view.received);
            screen::alert(&since, view.alert.severity, &view.alert.title, subject, by);
        }
        Ok(())
    }

    /// Follows until nothing is under way any more but what waits for a person.
    pub(super) async fn settle(&mut self) -> Result<()> {
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        let busy = |action: &Action| {
            let waits = action.state == ActionState::AwaitingApproval;
            (action.state.is_live() && !waits) || action.state == ActionState::Reverting
        };
        while self.actions.values().any(busy) {
            let event = self.next().await?;
            self.take(event);
        }
        Ok(())
    }

    /// Says yes in the person's name, through the API.
    pub(super) async fn answer(&mut self, id: ActionId, reason: &str) -> Result<()> {
        let person = &self.stage.person;
        let detail: ActionDetail = person.get(&format!("/api/v1/actions/{id}")).await?;
        let answer = AnswerRequest {
            shown: detail.shown,
            reason: reason.to_owned(),
        };
        let _after: ActionView = person
            .post(&format!("/api/v1/actions/{id}/approve"), &answer)
            .await?;
        Ok(())
    }

    /// Takes an action back in the person's name, through the API.
    pub(super) async fn revert(&mut self, id: ActionId, reason: &str) -> Result<()> {
        let order = RevertRequest {
            reason: reason.to_owned(),
            even_if_unclear: false,
        };
        let path = format!("/api/v1/actions/{id}/revert");
        let _after: ActionView = self.stage.person.post(&path, &order).await?;
        let event = self.next().await?;
        self.take(event);
        Ok(())
    }

    /// Follows until somebody has answered; for a person, as long as it takes.
    pub(super) async fn answered(&mut self, id: ActionId, by_a_person: bool) -> Result<()> {
        let waits = |player: &Self| {
            let action = player.actions.get(&id);
            action.is_some_and(|action| action.state == ActionState::AwaitingApproval)
        };
        while waits(self) {
            let event = if by_a_person {
                received(&mut self.events).await?
            } else {
                self.next().await?
            };
            self.take(event);
        }
        Ok(())
    }

    /// Shows what else happens, for as long as somebody watches.
    pub(super) async fn follow(&mut self) -> Result<()> {
        loop {
            let event = received(&mut self.events).await?;
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        let since = self.stage.since(event.transition.at);
        screen::transition(&since, &event.action, &event.transition);
        if event.transition.from == Some(ActionState::Proposed) {
            screen::reasons(&event.action, &mut self.said);
        } else {
            self.said.clear();
        }
        self.actions.insert(event.action.id, event.action);
    }

    async fn next(&mut self) -> Result<Event> {
        let due = self.deadline();
        tokio::select! {
            event = received(&mut self.events) => event,
            () = self.stage.clock.until(due) => {
                let what: Vec<String> = self
                    .actions
                    .values()
                    .filter(|action| action.state.is_live())
                    .map(|action| format!("{} {} is {}", action.action.phrase(), action.target, action.state.words()))
                    .collect();
                Err(Failure::failed("nothing happened for too long")
                    .hint(format!("under way: {}; the log says more", what.join(", "))))
            }
        }
    }

    fn deadline(&self) -> Timestamp {
        let now = self.stage.clock.now();
        now.checked_add(PATIENCE).unwrap_or(now)
    }
}

async fn received(events: &mut broadcast::Receiver<Event>) -> Result<Event> {
    events
        .recv()
        .await
        .map_err(|error| Failure::failed("the engine's events were lost").because(&error))
}
