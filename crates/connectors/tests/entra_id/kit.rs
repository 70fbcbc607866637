//! What the tests of this folder share.

use std::sync::Arc;
use std::time::Duration;

use quell_connector::contract::Sight;
use quell_connector::{BoxFuture, Call, Connected, Observed, Passwords, Progress, Receipt, Result};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Secret, Setting};
use quell_twins::entra_id::{App, CLIENT_ID, CLIENT_SECRET, Config, OnPremises, UserSpec};

use crate::lab::Lab;

pub(crate) const NOOR: &str = "noor@northwind.example";
/// The group of the accounts for emergencies.
pub(crate) const GLASS: &str = "9d1c7f30-4e58-4b6a-a2d9-0c83f5e7b164";
pub(crate) const PASSWORD: &str = "Fresh-0ne-for-Noor!";

/// A lab with one user of the cloud and those given.
pub(crate) async fn lab(users: &[UserSpec]) -> Lab {
    let config = Config::manual().with_user(UserSpec::new(NOOR));
    Lab::start(users.iter().cloned().fold(config, Config::with_user)).await
}

/// A user synchronised from Active Directory.
pub(crate) fn synchronised(principal: &str) -> UserSpec {
    UserSpec {
        on_premises: Some(OnPremises {
            sid: "S-1-5-21-11-22-33-1104".into(),
            sam_account_name: "sam".into(),
            domain: "corp.northwind.example".into(),
        }),
        ..UserSpec::new(principal)
    }
}

/// The usual app, also holding this directory role.
pub(crate) fn app_with(role: &str) -> App {
    App::new(CLIENT_ID, CLIENT_SECRET).with_role(role)
}

/// A place for passwords that gives out always the same.
struct Safe;

impl Passwords for Safe {
    fn issue(&self) -> BoxFuture<'_, Result<Secret>> {
        Box::pin(async { Ok(Secret::new(PASSWORD.to_owned())) })
    }

    fn keep<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn call(lab: &Lab) -> Call {
    let call = Call::new(lab.clock.clone(), Duration::from_secs(90), "act_test");
    call.keeping(Arc::new(Safe))
}

pub(crate) fn by_name(principal: &str) -> Entity {
    Account {
        principal: Some(principal.to_owned()),
        ..Account::default()
    }
    .into()
}

pub(crate) async fn read(
    lab: &Lab,
    connected: &Connected,
    who: &Entity,
) -> Result<Observed<Setting>> {
    let control = connected.control(ActionType::DisableAccount.effect());
    control.unwrap().read(&call(lab), who).await
}

pub(crate) async fn set(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    who: &Entity,
) -> Result<Receipt> {
    let control = connected.control(action.effect()).unwrap();
    let want = action.wanted().unwrap();
    control.write(&call(lab), who, &want).await
}

pub(crate) async fn look(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    who: &Entity,
) -> Result<Sight> {
    let perform = connected.perform(action.effect()).unwrap();
    perform.look(&call(lab), who).await
}

pub(crate) async fn perform(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    who: &Entity,
) -> Result<Receipt> {
    let perform = connected.perform(action.effect()).unwrap();
    perform.perform(&call(lab), who).await
}

pub(crate) async fn progress(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    receipt: &Receipt,
) -> Result<Progress> {
    let perform = connected.perform(action.effect()).unwrap();
    perform.progress(&call(lab), &by_name(NOOR), receipt).await
}
