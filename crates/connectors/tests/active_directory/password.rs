//! Resetting a password: what the domain makes of it, what proves it, and what is never written down.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use quell_connector::{BoxFuture, Error, Intent, Kind, Passwords, Progress, Receipt, Result};
use quell_model::Secret;
use serde_json::json;

use crate::kit::{Connection, FRESH, Fresh, Lab, failed, named};
use crate::samba::PASSWORD;
use crate::samba::front::{Fault, Front};
use crate::samba::people::STAFF;

async fn progress(connection: &Connection, receipt: &Receipt) -> Progress {
    let row = connection.reset_row();
    let bob = named("bob");
    row.progress(&connection.call(), &bob, receipt)
        .await
        .unwrap()
}

fn note(progress: Progress) -> String {
    match progress {
        Progress::Done { note } => note,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn the_old_password_is_refused_and_the_new_one_has_to_be_changed() {
    let lab = Lab::start();
    let connection = lab.connect();
    let receipt = connection.reset(&named("bob")).await.unwrap();

    let principal = "bob@corp.example.test";
    let refused = lab.samba.sign_in(principal, PASSWORD).unwrap_err();
    assert!(refused.contains("data 52e"), "{refused}");
    let refused = lab.samba.sign_in(principal, FRESH).unwrap_err();
    assert!(refused.contains("data 773"), "{refused}");
    assert_eq!(lab.samba.number("bob", "pwdLastSet"), 0);

    let note = note(progress(&connection, &receipt).await);
    assert!(
        note.contains("has to be changed at the next sign-in"),
        "{note}"
    );
    assert!(
        note.contains("may work until 2026-09-22 00:13 UTC"),
        "{note}"
    );
    let kept = format!("{receipt:?}{note}");
    assert!(!kept.contains(FRESH) && !kept.contains(PASSWORD), "{kept}");
}

pub(crate) async fn what_cannot_be_forced_or_is_over_is_said() {
    let lab = Lab::start();
    let connection = lab.connect();
    let receipt = connection.reset(&named("lasting")).await.unwrap();
    let said = note(progress(&connection, &receipt).await);
    assert!(said.contains("never expires"), "{said}");

    let receipt = connection.reset(&named("bob")).await.unwrap();
    lab.samba
        .set_password(&format!("CN=bob,{STAFF}"), "Chosen-anew-99!");
    let said = note(progress(&connection, &receipt).await);
    assert!(said.contains("changed again since"), "{said}");
}

pub(crate) async fn only_the_controller_that_made_the_change_can_say_that_it_did_not() {
    let lab = Lab::start();
    let connection = lab.connect();
    let receipt = connection.reset(&named("bob")).await.unwrap();
    lab.samba
        .set_password(&format!("CN=bob,{STAFF}"), "Chosen-anew-99!");
    let untouched = |server: &str| {
        let mut evidence = receipt.evidence.clone();
        evidence["server"] = json!(server);
        evidence["password_set_before"] = json!(lab.samba.number("bob", "pwdLastSet"));
        Receipt::of(evidence)
    };
    let here = lab.samba.address.to_string();
    let said = progress(&connection, &untouched(&here)).await;
    assert!(matches!(said, Progress::Failed { .. }), "{said:?}");
    let said = progress(&connection, &untouched("dc9.corp.example.test")).await;
    assert_eq!(said, Progress::Pending);
    assert_eq!(
        progress(&connection, &Receipt::default()).await,
        Progress::Lost
    );
}

pub(crate) async fn a_password_against_the_policy_changes_nothing() {
    let lab = Lab::start();
    let connection = lab.connect();
    let weak = connection.call().keeping(Arc::new(Fresh("weak")));
    let error = failed(connection.reset_row().perform(&weak, &named("bob")).await);
    assert_eq!(error.kind, Kind::VendorRejected, "{error}");
    assert!(error.to_string().contains("password policy"), "{error}");
    lab.samba
        .sign_in("bob@corp.example.test", PASSWORD)
        .unwrap();
}

/// Writes down what was asked for, in order.
#[derive(Default)]
struct Ledger {
    steps: Mutex<Vec<&'static str>>,
    refuses: bool,
    issued: AtomicU32,
}

impl Intent for Ledger {
    fn record(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.steps.lock().unwrap().push("intent");
            match self.refuses {
                true => Err(Error::new(
                    Kind::VendorUnavailable,
                    "store",
                    "the disk is full",
                )),
                false => Ok(()),
            }
        })
    }
}

impl Passwords for Ledger {
    fn issue(&self) -> BoxFuture<'_, Result<Secret>> {
        Box::pin(async {
            self.steps.lock().unwrap().push("password");
            self.issued.fetch_add(1, Ordering::Relaxed);
            Ok(Secret::new(FRESH.to_owned()))
        })
    }

    fn keep<'a>(&'a self, _: &'a Secret) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) async fn nothing_is_sent_before_password_and_intent_are_durable() {
    let lab = Lab::start();
    let front = Front::open(&lab.samba).await;
    let connection = lab.connect_with(json!({ "servers": [front.address.to_string()] }));
    let full = Arc::new(Ledger {
        refuses: true,
        ..Ledger::default()
    });
    let call = connection
        .call()
        .keeping(full.clone())
        .intending(full.clone());
    failed(connection.reset_row().perform(&call, &named("bob")).await);
    assert_eq!(front.changes(), 0);

    let ledger = Arc::new(Ledger::default());
    let call = connection
        .call()
        .keeping(ledger.clone())
        .intending(ledger.clone());
    let done = connection.reset_row().perform(&call, &named("bob")).await;
    done.unwrap();
    assert_eq!(*ledger.steps.lock().unwrap(), ["password", "intent"]);
    assert_eq!(front.changes(), 1);
}

pub(crate) async fn one_password_is_given_out_however_many_controllers_are_asked() {
    let lab = Lab::start();
    let mut front = Front::open(&lab.samba).await;
    let samba = &lab.samba;
    let doors = [front.address, front.another(samba, samba.address).await];
    let servers = doors.map(|door| door.to_string());
    let connection = lab.connect_with(json!({ "servers": servers }));
    front.fail_change(Fault::Answer(51, "00002024: busy"));
    let ledger = Arc::new(Ledger::default());
    let call = connection.call().keeping(ledger.clone());
    let done = connection.reset_row().perform(&call, &named("bob")).await;
    assert_eq!(done.unwrap().evidence["server"], json!(servers[1]));
    assert_eq!(ledger.issued.load(Ordering::Relaxed), 1);
}
