//! What is particular to Duo, against its twin.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test where they stand"
)]

#[path = "../support/clock.rs"]
mod clock;
mod contract;
mod documents;
mod feed;
#[path = "../support/duo.rs"]
mod lab;
mod probe;
#[path = "../../../twins/tests/sdk/python.rs"]
mod python;
mod users;

use std::time::Duration;

use lab::Lab;
use quell_connector::Call;
use quell_model::entity::{Account, Entity};
use quell_twins::duo::{Config, User};

async fn lab(users: impl IntoIterator<Item = User>) -> Lab {
    Lab::start(Config::manual().with_users(users)).await
}

fn call(lab: &Lab) -> Call {
    Call::new(lab.clock.clone(), Duration::from_secs(90), "act_test")
}

/// An account another vendor's alert names.
fn principal(principal: &str) -> Entity {
    let account = Account {
        id: Some("00u1abcd".to_owned()),
        principal: Some(principal.to_owned()),
        provider: Some("okta".to_owned()),
        ..Account::default()
    };
    account.into()
}
