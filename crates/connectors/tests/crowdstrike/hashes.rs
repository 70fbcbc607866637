//! Bans: one indicator a hash, and what somebody else decided is respected.

use std::time::Duration;

use quell_connector::{Kind, Reading};
use quell_model::entity::File;
use quell_model::{ActionType, Setting};
use quell_twins::crowdstrike::{Endpoint, Fleet, HostSpec, Ioc, Process};
use quell_twins::{Fault, FaultRule};

use crate::kit::{file, lab, read, set, write};
use crate::support::Lab;

const HASH: &str = "4d6f1c7aa0b94be1b0f2f8f1b1f3d7b06e8a57a3c2d94a0f8e1b2c3d4e5f6071";
const BAN: ActionType = ActionType::BlockHash;
const UNBAN: ActionType = ActionType::UnblockHash;

/// Somebody else's indicator for the hash.
fn theirs(action: &str) -> Ioc {
    Ioc {
        kind: "sha256".into(),
        value: HASH.into(),
        action: action.into(),
        severity: "medium".into(),
        platforms: vec!["windows".into()],
        applied_globally: true,
        source: "analyst".into(),
        tags: vec!["case-12".into()],
        ..Ioc::default()
    }
}

async fn with(ioc: Ioc) -> Lab {
    let lab = lab(Fleet::default()).await;
    lab.twin.add_ioc(ioc);
    lab
}

async fn verdict(lab: &Lab) -> Setting {
    match read(lab, &lab.connect(), BAN, &file(HASH))
        .await
        .unwrap()
        .reading
    {
        Reading::Settled(value) => value,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_ban_says_whose_it_is_and_what_for() {
    let lab = lab(Fleet::default()).await;
    write(&lab, &lab.connect(), BAN, &file(HASH)).await.unwrap();
    let [ioc] = lab.twin.iocs().try_into().unwrap();
    assert_eq!(
        (ioc.source.as_str(), ioc.action.as_str()),
        ("quell", "prevent")
    );
    assert_eq!(ioc.tags, ["quell"]);
    assert_eq!(ioc.platforms, ["windows", "mac", "linux"]);
    assert!(ioc.applied_globally);
    assert!(ioc.description.contains("act_test"), "{}", ioc.description);
}

#[tokio::test]
async fn what_an_analyst_watched_is_banned_and_watched_again_after_the_undo() {
    let lab = with(theirs("detect")).await;
    assert_eq!(verdict(&lab).await, Setting::named("watched"));
    let receipt = write(&lab, &lab.connect(), BAN, &file(HASH)).await.unwrap();
    assert!(!receipt.unchanged);
    assert_eq!(verdict(&lab).await, Setting::named("banned"));
    let watched = Setting::named("watched");
    set(&lab, &lab.connect(), BAN, &file(HASH), &watched)
        .await
        .unwrap();
    assert_eq!(verdict(&lab).await, watched);
    let [ioc] = lab.twin.iocs().try_into().unwrap();
    assert_eq!(
        (ioc.source.as_str(), ioc.severity.as_str()),
        ("analyst", "medium")
    );
    assert_eq!(
        (ioc.tags, ioc.platforms),
        (vec!["case-12".to_owned()], vec!["windows".to_owned()])
    );
}

#[tokio::test]
async fn an_indicator_without_effect_is_used_and_left_without_effect() {
    let lab = with(theirs("no_action")).await;
    assert_eq!(verdict(&lab).await, Setting::named("neutral"));
    write(&lab, &lab.connect(), BAN, &file(HASH)).await.unwrap();
    assert_eq!(verdict(&lab).await, Setting::named("banned"));
    write(&lab, &lab.connect(), UNBAN, &file(HASH))
        .await
        .unwrap();
    let [ioc] = lab.twin.iocs().try_into().unwrap();
    assert_eq!(
        (ioc.action.as_str(), ioc.tags),
        ("no_action", vec!["case-12".to_owned()])
    );
}

#[tokio::test]
async fn what_somebody_allowed_is_not_overruled() {
    let lab = with(theirs("allow")).await;
    assert_eq!(verdict(&lab).await, Setting::named("allowed"));
    let error = write(&lab, &lab.connect(), BAN, &file(HASH))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorRejected);
    assert!(error.detail.contains("allowed"), "{error}");
    assert_eq!(lab.twin.iocs()[0].action, "allow");
}

#[tokio::test]
async fn somebody_else_s_ban_is_neither_made_again_nor_taken_back() {
    let lab = with(theirs("prevent")).await;
    assert!(
        write(&lab, &lab.connect(), BAN, &file(HASH))
            .await
            .unwrap()
            .unchanged
    );
    let error = write(&lab, &lab.connect(), UNBAN, &file(HASH))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorRejected);
    assert_eq!(lab.twin.iocs().len(), 1);
    assert_eq!(lab.twin.count(Endpoint::IocDelete), 0);
}

#[tokio::test]
async fn an_indicator_for_some_groups_only_is_left_to_people() {
    let lab = with(Ioc {
        applied_globally: false,
        host_groups: vec!["g1".into()],
        ..theirs("prevent")
    })
    .await;
    assert_eq!(verdict(&lab).await, Setting::named("neutral"));
    let error = write(&lab, &lab.connect(), BAN, &file(HASH))
        .await
        .unwrap_err();
    assert!(error.detail.contains("host groups"), "{error}");
    assert_eq!(lab.twin.iocs()[0].host_groups, ["g1"]);
}

#[tokio::test]
async fn a_ban_that_ran_out_is_no_ban_and_can_be_renewed() {
    for source in ["quell", "analyst"] {
        let end = quell_model::Clock::now(&*lab(Fleet::default()).await.clock);
        let lab = with(Ioc {
            source: source.into(),
            expiration: Some(end.to_string()),
            ..theirs("prevent")
        })
        .await;
        lab.clock.advance(Duration::from_secs(60));
        assert_eq!(verdict(&lab).await, Setting::named("neutral"), "{source}");
        write(&lab, &lab.connect(), BAN, &file(HASH)).await.unwrap();
        assert_eq!(verdict(&lab).await, Setting::named("banned"), "{source}");
        assert_eq!(lab.twin.iocs().len(), 1);
        write(&lab, &lab.connect(), UNBAN, &file(HASH))
            .await
            .unwrap();
        assert_eq!(verdict(&lab).await, Setting::named("neutral"), "{source}");
    }
}

#[tokio::test]
async fn a_lost_reply_leaves_one_indicator_that_is_ours_to_take_back() {
    let lab = lab(Fleet::default()).await;
    lab.twin
        .fail_next(Endpoint::IocCreate, Fault::DropAfterApply);
    let receipt = write(&lab, &lab.connect(), BAN, &file(HASH)).await.unwrap();
    assert!(!receipt.unchanged);
    assert_eq!(lab.twin.iocs().len(), 1);
    assert_eq!(
        lab.twin.count(Endpoint::IocCreate),
        2,
        "the second was refused as a duplicate"
    );
    lab.twin
        .fail_next(Endpoint::IocDelete, Fault::DropAfterApply);
    let receipt = write(&lab, &lab.connect(), UNBAN, &file(HASH))
        .await
        .unwrap();
    assert!(!receipt.unchanged);
    assert!(lab.twin.iocs().is_empty());
}

#[tokio::test]
async fn the_filter_that_would_override_the_ids_is_never_sent_with_a_delete() {
    let lab = lab(Fleet::default()).await;
    write(&lab, &lab.connect(), BAN, &file(HASH)).await.unwrap();
    write(&lab, &lab.connect(), UNBAN, &file(HASH))
        .await
        .unwrap();
    let deletes = lab
        .twin
        .requests()
        .into_iter()
        .filter(|request| request.method == "DELETE");
    let deletes: Vec<_> = deletes.map(|request| request.target).collect();
    assert_eq!(deletes.len(), 1);
    assert!(
        deletes[0].contains("ids=") && !deletes[0].contains("filter"),
        "{deletes:?}"
    );
}

#[tokio::test]
async fn the_best_hash_the_vendor_takes_is_used() {
    let md5 = "0cc175b9c0f1b6a831c399e269772661";
    let lab = lab(Fleet::default()).await;
    let only_md5 = File {
        md5: Some(md5.into()),
        sha1: Some("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8".into()),
        ..File::default()
    };
    write(&lab, &lab.connect(), BAN, &only_md5.into())
        .await
        .unwrap();
    assert_eq!(
        (
            lab.twin.iocs()[0].kind.as_str(),
            lab.twin.iocs()[0].value.as_str()
        ),
        ("md5", md5)
    );
    let only_sha1 = File {
        sha1: Some("86f7e437faa5a7fce15d1ddcb9eaeaea377667b8".into()),
        ..File::default()
    };
    let error = write(&lab, &lab.connect(), BAN, &only_sha1.into())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
    assert!(error.detail.contains("SHA-1"), "{error}");
    let zeros = file(&"0".repeat(64));
    let error = write(&lab, &lab.connect(), BAN, &zeros).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
}

/// A fleet of which so many hosts run the file.
fn running(hosts: usize) -> Fleet {
    let mut fleet = Fleet::of(hosts, "WS").with(HostSpec::server("SRV-01"));
    for host in fleet.hosts.iter_mut().take(hosts) {
        host.processes = vec![Process::new(700, "agent.exe").with_sha256(HASH)];
    }
    fleet
}

#[tokio::test]
async fn reading_a_hash_says_on_how_many_hosts_it_was_seen() {
    let lab = lab(running(120)).await;
    let connected = lab.connect();
    let observed = read(&lab, &connected, BAN, &file(HASH)).await.unwrap();
    assert_eq!(observed.file.prevalence, Some(120));
    assert_eq!(lab.twin.count(Endpoint::IocDevices), 1);
    write(&lab, &connected, BAN, &file(HASH)).await.unwrap();
    let observed = read(&lab, &connected, BAN, &file(HASH)).await.unwrap();
    assert_eq!(observed.reading, Reading::Settled(Setting::named("banned")));
    assert_eq!(
        lab.twin.count(Endpoint::IocDevices),
        1,
        "a ban that is read back is not counted again"
    );
}

#[tokio::test]
async fn a_count_that_cannot_be_read_is_unknown_and_fails_nothing() {
    for fault in [
        None,
        Some(Fault::ScopeMissing),
        Some(Fault::StatusBeforeApply { status: 503 }),
        Some(Fault::GarbageBody),
        Some(Fault::ErrorInBody {
            code: 500,
            message: "search is degraded".to_owned(),
        }),
    ] {
        // Without a fault, the vendor says 404 of a hash nobody runs.
        let lab = lab(running(if fault.is_some() { 120 } else { 0 })).await;
        if let Some(fault) = &fault {
            lab.twin
                .inject(FaultRule::next(Endpoint::IocDevices, fault.clone()).times(u32::MAX));
        }
        let before = quell_model::Clock::now(&*lab.clock);
        let observed = read(&lab, &lab.connect(), BAN, &file(HASH)).await.unwrap();
        assert_eq!(observed.file.prevalence, None, "{fault:?}");
        assert_eq!(
            observed.reading,
            Reading::Settled(Setting::named("neutral"))
        );
        let waited = quell_model::Clock::now(&*lab.clock).duration_since(before);
        assert!(waited.as_secs() <= 5, "{fault:?} held it up for {waited}");
    }
}

#[tokio::test]
async fn a_reply_in_which_something_failed_is_not_taken_for_no_indicator() {
    let lab = with(theirs("allow")).await;
    let message = "search is degraded".to_owned();
    lab.twin.fail_next(
        Endpoint::IocCombined,
        Fault::ErrorInBody { code: 500, message },
    );
    let error = write(&lab, &lab.connect(), BAN, &file(HASH))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::VendorUnavailable, "{error}");
    assert_eq!(lab.twin.iocs()[0].action, "allow");
}
