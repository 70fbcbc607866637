//! Taking stock: all domain controllers or nothing.

use quell_connector::{Inventory, Kind, Result};
use quell_model::AssetClass;
use quell_twins::crowdstrike::{
    ApiClient, CLIENT_ID, CLIENT_SECRET, Endpoint, Fleet, HostClass, HostSpec, Scope,
};
use quell_twins::{Fault, FaultRule};

use crate::kit::{call, lab};
use crate::support::Lab;

async fn take(lab: &Lab) -> Result<Inventory> {
    let connected = lab.connect();
    let stock = connected.abilities.take_stock.as_ref().unwrap();
    stock.take_stock(&call(lab)).await
}

/// Two pages and a half of domain controllers among other machines.
fn many() -> Fleet {
    let mut fleet = Fleet::of(2500, "DC");
    for host in &mut fleet.hosts {
        host.class = HostClass::DomainController;
    }
    fleet
        .with(HostSpec::workstation("WS-01"))
        .with(HostSpec::server("SRV-01"))
}

#[tokio::test]
async fn every_host_is_counted_and_every_domain_controller_told_by_what_a_list_can_hold() {
    let lab = lab(Fleet::small()).await;
    let stock = take(&lab).await.unwrap();
    assert_eq!(stock.machines, 8);
    let [found] = stock.domain_controllers.try_into().unwrap();
    assert_eq!(found.id, lab.twin.aid_of("DC-01"));
    assert_eq!(found.name.as_deref(), Some("DC-01"));
    assert_eq!(found.class, AssetClass::DomainController);
    assert_eq!(found.domain.as_deref(), Some("northwind.example"));
    assert!(found.local_ip.is_some());
}

#[tokio::test]
async fn a_tenant_without_domain_controllers_has_none() {
    let lab = lab(Fleet::of(3, "WS")).await;
    let stock = take(&lab).await.unwrap();
    assert_eq!((stock.machines, stock.domain_controllers.len()), (3, 0));
    assert_eq!(lab.twin.count(Endpoint::DeviceRead), 0);
}

#[tokio::test]
async fn domain_controllers_of_several_pages_are_all_there() {
    let lab = lab(many()).await;
    let stock = take(&lab).await.unwrap();
    assert_eq!(stock.machines, 2502);
    let mut names: Vec<_> = stock
        .domain_controllers
        .into_iter()
        .filter_map(|host| host.name)
        .collect();
    names.sort();
    let wanted: Vec<_> = (1..=2500).map(|n| format!("DC-{n:05}")).collect();
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn an_error_in_the_middle_leaves_nothing_rather_than_half() {
    for (endpoint, skip) in [
        (Endpoint::DeviceQuery, 0),
        (Endpoint::DeviceQuery, 2),
        (Endpoint::DeviceRead, 1),
    ] {
        let lab = lab(many()).await;
        let message = "search is degraded".to_owned();
        let fault = Fault::ErrorInBody { code: 500, message };
        lab.twin
            .inject(FaultRule::next(endpoint, fault).after(skip));
        let error = take(&lab).await.unwrap_err();
        assert_eq!(error.kind, Kind::VendorUnavailable, "{endpoint:?} {error}");
        assert!(take(&lab).await.is_ok(), "the next time finds all of it");
    }
}

#[tokio::test]
async fn more_domain_controllers_than_an_offset_reaches_are_an_error() {
    let mut fleet = Fleet::of(10_001, "DC");
    for host in &mut fleet.hosts {
        host.class = HostClass::DomainController;
        host.processes.clear();
    }
    let lab = lab(fleet).await;
    let error = take(&lab).await.unwrap_err();
    assert_eq!(error.kind, Kind::VendorRejected, "{error}");
}

#[tokio::test]
async fn without_the_permission_the_error_names_it() {
    let lab = lab(Fleet::small()).await;
    lab.twin
        .put_client(ApiClient::new(CLIENT_ID, CLIENT_SECRET).without(Scope::HostsRead));
    let error = take(&lab).await.unwrap_err();
    assert_eq!(error.kind, Kind::PermissionMissing);
    assert!(error.detail.contains("Hosts: read"), "{error}");
}
