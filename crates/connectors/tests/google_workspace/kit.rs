//! What the tests of this folder share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use quell_connector::{
    BoxFuture, Call, Connected, Observed, Passwords, Progress, Receipt, Result, Sight,
};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Secret, Setting};
use quell_twins::google_workspace::{Config, User};

use crate::google_lab::Lab;

pub(crate) async fn lab() -> Lab {
    Lab::start(Config::manual()).await
}

pub(crate) async fn lab_with(user: User) -> Lab {
    Lab::start(Config::manual().with(user)).await
}

/// Gives out one password after the other and remembers them.
#[derive(Default)]
pub(crate) struct Safe(pub(crate) Mutex<Vec<String>>);

impl Passwords for Safe {
    fn issue(&self) -> BoxFuture<'_, Result<Secret>> {
        let mut given = self.0.lock().unwrap();
        let password = format!("Temporary-{}-password!", given.len());
        given.push(password.clone());
        Box::pin(async { Ok(Secret::new(password)) })
    }

    fn keep<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn call(lab: &Lab) -> Call {
    Call::new(lab.clock.clone(), Duration::from_secs(90), "act_test")
        .keeping(Arc::new(Safe::default()))
}

/// An account that only an address names.
pub(crate) fn named(principal: &str) -> Account {
    Account {
        principal: Some(principal.to_owned()),
        ..Account::default()
    }
}

pub(crate) async fn read(
    lab: &Lab,
    connected: &Connected,
    target: &Entity,
) -> Result<Observed<Setting>> {
    let control = connected
        .control(ActionType::DisableAccount.effect())
        .unwrap();
    control.read(&call(lab), target).await
}

pub(crate) async fn disable(lab: &Lab, connected: &Connected, target: &Entity) -> Result<Receipt> {
    set(lab, connected, target, ActionType::DisableAccount).await
}

pub(crate) async fn enable(lab: &Lab, connected: &Connected, target: &Entity) -> Result<Receipt> {
    set(lab, connected, target, ActionType::EnableAccount).await
}

async fn set(
    lab: &Lab,
    connected: &Connected,
    target: &Entity,
    action: ActionType,
) -> Result<Receipt> {
    let control = connected.control(action.effect()).unwrap();
    let want = action.wanted().unwrap();
    control.write(&call(lab), target, &want).await
}

pub(crate) async fn look(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
) -> Result<Sight> {
    let perform = connected.perform(action.effect()).unwrap();
    perform.look(&call(lab), target).await
}

pub(crate) async fn perform(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
) -> Result<Receipt> {
    let perform = connected.perform(action.effect()).unwrap();
    perform.perform(&call(lab), target).await
}

pub(crate) async fn progress(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
    receipt: &Receipt,
) -> Result<Progress> {
    let perform = connected.perform(action.effect()).unwrap();
    perform.progress(&call(lab), target, receipt).await
}
