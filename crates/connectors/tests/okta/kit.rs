//! What the tests of this folder share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use quell_connector::{
    BoxFuture, Call, Connected, Instead, Observed, Passwords, Progress, Receipt, Result, Sight,
};
use quell_model::entity::{Account, Entity};
use quell_model::{ActionType, Secret, Setting};
use quell_twins::okta::{Config, UserSpec};
use serde_json::json;

pub(crate) use crate::lab::{Lab, by_id};

/// A user of whom there is nothing special to know.
pub(crate) const MARA: &str = "mara.lind@acme.example";

pub(crate) async fn lab() -> Lab {
    Lab::start(Config::manual().with(UserSpec::active(MARA))).await
}

/// A lab with one more user, and that user's id.
pub(crate) async fn lab_with(user: UserSpec) -> (Lab, String) {
    let lab = lab().await;
    let id = lab.twin.put_user(user);
    (lab, id)
}

pub(crate) fn by_token(lab: &Lab, reference: &str) -> Connected {
    let config = json!({ "org_url": lab.twin.base_url(), "api_token": reference });
    lab.build(config).unwrap()
}

pub(crate) fn by_login(login: &str) -> Entity {
    Account {
        principal: Some(login.to_owned()),
        ..Account::default()
    }
    .into()
}

pub(crate) fn mara(lab: &Lab) -> Entity {
    by_id(&lab.twin.id_of(MARA).unwrap())
}

/// Keeps passwords where a test can look at them.
#[derive(Default)]
pub(crate) struct Safe {
    pub(crate) kept: Mutex<Vec<String>>,
    pub(crate) is_full: bool,
}

impl Passwords for Safe {
    fn issue(&self) -> BoxFuture<'_, Result<Secret>> {
        panic!("Okta makes its passwords up");
    }

    fn keep<'a>(&'a self, password: &'a Secret) -> BoxFuture<'a, Result<()>> {
        Box::pin(async {
            if self.is_full {
                let kind = quell_connector::Kind::VendorUnavailable;
                return Err(quell_connector::Error::new(kind, "password", "no room"));
            }
            self.kept.lock().unwrap().push(password.expose().to_owned());
            Ok(())
        })
    }
}

pub(crate) fn call(lab: &Lab) -> Call {
    Call::new(lab.clock.clone(), Duration::from_secs(90), "act_test")
}

pub(crate) fn call_with(lab: &Lab, safe: &Arc<Safe>) -> Call {
    call(lab).keeping(safe.clone())
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

/// Disables or enables.
pub(crate) async fn write(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
) -> Result<Receipt> {
    let control = connected.control(action.effect()).unwrap();
    control
        .write(&call(lab), target, &action.wanted().unwrap())
        .await
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
    cx: &Call,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
) -> Result<Receipt> {
    let perform = connected.perform(action.effect()).unwrap();
    perform.perform(cx, target).await
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

/// The obstacle's rule and what is to be done instead, in short.
pub(crate) fn obstacle(obstacle: Option<&quell_connector::Obstacle>) -> Option<(&str, &str)> {
    obstacle.map(|obstacle| {
        let instead = match &obstacle.instead {
            Instead::Nothing => "nothing",
            Instead::Person => "person",
            Instead::Other { connector, .. } => *connector,
        };
        (obstacle.rule, instead)
    })
}
