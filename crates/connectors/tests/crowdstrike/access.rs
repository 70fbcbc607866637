//! Signing in, clouds, permissions.

use std::time::Duration;

use quell_connector::Kind;
use quell_model::ActionType;
use quell_twins::crowdstrike::{
    ApiClient, CLIENT_ID, CLIENT_SECRET, Config, Endpoint, Fleet, RegionRedirect, Scope,
};
use quell_twins::{Fault, FaultRule};
use serde_json::json;

use crate::kit::{call, host, lab, read, workstation};
use crate::support::Lab;

const READ: ActionType = ActionType::ContainHost;

#[tokio::test]
async fn a_tenant_in_another_cloud_is_found_once_and_remembered() {
    let (there, aid) = workstation().await;
    let here = lab(Fleet::default()).await;
    here.twin.set_region_redirect(Some(RegionRedirect {
        region: "us-2".into(),
        base_url: there.twin.base_url(),
    }));
    let connected = here.connect();
    assert!(read(&here, &connected, READ, &host(&aid)).await.is_ok());
    there.twin.revoke_tokens();
    assert!(read(&here, &connected, READ, &host(&aid)).await.is_ok());
    assert_eq!(
        here.twin.count(Endpoint::Token),
        1,
        "only the first sign-in asks around"
    );
    assert_eq!(there.twin.count(Endpoint::Token), 2);
}

#[tokio::test]
async fn the_sensor_and_its_clouds_are_what_nothing_may_be_done_to() {
    let lab = lab(Fleet::default()).await;
    let lifelines = lab.connect().lifelines;
    assert_eq!(lifelines.hosts, ["127.0.0.1", "cloudsink.net"]);
    for program in ["CSFalconService.exe", "falcon-sensor"] {
        assert!(lifelines.programs.iter().any(|known| known == program));
    }
}

#[tokio::test]
async fn the_secret_is_never_sent_to_a_host_an_answer_made_up() {
    let elsewhere = lab(Fleet::default()).await;
    let here = lab(Fleet::default()).await;
    let port = elsewhere.twin.address().port();
    for base_url in [
        format!("http://localhost:{port}"),
        "https://evil.test".to_owned(),
    ] {
        here.twin.set_region_redirect(Some(RegionRedirect {
            region: "us-2".into(),
            base_url,
        }));
        let error = read(&here, &here.connect(), READ, &host("a"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::ConfigInvalid, "{error}");
    }
    assert_eq!(elsewhere.twin.total_requests(), 0);
}

#[tokio::test]
async fn two_clouds_that_point_at_each_other_end_the_search() {
    let (a, b) = (lab(Fleet::default()).await, lab(Fleet::default()).await);
    for (from, to) in [(&a, &b), (&b, &a)] {
        from.twin.set_region_redirect(Some(RegionRedirect {
            region: "us-2".into(),
            base_url: to.twin.base_url(),
        }));
    }
    let error = read(&a, &a.connect(), READ, &host("a")).await.unwrap_err();
    assert_eq!(error.kind, Kind::ConfigInvalid, "{error}");
    assert_eq!(
        a.twin.count(Endpoint::Token) + b.twin.count(Endpoint::Token),
        2
    );
}

#[tokio::test]
async fn many_calls_at_once_sign_in_once() {
    let (lab, aid) = workstation().await;
    let connected = lab.connect();
    let many = || async {
        let reads: Vec<_> = (0..20)
            .map(|_| {
                let (connected, cx, target) = (connected.clone(), call(&lab), host(&aid));
                tokio::spawn(async move {
                    let control = connected.control(READ.effect()).unwrap().clone();
                    control.read(&cx, &target).await.map(drop)
                })
            })
            .collect();
        for read in reads {
            read.await.unwrap().unwrap();
        }
    };
    many().await;
    assert_eq!(lab.twin.count(Endpoint::Token), 1);
    // The vendor drops the token; the callers it surprises fetch one new one together.
    lab.twin.revoke_tokens();
    many().await;
    assert_eq!(lab.twin.count(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_token_is_replaced_before_it_runs_out() {
    let (lab, aid) = workstation().await;
    let connected = lab.connect();
    read(&lab, &connected, READ, &host(&aid)).await.unwrap();
    lab.clock.advance(Duration::from_secs(1430));
    read(&lab, &connected, READ, &host(&aid)).await.unwrap();
    assert_eq!(lab.twin.count(Endpoint::Token), 1);
    lab.clock.advance(Duration::from_secs(20));
    read(&lab, &connected, READ, &host(&aid)).await.unwrap();
    assert_eq!(lab.twin.count(Endpoint::Token), 2);
    assert!(
        lab.twin
            .requests()
            .iter()
            .all(|request| request.status != Some(401))
    );
}

#[tokio::test]
async fn a_credential_that_never_works_is_tried_twice_and_no_more() {
    let (lab, aid) = workstation().await;
    lab.twin
        .inject(FaultRule::next(Endpoint::DeviceRead, Fault::TokenRevoked).times(100));
    let error = read(&lab, &lab.connect(), READ, &host(&aid))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::AuthRejected, "{error}");
    assert_eq!(lab.twin.count(Endpoint::DeviceRead), 2);
    assert_eq!(lab.twin.count(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_refused_sign_in_says_what_to_look_at_and_not_the_secret() {
    let lab = lab(Fleet::default()).await;
    let cases = [
        (json!({ "client_id": "nobody" }), "client_id"),
        (json!({ "client_secret": "env:WRONG_SECRET" }), "secret"),
        (
            json!({ "member_cid": "0123456789abcdef0123456789abcdef" }),
            "member_cid",
        ),
    ];
    for (extra, hint) in cases {
        let error = read(&lab, &lab.connect_with(extra), READ, &host("a"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::AuthRejected);
        assert!(error.detail.contains(hint), "{error}");
        assert!(error.request_id.is_some());
        assert!(!format!("{error:?}").contains("not-the-secret"));
    }
    lab.twin.fail_next(Endpoint::Token, Fault::ScopeMissing);
    let error = read(&lab, &lab.connect(), READ, &host("a"))
        .await
        .unwrap_err();
    assert!(error.detail.contains("allow list"), "{error}");
}

#[tokio::test]
async fn a_parent_acts_on_its_child_with_the_child_s_token() {
    let child = "11112222333344445555666677778888";
    let lab = Lab::start(Config {
        member_cids: vec![child.to_owned()],
        ..Config::manual()
    })
    .await;
    let mut spec = quell_twins::crowdstrike::HostSpec::workstation("WS-CHILD");
    spec.cid = Some(child.to_owned());
    let aid = lab.twin.add_host(spec);
    let connected = lab.connect_with(json!({ "member_cid": child }));
    let written = crate::kit::write(&lab, &connected, READ, &host(&aid)).await;
    assert!(written.is_ok(), "{written:?}");
}

#[tokio::test]
async fn a_wait_the_vendor_asks_for_is_kept() {
    let (lab, aid) = workstation().await;
    let start = quell_model::Clock::now(&*lab.clock);
    let wait = Fault::Throttled {
        retry_after_seconds: Some(11),
    };
    lab.twin.fail_next(Endpoint::DeviceRead, wait);
    read(&lab, &lab.connect(), READ, &host(&aid)).await.unwrap();
    let waited = quell_model::Clock::now(&*lab.clock)
        .duration_since(start)
        .as_secs();
    assert!((10..=12).contains(&waited), "waited {waited} s");
}

#[tokio::test]
async fn the_probe_names_each_missing_permission_and_changes_nothing() {
    let names = [
        (Scope::HostsRead, "Hosts: read"),
        (Scope::HostsWrite, "Hosts: write"),
        (Scope::RtrRead, "Real time response: read"),
        (Scope::RtrWrite, "Real time response: write"),
        (Scope::IocRead, "IOC Management: read"),
        (Scope::IocWrite, "IOC Management: write"),
        (Scope::IocsRead, "IOCs: read"),
        (Scope::AlertsRead, "Alerts: read"),
        (Scope::AlertsWrite, "Alerts: write"),
    ];
    let (lab, aid) = workstation().await;
    let before = (lab.twin.host(&aid), lab.twin.iocs(), lab.twin.sessions());
    let checks = lab.connect().probe(&call(&lab)).await;
    assert_eq!(checks.len(), names.len() + 1);
    assert!(
        checks.iter().all(|check| check.ok == Some(true)),
        "{checks:#?}"
    );
    for (scope, name) in names {
        lab.twin
            .put_client(ApiClient::new(CLIENT_ID, CLIENT_SECRET).without(scope));
        let checks = lab.connect().probe(&call(&lab)).await;
        let missing: Vec<_> = checks
            .iter()
            .filter(|check| check.ok != Some(true))
            .collect();
        let [missing] = missing.as_slice() else {
            panic!("{name}: {missing:#?}")
        };
        assert_eq!((missing.name.as_str(), missing.ok), (name, Some(false)));
        assert!(missing.detail.contains(name), "{}", missing.detail);
    }
    assert_eq!(
        before,
        (lab.twin.host(&aid), lab.twin.iocs(), lab.twin.sessions())
    );
}

#[tokio::test]
async fn the_probe_tells_a_refused_sign_in_from_a_vendor_that_is_down() {
    let lab = lab(Fleet::default()).await;
    let wrong = lab.connect_with(json!({ "client_secret": "env:WRONG_SECRET" }));
    let checks = wrong.probe(&call(&lab)).await;
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].ok, Some(false));
    lab.twin
        .inject(FaultRule::next(Endpoint::Token, Fault::ResetBeforeApply).times(20));
    let checks = lab.connect().probe(&call(&lab)).await;
    assert_eq!((checks.len(), checks[0].ok), (1, None), "{checks:#?}");
}

#[tokio::test]
async fn a_trial_that_fails_for_another_reason_is_not_called_missing() {
    let lab = lab(Fleet::default()).await;
    lab.twin.inject(
        FaultRule::next(Endpoint::Contain, Fault::StatusBeforeApply { status: 500 }).times(20),
    );
    let checks = lab.connect().probe(&call(&lab)).await;
    let odd: Vec<_> = checks
        .iter()
        .filter(|check| check.ok != Some(true))
        .collect();
    assert_eq!(odd.len(), 1);
    assert_eq!((odd[0].name.as_str(), odd[0].ok), ("Hosts: write", None));
}
