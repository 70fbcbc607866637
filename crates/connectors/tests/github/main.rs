//! What is particular to GitHub, against its twin.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may fail the test where they stand"
)]

mod accounts;
#[path = "../support/clock.rs"]
mod clock;
mod contract;
mod documents;
mod feed;
mod hook;
#[path = "../support/github.rs"]
mod lab;
mod probe;
#[path = "../../../twins/tests/sdk/python.rs"]
mod python;

use std::time::Duration;

use lab::Lab;
use quell_connector::{Call, Connected, Observed, Receipt, Result};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Setting};
use quell_twins::github::{Config, ManagedUser, User};

async fn lab(users: impl IntoIterator<Item = User>) -> Lab {
    let managed = [ManagedUser::active("mia@corp.example")];
    Lab::start(Config::manual().with_users(users).with_managed(managed)).await
}

fn call(lab: &Lab) -> Call {
    Call::new(lab.clock.clone(), Duration::from_secs(90), "act_test")
}

/// Somebody an alert of GitHub's names.
fn login(login: &str) -> Entity {
    let account = Account {
        name: Some(login.to_owned()),
        provider: Some("github".to_owned()),
        ..Account::default()
    };
    account.into()
}

/// Somebody an alert of another directory names.
fn foreign(principal: &str) -> Entity {
    let account = Account {
        id: Some("17".to_owned()),
        name: Some(principal.to_owned()),
        principal: Some(principal.to_owned()),
        provider: Some("okta".to_owned()),
        ..Account::default()
    };
    account.into()
}

async fn read(lab: &Lab, connected: &Connected, target: &Entity) -> Result<Observed<Setting>> {
    let control = connected
        .control(ActionType::DisableAccount.effect())
        .unwrap();
    control.read(&call(lab), target).await
}

async fn set(lab: &Lab, connected: &Connected, target: &Entity, want: &str) -> Result<Receipt> {
    let control = connected
        .control(ActionType::DisableAccount.effect())
        .unwrap();
    control
        .write(&call(lab), target, &Setting::named(want))
        .await
}
