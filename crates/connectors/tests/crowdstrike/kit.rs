//! What the tests of this folder share.

use std::time::Duration;

use quell_connector::{Call, Connected, Observed, Progress, Receipt, Result};
use quell_model::entity::{Entity, File, Host, Process};
use quell_model::{ActionType, Setting};
use quell_twins::crowdstrike::{Config, Fleet, HostSpec};

use crate::support::Lab;

pub(crate) async fn lab(fleet: Fleet) -> Lab {
    Lab::start(Config::manual().with_fleet(fleet)).await
}

/// A lab with one workstation.
pub(crate) async fn workstation() -> (Lab, String) {
    let lab = lab(Fleet::default().with(HostSpec::workstation("WS-01"))).await;
    let aid = lab.twin.aid_of("WS-01").unwrap();
    (lab, aid)
}

pub(crate) fn call(lab: &Lab) -> Call {
    Call::new(lab.clock.clone(), Duration::from_secs(90), "act_test")
}

pub(crate) fn host(aid: &str) -> Entity {
    Host {
        id: Some(aid.to_owned()),
        ..Host::default()
    }
    .into()
}

pub(crate) fn file(sha256: &str) -> Entity {
    File {
        sha256: Some(sha256.to_owned()),
        ..File::default()
    }
    .into()
}

pub(crate) fn process(aid: &str, pid: u32, name: &str) -> Entity {
    Process {
        host_id: Some(aid.to_owned()),
        pid: Some(pid),
        name: Some(name.to_owned()),
        ..Process::default()
    }
    .into()
}

pub(crate) async fn read(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
) -> Result<Observed<Setting>> {
    let control = connected.control(action.effect()).unwrap();
    control.read(&call(lab), target).await
}

pub(crate) async fn write(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
) -> Result<Receipt> {
    set(lab, connected, action, target, &action.wanted().unwrap()).await
}

pub(crate) async fn set(
    lab: &Lab,
    connected: &Connected,
    action: ActionType,
    target: &Entity,
    want: &Setting,
) -> Result<Receipt> {
    let control = connected.control(action.effect()).unwrap();
    control.write(&call(lab), target, want).await
}

pub(crate) async fn kill(lab: &Lab, connected: &Connected, target: &Entity) -> Result<Receipt> {
    let perform = connected.perform(ActionType::KillProcess.effect()).unwrap();
    perform.perform(&call(lab), target).await
}

pub(crate) async fn progress(
    lab: &Lab,
    connected: &Connected,
    target: &Entity,
    receipt: &Receipt,
) -> Result<Progress> {
    let perform = connected.perform(ActionType::KillProcess.effect()).unwrap();
    perform.progress(&call(lab), target, receipt).await
}
