//! An identity provider made for the laboratory: accounts with sessions and passwords, risky sign-ins, and
//! what stands in the way of touching some of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use quell_connector::ability::Abilities;
use quell_connector::{
    AlertUpdate, Batch, BoxFuture, Call, Check, ConfigError, Control, DocumentError, Error, Facts,
    Feed, Instead, Kept, Kind, Observed, Obstacle, Perform, Plumbing, Progress, Reading, Receipt,
    Result, Row, Sight, Upkeep, Vendor, WriteBack, control, document, perform,
};
use quell_model::alert::Prevention;
use quell_model::entity::Account;
use quell_model::property::{AccountEnabled, Enablement, ResetPassword, RevokeSessions};
use quell_model::{Alert, AlertKind, AlertStatus, AssetFacts, Severity};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// One account.
#[derive(Debug, Clone, Default)]
pub(crate) struct User {
    pub(crate) disabled: bool,
    pub(crate) revoked: u32,
    pub(crate) passwords: Vec<String>,
    /// What the live record says it is.
    pub(crate) labels: Vec<&'static str>,
    pub(crate) obstacle: Option<Obstacle>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) users: BTreeMap<String, User>,
    /// The reply of the next reset is lost after it was applied.
    pub(crate) lose_reply: bool,
    /// It has alerts to poll and a subscription to renew, for engines built from then on.
    pub(crate) subscribes: bool,
    /// Told of each poll.
    pub(crate) polled: Arc<Notify>,
    pub(crate) upkeeps: Vec<Option<Value>>,
    pub(crate) upkeep_fails: bool,
    /// It takes comments, for engines built from then on; these, by alert.
    pub(crate) takes_comments: bool,
    pub(crate) comments: Vec<(String, String)>,
}

/// The provider in the cloud. Clones share their state.
#[derive(Clone, Default)]
pub(crate) struct Cloud(pub(crate) Arc<Mutex<State>>);

/// The directory on the premises, of the domain `corp.example`.
#[derive(Clone, Default)]
pub(crate) struct Premises(pub(crate) Cloud);

impl Cloud {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn user(&self, id: &str) -> User {
        self.lock().users.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn put(&self, id: &str, user: User) {
        self.lock().users.insert(id.to_owned(), user);
    }

    fn with<T>(&self, account: &Account, act: impl FnOnce(&mut User) -> T) -> Result<T> {
        let id = account.id.as_deref().unwrap_or_default();
        let name = account
            .principal
            .as_deref()
            .and_then(|name| name.split('@').next());
        let mut state = self.lock();
        let known = if state.users.contains_key(id) {
            Some(id)
        } else {
            name
        };
        match known.and_then(|id| state.users.get_mut(id)) {
            Some(user) => Ok(act(user)),
            None => Err(Error::new(Kind::TargetNotFound, "cloud", "no such user")),
        }
    }

    fn sight(&self, account: &Account) -> Result<Sight> {
        self.with(account, |user| Sight {
            asset: AssetFacts {
                labels: user
                    .labels
                    .iter()
                    .map(|label| (*label).to_owned())
                    .collect(),
                ..AssetFacts::default()
            },
            obstacle: user.obstacle.clone(),
        })
    }

    async fn reset(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let password = cx.password().await?;
        cx.intend().await?;
        self.with(account, |user| {
            user.passwords.push(password.expose().to_owned())
        })?;
        if std::mem::take(&mut self.lock().lose_reply) {
            return Err(Error::new(
                Kind::MaybeApplied,
                "cloud",
                "the reply was lost",
            ));
        }
        Ok(Receipt::of(json!({ "user": account.id })))
    }
}

impl Control<AccountEnabled> for Cloud {
    async fn read(&self, _: &Call, account: &Account) -> Result<Observed<Enablement>> {
        let sight = self.sight(account)?;
        let disabled = self.with(account, |user| user.disabled)?;
        let value = if disabled {
            Enablement::Disabled
        } else {
            Enablement::Enabled
        };
        Ok(Observed {
            asset: sight.asset,
            obstacle: sight.obstacle,
            ..Observed::of(Reading::Settled(value))
        })
    }

    async fn write(&self, _: &Call, account: &Account, want: &Enablement) -> Result<Receipt> {
        self.with(account, |user| {
            user.disabled = *want == Enablement::Disabled
        })?;
        Ok(Receipt::default())
    }
}

impl Perform<RevokeSessions> for Cloud {
    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        cx.intend().await?;
        self.with(account, |user| user.revoked += 1)?;
        Ok(Receipt::of(json!({})))
    }

    async fn progress(&self, _: &Call, _: &Account, _: &Receipt) -> Result<Progress> {
        let note = "Sessions are revoked; tokens may work until 14:05 UTC.".to_owned();
        Ok(Progress::Done { note })
    }
}

impl Perform<ResetPassword> for Cloud {
    async fn look(&self, _: &Call, account: &Account) -> Result<Sight> {
        self.sight(account)
    }

    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        self.reset(cx, account).await
    }

    async fn progress(&self, _: &Call, _: &Account, _: &Receipt) -> Result<Progress> {
        let note = "The password has to be changed.".to_owned();
        Ok(Progress::Done { note })
    }
}

impl Perform<ResetPassword> for Premises {
    async fn perform(&self, cx: &Call, account: &Account) -> Result<Receipt> {
        let account = Account {
            id: account.sid.clone(),
            ..Account::default()
        };
        self.0.reset(cx, &account).await
    }

    async fn progress(&self, _: &Call, _: &Account, _: &Receipt) -> Result<Progress> {
        let note = "The password has to be changed.".to_owned();
        Ok(Progress::Done { note })
    }
}

/// The same account on the premises.
pub(crate) fn synchronized(id: &str, domain: &str) -> Obstacle {
    Obstacle {
        rule: "synchronized-account",
        text: "The password is kept in Active Directory.".to_owned(),
        instead: Instead::Other {
            connector: "premises",
            target: Box::new(
                Account {
                    id: Some(id.to_owned()),
                    principal: Some(format!("{id}@corp.example")),
                    domain: Some(domain.to_owned()),
                    sid: Some("S-1-5-21-7".to_owned()),
                    ..Account::default()
                }
                .into(),
            ),
        },
    }
}

impl Feed for Cloud {
    fn interval(&self) -> Duration {
        Duration::from_secs(3600)
    }

    fn poll<'a>(&'a self, _: &'a Call, _: Option<&'a Value>) -> BoxFuture<'a, Result<Batch>> {
        self.lock().polled.notify_one();
        Box::pin(async { Ok(Batch::default()) })
    }
}

impl Upkeep for Cloud {
    fn upkeep<'a>(&'a self, _: &'a Call, state: Option<&'a Value>) -> BoxFuture<'a, Result<Kept>> {
        Box::pin(async move {
            let mut inner = self.lock();
            if std::mem::take(&mut inner.upkeep_fails) {
                return Err(Error::new(Kind::VendorUnavailable, "upkeep", "down"));
            }
            inner.upkeeps.push(state.cloned());
            Ok(Kept {
                state: json!({ "subscription": inner.upkeeps.len() }),
                again_in: Duration::from_secs(6 * 3600),
            })
        })
    }
}

impl WriteBack for Cloud {
    fn write_back<'a>(
        &'a self,
        _: &'a Call,
        alert: &'a str,
        update: &'a AlertUpdate,
    ) -> BoxFuture<'a, Result<()>> {
        let comment = (alert.to_owned(), update.comment.clone());
        self.lock().comments.push(comment);
        Box::pin(async { Ok(()) })
    }
}

const FACTS: Facts = Facts {
    needs: &[],
    settle: Duration::from_secs(60),
    docs: "https://cloud.example/",
    quirks: &[],
};

impl Vendor for Cloud {
    const ID: &'static str = "cloud";
    const NAME: &'static str = "Cloud";
    const ROWS: &'static [Row<Self>] = &[
        control::<Self, AccountEnabled>(FACTS),
        perform::<Self, RevokeSessions>(FACTS),
        perform::<Self, ResetPassword>(FACTS),
    ];
    const NORMALISE: Option<quell_connector::vendor::Normalise> = Some(normalise);
    type Config = ();

    fn build((): (), _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn abilities(self: &Arc<Self>) -> Abilities {
        let (subscribes, comments) = {
            let state = self.lock();
            (state.subscribes, state.takes_comments)
        };
        Abilities {
            feed: subscribes.then(|| self.clone() as _),
            upkeep: subscribes.then(|| self.clone() as _),
            write_back: comments.then(|| self.clone() as _),
            ..Abilities::default()
        }
    }

    async fn probe(&self, _: &Call) -> Vec<Check> {
        Vec::new()
    }
}

impl Vendor for Premises {
    const ID: &'static str = "premises";
    const NAME: &'static str = "Premises";
    const ROWS: &'static [Row<Self>] = &[perform::<Self, ResetPassword>(FACTS)];
    type Config = ();

    fn build((): (), _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn realm(&self) -> Option<String> {
        Some("corp.example".to_owned())
    }

    async fn probe(&self, _: &Call) -> Vec<Check> {
        Vec::new()
    }
}

/// A second factor, which reports sign-ins and can only keep people from signing in with it.
#[derive(Clone, Default)]
pub(crate) struct Badge;

impl Vendor for Badge {
    const ID: &'static str = "badge";
    const NAME: &'static str = "Badge";
    const ROWS: &'static [Row<Self>] = &[];
    const NORMALISE: Option<quell_connector::vendor::Normalise> = Some(normalise);
    type Config = ();

    fn build((): (), _: Plumbing) -> std::result::Result<Self, ConfigError> {
        Ok(Self)
    }

    async fn probe(&self, _: &Call) -> Vec<Check> {
        Vec::new()
    }
}

#[derive(Deserialize)]
struct Document {
    id: String,
    user: String,
    #[serde(default)]
    principal: Option<String>,
    time: Timestamp,
    #[serde(default)]
    sign_in: Option<String>,
    #[serde(default = "high")]
    severity: Severity,
}

const fn high() -> Severity {
    Severity::High
}

fn normalise(json: &RawValue) -> std::result::Result<Alert, DocumentError> {
    let document: Document = document::read(json)?;
    let account = Account {
        id: Some(document.user),
        principal: document.principal,
        ..Account::default()
    };
    Ok(Alert {
        source: "cloud".into(),
        id: document.id,
        occurrence: document.sign_in,
        title: "Risky sign-in".into(),
        description: None,
        severity: document.severity,
        confidence: None,
        kind: AlertKind::RiskySignIn,
        detection: "unfamiliarFeatures".into(),
        time: document.time,
        updated: None,
        techniques: Vec::new(),
        status: AlertStatus::New,
        console_url: None,
        tenant: None,
        prevention: Prevention::default(),
        asset: AssetFacts::default(),
        entities: vec![account.into()],
        notes: Vec::new(),
    })
}
