//! Temporary passwords: made and sealed before they are set, shown once to whoever may see them.

use std::sync::Arc;

use jiff::Timestamp;
use quell_connector::{BoxFuture, Error as VendorError, Kind, Passwords};
use quell_model::{Action, ActionId, ActionState, NoticeKind, Person, Secret};
use quell_store::{Error, Job, Result};
use tracing::{error, info};

use crate::approval::ActError;
use crate::engine::Engine;
use crate::seal;
use crate::tell::{self, Telling};

/// A temporary password on its way to the person who hands it over.
#[derive(Debug)]
pub struct Shown {
    /// The action that set it.
    pub action: Action,
    /// The password. It is not kept any more.
    pub password: Secret,
}

/// Keeps the passwords that one action sets.
struct Safe {
    engine: Engine,
    action: ActionId,
}

impl Engine {
    /// Where an action's temporary passwords go.
    pub(crate) fn safe(&self, action: ActionId) -> Arc<dyn Passwords> {
        let engine = self.clone();
        Arc::new(Safe { engine, action })
    }

    /// Shows the temporary password that an action set, once.
    ///
    /// # Errors
    /// When the person may not see it, when there is none any more, when the sealing key is another one
    /// now, or when the store fails. Once it was taken from the store it is gone, whatever becomes of the
    /// answer.
    pub async fn show_password(&self, id: ActionId, person: &Person) -> Result<Shown, ActError> {
        let refuse = |text: String| Err(ActError::Refused(text));
        let role = self.rules().settings.passwords.shown_to;
        if person.role < role {
            return refuse(format!(
                "temporary passwords are shown to the role `{role}`, and you are `{}`",
                person.role
            ));
        }
        let Some(seal) = &self.0.settings.seal else {
            return refuse(NO_SEAL.to_owned());
        };
        let store = &self.0.store;
        let stored = store.action(self.organization(), id).await?;
        let known = store.password(self.organization(), id).await?;
        let Some(known) = known else {
            return refuse("this action set no password that Quell knows".to_owned());
        };
        if let Some((by, at)) = known.shown {
            return refuse(format!(
                "it was shown to {by} at {at:.0}, and is shown once; reset the password again if it was lost"
            ));
        }
        // Before that nobody knows whether it was set.
        if !matches!(
            stored.action.state,
            ActionState::Verifying
                | ActionState::Completed
                | ActionState::Unverified
                | ActionState::Unknown
        ) {
            return refuse(format!(
                "the action is {}, so there is no password to hand over",
                stored.action.state.words()
            ));
        }
        let now = self.now();
        let headline = format!("{} was shown the temporary password", person.name);
        let telling = Telling::titled(NoticeKind::Decided, headline);
        let messages = tell::messages(self, &stored.action, &telling, now);
        let (seal, about) = (seal.clone(), id.to_string());
        let open = move |sealed: &[u8]| seal.open(&about, sealed);
        let taken = store.take_password(self.organization(), id, &person.name, now, messages, open);
        let password = match taken.await? {
            None => return refuse("its time is up; reset the password again".to_owned()),
            Some(Err(error)) => return refuse(error.to_string()),
            Some(Ok(password)) => password,
        };
        info!(action.id = %id, person = person.name, "a temporary password was shown");
        self.0.nudge.notify_one();
        Ok(Shown {
            action: stored.action,
            password,
        })
    }

    /// A `forget_password` job.
    pub(crate) async fn forget_passwords(&self, job: &Job) -> Result<()> {
        let now = self.now();
        self.0.store.forget_passwords(job.claim.clone(), now).await
    }

    async fn seal_password(
        &self,
        action: ActionId,
        password: &Secret,
    ) -> quell_connector::Result<()> {
        let failed = |kind, detail: &str| VendorError::new(kind, "password", detail.to_owned());
        let Some(seal) = &self.0.settings.seal else {
            return Err(failed(Kind::ConfigInvalid, NO_SEAL));
        };
        let sealed = seal
            .seal(&action.to_string(), password)
            .map_err(|error| failed(Kind::ConfigInvalid, &error.to_string()))?;
        let now = self.now();
        let kept_for = self.rules().settings.passwords.keep_for;
        let times: (Timestamp, Timestamp) = (now, quell_connector::call::later(now, kept_for));
        let store = &self.0.store;
        let kept = store.keep_password(self.organization(), action, sealed, times);
        kept.await.map_err(|cause: Error| {
            error!(
                action.id = %action,
                error = &cause as &dyn std::error::Error,
                "a temporary password cannot be stored"
            );
            failed(Kind::VendorUnavailable, "the password could not be stored")
        })
    }
}

const NO_SEAL: &str = "there is no sealing key, so no temporary password can be kept";

impl Passwords for Safe {
    fn issue(&self) -> BoxFuture<'_, quell_connector::Result<Secret>> {
        Box::pin(async move {
            let password = seal::password().map_err(|error| {
                VendorError::new(Kind::ConfigInvalid, "password", error.to_string())
            })?;
            self.engine.seal_password(self.action, &password).await?;
            Ok(password)
        })
    }

    fn keep<'a>(&'a self, password: &'a Secret) -> BoxFuture<'a, quell_connector::Result<()>> {
        Box::pin(self.engine.seal_password(self.action, password))
    }
}
