//! A domain and a connection to it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quell_connector::clock::SimClock;
use quell_connector::settings::SecretRef;
use quell_connector::{
    AnyControl, AnyPerform, BoxFuture, Call, Connected, Error, Observed, Passwords, Plumbing,
    Receipt, Result, SecretSource, Sight,
};
use quell_connectors::catalog;
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Secret, Setting};
use serde_json::{Value, json};

use crate::samba::{PASSWORD, Samba};

pub(crate) const FRESH: &str = "Fresh-and-Strong-77-xyz!";

/// A domain of a test's own.
pub(crate) struct Lab {
    pub(crate) samba: Samba,
    pub(crate) clock: Arc<SimClock>,
}

impl Lab {
    pub(crate) fn start() -> Self {
        let (samba, clock) = (Samba::start(), Arc::default());
        Self { samba, clock }
    }

    /// The security identifier of an account.
    pub(crate) fn sid(&self, name: &str) -> String {
        let bytes = self.samba.attribute(name, "objectSid").expect("a value");
        let bytes = STANDARD.decode(bytes).expect("base 64");
        let parts = bytes[8..].chunks(4).map(|part| {
            let part = part.iter().rev();
            part.fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
        });
        parts.fold("S-1-5".to_owned(), |sid, part| format!("{sid}-{part}"))
    }

    /// A connection with these settings in place of the usual ones; `null` leaves one out.
    pub(crate) fn build(&self, extra: Value) -> std::result::Result<Connection, String> {
        let mut settings = json!({
            "domain": "corp.example.test",
            "servers": [self.samba.address.to_string()],
            "username": "quell@corp.example.test",
            "password": "env:AD_PASSWORD",
            "ca_file": self.samba.authority(),
            "probe_user": "bob",
        });
        let table = settings.as_object_mut().expect("a table");
        table.extend(extra.as_object().expect("a table").clone());
        table.retain(|_, value| !value.is_null());
        let plumbing = Plumbing {
            connection: "corp".parse().expect("a connection id"),
            clock: self.clock.clone(),
            secrets: Arc::new(Secrets),
        };
        let connector = catalog::find("active-directory").expect("the catalog lists it");
        let connected = connector.build(settings, plumbing);
        Ok(Connection {
            connected: connected.map_err(|error| error.key)?,
            clock: self.clock.clone(),
        })
    }

    pub(crate) fn connect(&self) -> Connection {
        self.connect_with(json!({}))
    }

    pub(crate) fn connect_with(&self, extra: Value) -> Connection {
        self.build(extra).expect("the connection can be built")
    }
}

struct Secrets;

impl SecretSource for Secrets {
    fn resolve(&self, reference: &SecretRef) -> std::result::Result<Secret, String> {
        Ok(Secret::new(match reference.as_str() {
            "env:AD_PASSWORD" => PASSWORD.to_owned(),
            "env:EMPTY" => String::new(),
            other => other.to_owned(),
        }))
    }
}

/// Gives out one password.
pub(crate) struct Fresh(pub(crate) &'static str);

impl Passwords for Fresh {
    fn issue(&self) -> BoxFuture<'_, Result<Secret>> {
        Box::pin(async { Ok(Secret::new(self.0.to_owned())) })
    }

    fn keep<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// A connection as the engine uses it.
pub(crate) struct Connection {
    pub(crate) connected: Connected,
    clock: Arc<SimClock>,
}

impl Connection {
    pub(crate) fn call(&self) -> Call {
        Call::new(self.clock.clone(), Duration::from_secs(60), "act_1")
            .keeping(Arc::new(Fresh(FRESH)))
    }

    fn control(&self) -> &Arc<dyn AnyControl> {
        let effect = ActionType::DisableAccount.effect();
        self.connected.control(effect).expect("a row")
    }

    pub(crate) fn reset_row(&self) -> &Arc<dyn AnyPerform> {
        let effect = ActionType::ResetPassword.effect();
        self.connected.perform(effect).expect("a row")
    }

    pub(crate) async fn read(&self, account: &Entity) -> Result<Observed<Setting>> {
        self.control().read(&self.call(), account).await
    }

    pub(crate) async fn look(&self, account: &Entity) -> Result<Sight> {
        self.reset_row().look(&self.call(), account).await
    }

    pub(crate) async fn set(&self, account: &Entity, to: &str) -> Result<Receipt> {
        let to = Setting::named(to);
        self.control().write(&self.call(), account, &to).await
    }

    pub(crate) async fn reset(&self, account: &Entity) -> Result<Receipt> {
        self.reset_row().perform(&self.call(), account).await
    }
}

/// An account as a document names it.
pub(crate) fn account(json: Value) -> Entity {
    let account: Account = serde_json::from_value(json).expect("an account");
    account.into()
}

/// An account of the domain by its name.
pub(crate) fn named(name: &str) -> Entity {
    account(json!({ "name": name, "domain": "CORP" }))
}

#[track_caller]
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.expect_err("it should have failed")
}
