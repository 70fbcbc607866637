//! Containment: many hosts in one request, and states in between.

use quell_connector::{Kind, Reading};
use quell_model::{ActionType, AssetClass, Setting};
use quell_twins::crowdstrike::{Connectivity, Containment, Endpoint, Fleet, HostSpec};
use quell_twins::{Fault, FaultRule};

use crate::kit::{call, host, lab, read, workstation, write};

const CONTAIN: ActionType = ActionType::ContainHost;
const RELEASE: ActionType = ActionType::ReleaseHost;

#[tokio::test]
async fn one_request_carries_many_hosts_and_each_gets_its_own_answer() {
    let fleet = Fleet::of(3, "WS");
    let lab = lab(fleet).await;
    let aids: Vec<String> = lab
        .twin
        .hosts()
        .iter()
        .map(|host| host.aid.clone())
        .collect();
    lab.twin
        .set_containment(&aids[1], Containment::Contained)
        .unwrap();
    let connected = lab.connect();
    let targets = [&aids[0], &aids[1], "no-such-host", &aids[0], &aids[2]].map(host);
    let control = connected.control(CONTAIN.effect()).unwrap();
    let (cx, want) = (call(&lab), CONTAIN.wanted().unwrap());
    let writes = targets
        .iter()
        .map(|target| control.write(&cx, target, &want));
    let results = join(writes).await;
    assert_eq!(lab.twin.count(Endpoint::Contain), 1);
    let unchanged = |index: usize| {
        results[index]
            .as_ref()
            .map(|receipt| receipt.unchanged)
            .unwrap()
    };
    assert!(!unchanged(0));
    assert!(unchanged(1), "it was contained before");
    assert_eq!(results[2].as_ref().unwrap_err().kind, Kind::TargetNotFound);
    assert!(!unchanged(3), "the same host twice in one request");
    assert!(!unchanged(4));
    assert!(
        lab.twin
            .hosts()
            .iter()
            .all(|host| host.containment == Containment::Contained)
    );
}

/// Polls all futures before any of their requests can leave, so that they meet in one.
async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pinned: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pinned.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in pinned.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn an_error_that_names_no_host_counts_for_every_host_left_over() {
    let lab = lab(Fleet::of(2, "WS")).await;
    let aids: Vec<String> = lab
        .twin
        .hosts()
        .iter()
        .map(|host| host.aid.clone())
        .collect();
    let message = "something went wrong".to_owned();
    lab.twin
        .fail_next(Endpoint::Contain, Fault::ErrorInBody { code: 400, message });
    let connected = lab.connect();
    let control = connected.control(CONTAIN.effect()).unwrap();
    let (cx, want) = (call(&lab), CONTAIN.wanted().unwrap());
    let targets: Vec<_> = aids.iter().map(|aid| host(aid)).collect();
    for result in join(
        targets
            .iter()
            .map(|target| control.write(&cx, target, &want)),
    )
    .await
    {
        let error = result.unwrap_err();
        assert_eq!(
            (error.kind, &*error.detail),
            (Kind::VendorRejected, "something went wrong")
        );
    }
}

#[tokio::test]
async fn a_pending_state_is_on_its_way_and_not_there() {
    let (lab, aid) = workstation().await;
    lab.twin
        .set_connectivity(&aid, Connectivity::Offline)
        .unwrap();
    let connected = lab.connect();
    write(&lab, &connected, CONTAIN, &host(&aid)).await.unwrap();
    let observed = read(&lab, &connected, CONTAIN, &host(&aid)).await.unwrap();
    let contained = Setting::named("contained");
    assert_eq!(
        observed.reading,
        Reading::Moving {
            to: contained.clone()
        }
    );
    lab.twin
        .set_connectivity(&aid, Connectivity::Online)
        .unwrap();
    let observed = read(&lab, &connected, CONTAIN, &host(&aid)).await.unwrap();
    assert_eq!(observed.reading, Reading::Settled(contained));
}

#[tokio::test]
async fn a_host_that_is_just_being_released_is_not_called_contained() {
    let (lab, aid) = workstation().await;
    lab.twin
        .set_connectivity(&aid, Connectivity::Offline)
        .unwrap();
    lab.twin
        .set_containment(&aid, Containment::LiftContainmentPending)
        .unwrap();
    let connected = lab.connect();
    let error = write(&lab, &connected, CONTAIN, &host(&aid))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorUnavailable, "{error}");
    assert!(error.detail.starts_with("nothing was done"), "{error}");
    assert!(error.kind.passes());
    // Releasing it is under way, which is what a release wants.
    let receipt = write(&lab, &connected, RELEASE, &host(&aid)).await.unwrap();
    assert!(receipt.unchanged);
}

#[tokio::test]
async fn the_live_record_says_what_the_host_is() {
    let lab = lab(Fleet::default()
        .with(HostSpec::domain_controller("DC-01").tagged("FalconGroupingTags/Tier-0")))
    .await;
    let aid = lab.twin.aid_of("DC-01").unwrap();
    let observed = read(&lab, &lab.connect(), CONTAIN, &host(&aid))
        .await
        .unwrap();
    assert_eq!(observed.asset.class, AssetClass::DomainController);
    assert!(
        observed.asset.labels.contains("tier-0"),
        "{:?}",
        observed.asset.labels
    );
    assert!(observed.asset.labels.contains("falcongroupingtags/tier-0"));
}

#[tokio::test]
async fn a_host_without_a_device_id_is_refused_before_any_request() {
    let (lab, _) = workstation().await;
    let target = quell_model::entity::Host {
        name: Some("WS-01".into()),
        ..Default::default()
    };
    let error = write(&lab, &lab.connect(), CONTAIN, &target.into())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
    assert_eq!(lab.twin.total_requests(), 0);
}

#[tokio::test]
async fn a_reply_that_cannot_be_read_leaves_doubt_and_no_second_containment() {
    for fault in [
        Fault::GarbageBody,
        Fault::TruncatedBody,
        Fault::TornBody,
        Fault::WrongContentType,
        Fault::OversizedBody { bytes: 20 << 20 },
        Fault::StatusAfterApply { status: 502 },
    ] {
        let (lab, aid) = workstation().await;
        lab.twin
            .inject(FaultRule::next(Endpoint::Contain, fault.clone()));
        let connected = lab.connect();
        match write(&lab, &connected, CONTAIN, &host(&aid)).await {
            Ok(receipt) => assert!(!receipt.unchanged, "{fault:?}"),
            Err(error) => assert_eq!(error.kind, Kind::MaybeApplied, "{fault:?}: {error}"),
        }
        let observed = read(&lab, &connected, CONTAIN, &host(&aid)).await.unwrap();
        assert_eq!(
            observed.reading,
            Reading::Settled(Setting::named("contained")),
            "{fault:?}"
        );
        assert_eq!(
            lab.twin.host(&aid).unwrap().calls.contain_applied,
            1,
            "{fault:?}"
        );
    }
}
