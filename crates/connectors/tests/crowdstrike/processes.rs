//! Killing: only what was seen running under the right name, on a host that answers, once.

use std::time::Duration;

use quell_connector::{Connected, Kind, Progress, Receipt};
use quell_twins::crowdstrike::{Config, Connectivity, Endpoint, Fleet, HostSpec, Process, Settle};
use quell_twins::{Fault, FaultRule};

use crate::kit::{call, kill, lab, process, progress};
use crate::support::Lab;

async fn infected() -> (Lab, String) {
    let host = HostSpec::workstation("WS-01").running(Process::new(5260, "stealer.exe"));
    let lab = lab(Fleet::default().with(host)).await;
    let aid = lab.twin.aid_of("WS-01").unwrap();
    (lab, aid)
}

fn kills(lab: &Lab, aid: &str) -> (u64, u64) {
    let calls = lab.twin.host(aid).unwrap().calls;
    (calls.kill_received, calls.kill_applied)
}

async fn outcome(lab: &Lab, connected: &Connected, aid: &str, receipt: &Receipt) -> Progress {
    progress(lab, connected, &process(aid, 5260, "stealer.exe"), receipt)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_reused_pid_is_never_killed() {
    let (lab, aid) = infected().await;
    let connected = lab.connect();
    let target = process(&aid, 5260, "winword.exe");
    let receipt = kill(&lab, &connected, &target).await.unwrap();
    assert!(receipt.unchanged);
    let progress = progress(&lab, &connected, &target, &receipt).await.unwrap();
    assert!(
        matches!(&progress, Progress::AlreadySo { note } if note.contains("stealer")),
        "{progress:?}"
    );
    assert_eq!(kills(&lab, &aid), (0, 0));
    assert!(lab.twin.sessions().is_empty());
}

#[tokio::test]
async fn a_process_that_ended_by_itself_is_already_so() {
    let (lab, aid) = infected().await;
    let connected = lab.connect();
    let target = process(&aid, 9999, "stealer.exe");
    let receipt = kill(&lab, &connected, &target).await.unwrap();
    assert!(receipt.unchanged);
    let progress = progress(&lab, &connected, &target, &receipt).await.unwrap();
    assert!(matches!(progress, Progress::AlreadySo { .. }));
    assert_eq!(kills(&lab, &aid), (0, 0));
    assert!(lab.twin.sessions().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_or_queued_to_a_host_that_is_away() {
    let (lab, aid) = infected().await;
    lab.twin
        .set_connectivity(&aid, Connectivity::Offline)
        .unwrap();
    let error = kill(&lab, &lab.connect(), &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorUnavailable);
    assert!(
        error.detail.contains("offline; nothing was done"),
        "{error}"
    );
    assert_eq!(
        lab.twin.count(Endpoint::RtrSessionOpen),
        0,
        "the online state said it all"
    );
    // The vendor may not know yet that the host is away; opening a session tells.
    lab.twin
        .set_connectivity(&aid, Connectivity::Unknown)
        .unwrap();
    let error = kill(&lab, &lab.connect(), &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorUnavailable);
    assert_eq!(error.vendor_code.as_deref(), Some("40401"));
    assert!(lab.twin.sessions().is_empty());
    // Hosts that are away are no reason to think the vendor is.
    lab.twin
        .set_connectivity(&aid, Connectivity::Online)
        .unwrap();
    for _ in 0..8 {
        lab.twin
            .set_connectivity(&aid, Connectivity::Unknown)
            .unwrap();
        drop(kill(&lab, &lab.connect(), &process(&aid, 5260, "stealer.exe")).await);
    }
    lab.twin
        .set_connectivity(&aid, Connectivity::Online)
        .unwrap();
    assert!(
        kill(&lab, &lab.connect(), &process(&aid, 5260, "stealer.exe"))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_host_that_goes_away_before_the_kill_is_said_to_be_away() {
    let (lab, aid) = infected().await;
    let connected = lab.connect();
    lab.twin.fail_next(
        Endpoint::RtrActiveCommand,
        Fault::ErrorInBody {
            code: 40401,
            message: "Could not establish sensor comms".into(),
        },
    );
    let error = kill(&lab, &connected, &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorUnavailable, "{error}");
    assert!(
        lab.twin.sessions().is_empty(),
        "the session is closed all the same"
    );
}

#[tokio::test]
async fn what_the_host_says_of_a_kill_that_failed_is_passed_on() {
    let mut stubborn = Process::new(5260, "stealer.exe");
    stubborn.refuses_kill = Some("Access is denied.".into());
    let lab = lab(Fleet::default().with(HostSpec::workstation("WS-01").running(stubborn))).await;
    let aid = lab.twin.aid_of("WS-01").unwrap();
    let connected = lab.connect();
    let receipt = kill(&lab, &connected, &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap();
    let progress = outcome(&lab, &connected, &aid, &receipt).await;
    assert!(
        matches!(&progress, Progress::Failed { note } if note.contains("Access is denied")),
        "{progress:?}"
    );
    assert!(lab.twin.sessions().is_empty());
}

#[tokio::test]
async fn a_process_that_ends_between_the_look_and_the_kill_is_already_so() {
    let (lab, aid) = infected().await;
    // The commands take a second each; the process ends after the first.
    lab.twin.set_settle(Settle {
        command: Duration::from_secs(1),
        ..Settle::INSTANT
    });
    let connected = lab.connect();
    let receipt = kill(&lab, &connected, &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap();
    assert!(!receipt.unchanged);
    lab.twin
        .change_host(&aid, |host| {
            host.processes.retain(|process| process.pid != 5260)
        })
        .unwrap();
    assert_eq!(
        outcome(&lab, &connected, &aid, &receipt).await,
        Progress::Pending
    );
    lab.clock.advance(Duration::from_secs(2));
    let progress = outcome(&lab, &connected, &aid, &receipt).await;
    assert!(
        matches!(progress, Progress::AlreadySo { .. }),
        "{progress:?}"
    );
}

#[tokio::test]
async fn after_a_restart_a_session_that_is_gone_is_opened_again() {
    let (lab, aid) = infected().await;
    let receipt = kill(&lab, &lab.connect(), &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap();
    lab.clock.advance(Duration::from_secs(3600));
    let progress = outcome(&lab, &lab.connect(), &aid, &receipt).await;
    assert!(matches!(progress, Progress::Done { .. }), "{progress:?}");
    assert_eq!(lab.twin.count(Endpoint::RtrSessionOpen), 2);
    assert!(lab.twin.sessions().is_empty());
    assert_eq!(kills(&lab, &aid), (1, 1));
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_looking_and_never_by_killing_again() {
    let (lab, aid) = infected().await;
    lab.twin
        .fail_next(Endpoint::RtrActiveCommand, Fault::DropAfterApply);
    let connected = lab.connect();
    let receipt = kill(&lab, &connected, &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap();
    let progress = outcome(&lab, &connected, &aid, &receipt).await;
    assert!(matches!(progress, Progress::Done { .. }), "{progress:?}");
    assert_eq!(kills(&lab, &aid), (1, 1));
    // And when it never arrived, nobody pretends to know.
    let (lab, aid) = infected().await;
    lab.twin
        .fail_next(Endpoint::RtrActiveCommand, Fault::ResetBeforeApply);
    let connected = lab.connect();
    let receipt = kill(&lab, &connected, &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap();
    assert_eq!(
        outcome(&lab, &connected, &aid, &receipt).await,
        Progress::Lost
    );
    assert_eq!(kills(&lab, &aid), (0, 0));
}

#[tokio::test]
async fn a_response_policy_that_forbids_it_is_named() {
    let (lab, aid) = infected().await;
    lab.twin
        .change_host(&aid, |host| host.rtr_enabled = false)
        .unwrap();
    let error = kill(&lab, &lab.connect(), &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorRejected);
    assert!(error.detail.contains("response policy"), "{error}");
}

#[tokio::test]
async fn kills_on_one_host_share_a_session_and_the_last_one_closes_it() {
    let mut host = HostSpec::workstation("WS-01");
    for pid in 6000..6012 {
        host = host.running(Process::new(pid, "stealer.exe"));
    }
    let lab = lab(Fleet::default().with(host)).await;
    let aid = lab.twin.aid_of("WS-01").unwrap();
    let connected = lab.connect();
    let kills = (6000..6012).map(|pid| {
        let (connected, cx, aid) = (connected.clone(), call(&lab), aid.clone());
        tokio::spawn(async move {
            let target = process(&aid, pid, "stealer.exe");
            let perform = connected
                .perform(quell_model::ActionType::KillProcess.effect())
                .unwrap();
            let receipt = perform.perform(&cx, &target).await?;
            perform.progress(&cx, &target, &receipt).await
        })
    });
    for kill in kills.collect::<Vec<_>>() {
        let progress = kill.await.unwrap().unwrap();
        assert!(matches!(progress, Progress::Done { .. }), "{progress:?}");
    }
    assert!(
        lab.twin
            .processes(&aid)
            .iter()
            .all(|process| process.image != "stealer.exe")
    );
    assert!(lab.twin.sessions().is_empty());
}

#[tokio::test]
async fn two_nodes_that_close_each_other_s_session_both_finish() {
    let host = HostSpec::workstation("WS-01")
        .running(Process::new(6000, "stealer.exe"))
        .running(Process::new(6001, "stealer.exe"));
    let lab = lab(Fleet::default().with(host)).await;
    let aid = lab.twin.aid_of("WS-01").unwrap();
    let (one, two) = (lab.connect(), lab.connect());
    let run = |connected: Connected, pid: u32| {
        let (cx, aid) = (call(&lab), aid.clone());
        tokio::spawn(async move {
            let target = process(&aid, pid, "stealer.exe");
            let perform = connected
                .perform(quell_model::ActionType::KillProcess.effect())
                .unwrap();
            let receipt = perform.perform(&cx, &target).await?;
            perform.progress(&cx, &target, &receipt).await
        })
    };
    for kill in [run(one, 6000), run(two, 6001)] {
        let progress = kill.await.unwrap().unwrap();
        assert!(matches!(progress, Progress::Done { .. }), "{progress:?}");
    }
}

#[tokio::test]
async fn a_listing_in_many_pieces_is_read_to_its_end() {
    let mut host = HostSpec::workstation("WS-01");
    for pid in 1000..1200 {
        host = host.running(Process::new(pid, "svchost.exe"));
    }
    let config = Config {
        rtr_chunk: 1000,
        ..Config::manual()
            .with_fleet(Fleet::default().with(host.running(Process::new(5260, "stealer.exe"))))
    };
    let lab = Lab::start(config).await;
    let aid = lab.twin.aid_of("WS-01").unwrap();
    let connected = lab.connect();
    let receipt = kill(&lab, &connected, &process(&aid, 5260, "stealer.exe"))
        .await
        .unwrap();
    let progress = outcome(&lab, &connected, &aid, &receipt).await;
    assert!(matches!(progress, Progress::Done { .. }), "{progress:?}");
}

#[tokio::test]
async fn other_platforms_list_command_lines() {
    for host in [HostSpec::linux("web-01"), HostSpec::mac("MAC-01")] {
        let name = host.hostname.clone();
        let mut miner = Process::new(4021, "miner");
        miner.command_line = "/tmp/.x/miner --pool example".into();
        let lab = lab(Fleet::default().with(host.running(miner))).await;
        let aid = lab.twin.aid_of(&name).unwrap();
        let connected = lab.connect();
        let target = process(&aid, 4021, "miner");
        let receipt = kill(&lab, &connected, &target).await.unwrap();
        let done = progress(&lab, &connected, &target, &receipt).await.unwrap();
        assert!(matches!(done, Progress::Done { .. }), "{done:?}");
        // A command line that names something else proves nothing, so nothing is killed.
        let target = process(&aid, 1, "miner");
        let error = kill(&lab, &connected, &target).await.unwrap_err();
        assert_eq!(error.kind, Kind::VendorRejected, "{error}");
    }
}

#[tokio::test]
async fn a_process_that_cannot_be_told_apart_is_refused_before_any_request() {
    let (lab, aid) = infected().await;
    let connected = lab.connect();
    for target in [
        quell_model::entity::Process {
            pid: Some(5260),
            name: Some("stealer.exe".into()),
            ..Default::default()
        },
        quell_model::entity::Process {
            host_id: Some(aid.clone()),
            name: Some("stealer.exe".into()),
            ..Default::default()
        },
        quell_model::entity::Process {
            host_id: Some(aid.clone()),
            pid: Some(5260),
            ..Default::default()
        },
    ] {
        let error = kill(&lab, &connected, &target.into()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unsupported);
    }
    assert_eq!(lab.twin.total_requests(), 0);
}

#[tokio::test]
async fn what_fails_before_the_kill_is_sent_leaves_no_doubt() {
    for endpoint in [
        Endpoint::RtrSessionOpen,
        Endpoint::RtrCommand,
        Endpoint::RtrCommandStatus,
    ] {
        for fault in [
            Fault::DropAfterApply,
            Fault::StatusAfterApply { status: 502 },
            Fault::GarbageBody,
        ] {
            let (lab, aid) = infected().await;
            let connected = lab.connect();
            lab.twin
                .inject(FaultRule::next(endpoint, fault.clone()).times(20));
            let error = kill(&lab, &connected, &process(&aid, 5260, "stealer.exe"))
                .await
                .unwrap_err();
            assert_ne!(
                error.kind,
                Kind::MaybeApplied,
                "{endpoint:?} {fault:?}: {error}"
            );
            assert_eq!(kills(&lab, &aid), (0, 0), "{endpoint:?} {fault:?}");
        }
    }
}
