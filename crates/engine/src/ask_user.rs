//! "Was this you?": asks the person an alert is about, and goes by what they answer.
//!
//! An answer counts only from somebody whom the organization's identity provider has just vouched for,
//! and it can only ever make Quell do more, or leave off what has not begun. INVARIANT: a yes approves
//! nothing and takes nothing back; whoever stole a session could say it too.

mod question;

use jiff::Timestamp;
use quell_connector::call::later;
use quell_connector::{Attempt, Error as VendorError, Identity, Kind, SignIn, Tell};
use quell_model::alert::Prevention;
use quell_model::{
    ActionState, Alert, AlertId, AlertKind, AlertStatus, AssetFacts, Cause, ConnectionId, Entity,
    IncidentId, QuestionId, Secret, Severity,
};
use quell_store::{
    ActionFilter, Answered, Asked, Error, Job, NewQuestion, Question, Recurrence, Result,
    UserAnswer,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::again;
use crate::engine::{Engine, Parts};
use crate::intake::Arrival;
use crate::pace;
use crate::rules::Rules;
use crate::seal;
use crate::step::Step;

use question::{letter, name, person, places, same};

pub use question::{is_about, when};

/// How people are reached and recognised.
#[derive(Debug, Clone)]
pub struct AskUser {
    /// The connection that signs people in.
    pub sign_in: ConnectionId,
    /// The connection that writes to them.
    pub tell_by: ConnectionId,
    /// Where people reach this server, without a `/` at the end (`https://quell.example.com`).
    pub public_url: String,
}

impl AskUser {
    /// Path below which the pages are.
    pub const PATH: &'static str = "/was-it-you";

    /// Where the identity provider sends people back to.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        format!("{}{}/callback", self.public_url, Self::PATH)
    }
}

/// Why an answer does not count. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Somebody else signed in.
    #[error("the question is about another account than the one that signed in")]
    SomebodyElse,
    /// The store failed, or has no such question.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The detection of the alert that a no becomes.
pub(crate) const USER_SAYS_NO: &str = "user-says-no";

impl Engine {
    /// How people are asked, where they are.
    #[must_use]
    pub fn ask_user(&self) -> Option<&AskUser> {
        self.0.settings.ask_user.as_ref()
    }

    /// The question of a link, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn asked(&self, token: &str) -> Result<Option<Asked>> {
        let store = &self.0.store;
        store
            .question_by_token(self.organization(), digest(token))
            .await
    }

    /// Where to send somebody who wants to answer.
    ///
    /// # Errors
    /// When the identity provider cannot be reached or used.
    pub async fn begin_sign_in(&self, attempt: &Attempt) -> quell_connector::Result<String> {
        let sign_in = self.signs_in()?;
        sign_in.begin(&self.call("was-it-you"), attempt).await
    }

    /// Who came back from the identity provider.
    ///
    /// # Errors
    /// When it vouches for nobody, or cannot be reached.
    pub async fn finish_sign_in(
        &self,
        attempt: &Attempt,
        code: &Secret,
    ) -> quell_connector::Result<Identity> {
        let sign_in = self.signs_in()?;
        sign_in
            .finish(&self.call("was-it-you"), attempt, code)
            .await
    }

    fn signs_in(&self) -> quell_connector::Result<&dyn SignIn> {
        let connection = self.ask_user().map(|ask| &ask.sign_in);
        let connection = connection.and_then(|id| self.connection(id));
        let sign_in = connection.and_then(|c| c.connected.abilities.sign_in.as_deref());
        sign_in.ok_or_else(|| {
            let detail = "no connection is configured that signs people in";
            VendorError::new(Kind::ConfigInvalid, "sign_in", detail)
        })
    }

    /// Records what somebody who has signed in answers.
    ///
    /// # Errors
    /// When it is not about their account, or the store fails.
    pub async fn answer_question(
        &self,
        question: &Question,
        identity: &Identity,
        yes: bool,
    ) -> std::result::Result<Answered, AnswerError> {
        if !is_about(question, identity) {
            return Err(AnswerError::SomebodyElse);
        }
        let answer = UserAnswer {
            yes,
            person: name(question, identity),
            at: self.now(),
        };
        let rules = self.rules();
        let scopes = rules.playbooks.counting();
        let events = scopes.map(|scope| Recurrence {
            scope: scope.to_owned(),
            subject: question.subject.clone(),
            event: question.event.clone(),
            at: question.time,
            within: std::time::Duration::ZERO,
        });
        let store = &self.0.store;
        let answered = store
            .answer_question(self.organization(), question.id, answer, events.collect())
            .await?;
        if answered == Answered::Now {
            info!(question.id = %question.id, incident.id = %question.incident, yes, "the person answered");
            metrics::counter!("quell_user_answers_total", "answer" => if yes { "yes" } else { "no" })
                .increment(1);
            self.0.nudge.notify_one();
        }
        Ok(answered)
    }

    /// What the person an alert is about is to be asked.
    pub(crate) fn to_ask(
        &self,
        rules: &Rules,
        connection: &ConnectionId,
        alert: &Alert,
        now: Timestamp,
    ) -> Option<NewQuestion> {
        let policy = &rules.settings.ask_user;
        // What is over, or nobody would act on, is not worth a person's worry.
        let worth = alert.status != AlertStatus::Closed && alert.severity >= Severity::Medium;
        if !policy.on || !policy.kinds.contains(&alert.kind) || !worth {
            return None;
        }
        let Parts { settings, ids, .. } = &*self.0;
        settings.ask_user.as_ref()?;
        let (account, subject) = person(alert)?;
        let token = seal::token().ok()?;
        let id = QuestionId::new(ids.uuid());
        let sealed = settings.seal.as_ref()?.seal(&id.to_string(), &token).ok()?;
        let question = Question {
            id,
            alert: AlertId::new(ids.uuid()),
            incident: IncidentId::new(ids.uuid()),
            connection: connection.clone(),
            vendor_id: alert.id.clone(),
            account,
            subject,
            event: again::event(connection, alert),
            time: alert.time,
            places: places(alert),
            asked: now,
            expires: later(now, policy.answer_within),
        };
        Some(NewQuestion {
            token: digest(token.expose()),
            question,
            sealed,
        })
    }

    /// An `ask_user` job: the letter.
    pub(crate) async fn send_question(&self, job: &Job) -> Result<()> {
        let asked = self.0.store.question(&job.subject).await?;
        let id = asked.question.id;
        let done = || self.0.store.question_sent(job.claim.clone(), id);
        if asked.question.expires <= self.now() || asked.answer.is_some() {
            return done().await;
        }
        let Some((ask, tell, link)) = self.letterhead(&asked) else {
            warn!(question.id = %id, "a question is not sent: [ask_user] or the sealing key changed");
            return done().await;
        };
        let letter = letter(&asked.question, link);
        let key = id.to_string();
        let cx = self.call(&key);
        let sent = tell.tell(&cx, &key, &asked.question.subject, &letter);
        let outcome = match sent.await {
            Ok(()) => "sent",
            Err(error) if error.kind.passes() && job.attempts < pace::SENDS => {
                warn!(channel = %ask.tell_by, error = &error as &dyn std::error::Error, "a question is sent later");
                let due = later(self.now(), pace::resend(job.attempts, error.retry_after));
                return self.postpone(job, due).await;
            }
            Err(error) => {
                warn!(channel = %ask.tell_by, error = &error as &dyn std::error::Error, "a question could not be sent");
                "given_up"
            }
        };
        metrics::counter!("quell_questions_total", "outcome" => outcome).increment(1);
        done().await
    }

    fn letterhead(&self, asked: &Asked) -> Option<(&AskUser, &dyn Tell, String)> {
        let ask = self.ask_user()?;
        let channel = self.connection(&ask.tell_by)?;
        let tell = channel.connected.abilities.tell.as_deref()?;
        let seal = self.0.settings.seal.as_ref()?;
        let id = asked.question.id.to_string();
        let token = seal.open(&id, asked.sealed.as_deref()?).ok()?;
        let link = format!("{}{}/{}", ask.public_url, AskUser::PATH, token.expose());
        Some((ask, tell, link))
    }

    /// A `user_answered` job: a no is an alert of its own, a yes is told to those who decide.
    pub(crate) async fn user_answered(&self, job: &Job) -> Result<()> {
        let asked = self.0.store.question(&job.subject).await?;
        match &asked.answer {
            Some(answer) if answer.yes => self.note_yes(&asked.question, answer).await?,
            Some(answer) => self.raise_no(&asked.question, answer).await?,
            None => {}
        }
        self.0.store.finish(job.claim.clone()).await
    }

    /// The vendor's id of an alert; of the one it is about, when it is a person's answer.
    pub(crate) async fn vendors_id(&self, alert: &Alert) -> Result<String> {
        match alert.id.strip_prefix(ANSWER) {
            Some(question) if alert.detection == USER_SAYS_NO => {
                Ok(self.0.store.question(question).await?.question.vendor_id)
            }
            _ => Ok(alert.id.clone()),
        }
    }

    async fn note_yes(&self, question: &Question, answer: &UserAnswer) -> Result<()> {
        let filter = ActionFilter {
            states: vec![ActionState::AwaitingApproval],
            incident: Some(question.incident),
            limit: 1000,
            ..ActionFilter::default()
        };
        let note = format!(
            "Waits for a person's yes or no. {} says it was them (signed in at {}); that decides nothing.",
            answer.person,
            answer.at.strftime("%F %H:%M UTC"),
        );
        for stored in self.0.store.actions(self.organization(), filter).await? {
            let about = matches!(&stored.action.target, Entity::Account(account) if same(account, question));
            if about && stored.action.note != note {
                let step = Step::because(self, stored, Cause::Engine).note(note.clone());
                step.commit().await?;
            }
        }
        Ok(())
    }

    /// INVARIANT: taken in twice it is one alert, because its id is the question's.
    async fn raise_no(&self, question: &Question, answer: &UserAnswer) -> Result<()> {
        let Some(source) = self.connection(&question.connection) else {
            warn!(question.id = %question.id, connection = %question.connection, "a no leads to nothing: the connection is no longer configured");
            return Ok(());
        };
        let id = format!("{ANSWER}{}", question.id);
        let document = json!({
            "question": question.id,
            "answer": "no",
            "person": answer.person,
            "at": answer.at,
        });
        let alert = Alert {
            source: source.connected.connector.to_owned(),
            occurrence: Some(id.clone()),
            id,
            title: "The person says that a sign-in was not theirs".to_owned(),
            description: Some(format!(
                "{} was asked about the sign-in at {}, signed in to answer at {}, and said no.",
                answer.person,
                question.time.strftime("%F %H:%M UTC"),
                answer.at.strftime("%F %H:%M UTC"),
            )),
            severity: Severity::High,
            confidence: None,
            kind: AlertKind::RiskySignIn,
            detection: USER_SAYS_NO.to_owned(),
            // It is about that sign-in: what was done since then about it need not be done again.
            time: question.time,
            updated: Some(answer.at),
            techniques: Vec::new(),
            status: AlertStatus::New,
            console_url: None,
            tenant: None,
            prevention: Prevention::default(),
            asset: AssetFacts::default(),
            entities: vec![question.account.clone().into()],
            notes: Vec::new(),
        };
        let arrival = Arrival {
            raw: document.to_string(),
            received: self.now(),
            belongs: Some(question.incident),
        };
        self.take(source, &self.rules(), alert, arrival)
            .await
            .map(drop)
    }
}

/// What ids of alerts begin with that are answers, and no vendor's.
const ANSWER: &str = "answer:";

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
