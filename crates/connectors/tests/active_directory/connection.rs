//! Which controllers are believed and asked, and what is said when one fails.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use quell_connector::{Kind, Result};
use serde_json::{Value, json};

use crate::kit::{Connection, Lab, failed, named};
use crate::samba::front::{Fault, Front};
use crate::samba::people::DOMAIN;

fn fingerprint(lab: &Lab) -> String {
    let words = ["x509", "-noout", "-fingerprint", "-sha256", "-in"];
    let shown = Command::new("openssl")
        .args(words)
        .arg(lab.samba.certificate())
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    shown.trim().rsplit_once('=').unwrap().1.to_owned()
}

async fn reads(connection: &Connection) -> Result<()> {
    connection.read(&named("bob")).await.map(drop)
}

pub(crate) async fn only_a_trusted_or_a_named_certificate_is_believed() {
    let lab = Lab::start();
    let (right, wrong) = (fingerprint(&lab), "ab".repeat(32));
    let other = lab.samba.other_authority();
    for settings in [
        json!({}),
        json!({ "fingerprints": [right] }),
        json!({ "fingerprints": [wrong, right], "ca_file": null }),
    ] {
        reads(&lab.connect_with(settings)).await.unwrap();
    }
    // The same server, by an address that its certificate does not name.
    let mut front = Front::open(&lab.samba).await;
    let nameless = Ipv4Addr::new(127, 78, 0, 1).into();
    let nameless = front.another(&lab.samba, nameless).await.to_string();
    let pinned = json!({ "servers": [nameless], "fingerprints": [right], "ca_file": null });
    reads(&lab.connect_with(pinned)).await.unwrap();
    let plain = right.replace(':', "").to_lowercase();
    for (settings, said) in [
        (json!({ "ca_file": other }), "no trusted authority"),
        (json!({ "ca_file": null }), "no trusted authority"),
        (json!({ "fingerprints": [wrong] }), plain.as_str()),
        (
            json!({ "fingerprints": [wrong], "ca_file": null }),
            plain.as_str(),
        ),
        (
            json!({ "fingerprints": [right], "ca_file": other }),
            "no trusted authority",
        ),
        (json!({ "servers": [nameless] }), "for another name"),
        (
            json!({ "servers": [nameless], "fingerprints": [right] }),
            "for another name",
        ),
    ] {
        let error = failed(reads(&lab.connect_with(settings)).await);
        assert!(error.to_string().contains(said), "{error}");
    }
}

pub(crate) async fn what_cannot_work_is_refused_by_its_key() {
    let lab = Lab::start();
    for (settings, key) in [
        (json!({ "domain": "CORP" }), "domain"),
        (json!({ "servers": [] }), "servers"),
        (json!({ "servers": ["dc1", "ldap://dc2"] }), "servers[1]"),
        (json!({ "username": "quell" }), "username"),
        (json!({ "password": "env:EMPTY" }), "password"),
        (json!({ "ca_file": "/no/such/file" }), "ca_file"),
        (json!({ "fingerprints": ["ab:cd"] }), "fingerprints[0]"),
        (json!({ "probe_user": " " }), "probe_user"),
        (json!({ "verify": false }), "verify"),
    ] {
        let refused = lab.build(settings).err();
        assert_eq!(refused.as_deref(), Some(key));
    }
}

pub(crate) async fn another_controller_is_asked_while_one_is_gone_and_the_same_one_verifies() {
    let mut lab = Lab::start();
    let front = Front::open(&lab.samba).await;
    let (itself, behind) = (lab.samba.address.to_string(), front.address.to_string());
    // Nobody listens on port 1.
    let dead = format!("{itself}:1");
    let connection = lab.connect_with(json!({ "servers": [dead, behind, itself] }));
    let receipt = connection.set(&named("bob"), "disabled").await.unwrap();
    assert_eq!(receipt.evidence["server"], json!(behind));
    reads(&connection).await.unwrap();
    // One sign-in served the change and the reading after it.
    assert_eq!(front.binds(), 1);

    lab.samba.stop();
    let error = failed(reads(&connection).await);
    assert_eq!(error.kind, Kind::VendorUnavailable, "{error}");
    lab.samba.run();
    reads(&connection).await.unwrap();
}

pub(crate) async fn a_connection_that_broke_is_replaced_and_only_a_sent_change_is_in_doubt() {
    let lab = Lab::start();
    let front = Front::open(&lab.samba).await;
    let connection = lab.connect_with(json!({ "servers": [front.address.to_string()] }));
    let bob = named("bob");
    reads(&connection).await.unwrap();
    // The search that finds out whether a kept connection is still good.
    front.fail_search(Fault::Swallow);
    reads(&connection).await.unwrap();
    assert_eq!(front.binds(), 2);

    for (fault, kind) in [
        (Fault::Swallow, Kind::MaybeApplied),
        (Fault::LoseReply, Kind::MaybeApplied),
        (Fault::Nonsense, Kind::MaybeApplied),
        (Fault::Answer(53, "00002035: no"), Kind::VendorRejected),
        (Fault::Answer(80, ""), Kind::VendorRejected),
    ] {
        connection.set(&bob, "enabled").await.unwrap();
        front.fail_change(fault.clone());
        let error = failed(connection.set(&bob, "disabled").await);
        assert_eq!(error.kind, kind, "{fault:?}: {error}");
    }
}

pub(crate) async fn a_controller_that_falls_silent_costs_a_moment_and_not_the_rest_of_the_time() {
    let lab = Lab::start();
    let front = Front::open(&lab.samba).await;
    let itself = lab.samba.address.to_string();
    let connection = lab.connect_with(json!({ "servers": [front.address.to_string(), itself] }));
    front.fail_change(Fault::Silence);
    let bob = named("bob");
    let write = connection.set(&bob, "disabled");
    let error = failed(silence(&lab, &front, write).await);
    assert_eq!(error.kind, Kind::MaybeApplied, "{error}");

    // What only reads goes on at the other controller.
    let fresh = lab.connect_with(json!({ "servers": [front.address.to_string(), itself] }));
    front.fail_search(Fault::Silence);
    silence(&lab, &front, reads(&fresh)).await.unwrap();
}

/// Lets the time for a reply pass as soon as the fault has struck.
async fn silence<T>(lab: &Lab, front: &Front, work: impl Future<Output = T>) -> T {
    let passing = async {
        while front.faults() > 0 {
            tokio::task::yield_now().await;
        }
        lab.clock.advance(Duration::from_secs(16));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        done = work => done,
        () = passing => unreachable!(),
    }
}

pub(crate) async fn a_refused_password_is_not_tried_again_for_a_while() {
    let lab = Lab::start();
    let front = Front::open(&lab.samba).await;
    let servers: Value = json!([front.address.to_string(), lab.samba.address.to_string()]);
    let connection = lab.connect_with(json!({ "servers": servers, "password": "wrong-password" }));
    for _ in 0..3 {
        let error = failed(reads(&connection).await);
        assert_eq!(error.kind, Kind::AuthRejected, "{error}");
        assert_eq!(error.vendor_code.as_deref(), Some("49 52e"));
        assert!(!format!("{error:?}").contains("wrong-password"));
    }
    assert_eq!(front.binds(), 1);
    lab.clock.advance(Duration::from_secs(601));
    failed(reads(&connection).await);
    assert_eq!(front.binds(), 2);
}

pub(crate) async fn why_a_sign_in_is_refused_is_said() {
    let lab = Lab::start();
    let quell = format!("CN=quell,CN=Users,{DOMAIN}");
    lab.samba.set(&quell, "pwdLastSet", "0");
    let error = failed(reads(&lab.connect()).await);
    assert!(
        error.to_string().contains("has to be changed first"),
        "{error}"
    );
    lab.samba.set(&quell, "userAccountControl", "514");
    let error = failed(reads(&lab.connect()).await);
    assert!(error.to_string().contains("is disabled"), "{error}");
}

pub(crate) async fn the_controller_of_another_domain_is_refused() {
    let lab = Lab::start();
    let connection = lab.connect_with(json!({ "domain": "other.example.test" }));
    let error = failed(reads(&connection).await);
    assert_eq!(error.kind, Kind::ConfigInvalid, "{error}");
    assert!(
        error.to_string().contains("DC=corp,DC=example,DC=test"),
        "{error}"
    );
}

pub(crate) async fn whoever_may_not_is_told_what_to_delegate() {
    let lab = Lab::start();
    let powerless = lab.connect_with(json!({ "username": "powerless@corp.example.test" }));
    let error = failed(powerless.set(&named("bob"), "disabled").await);
    assert_eq!(error.kind, Kind::PermissionMissing, "{error}");
    assert!(
        error.to_string().contains("`Write userAccountControl`"),
        "{error}"
    );
    let error = failed(powerless.reset(&named("bob")).await);
    assert!(error.to_string().contains("`Reset password`"), "{error}");
    // Delegation ends at the organizational unit.
    let error = failed(lab.connect().set(&named("elsewhere"), "disabled").await);
    assert_eq!(error.kind, Kind::PermissionMissing, "{error}");
}
