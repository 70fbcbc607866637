//! The database file: reopened, taken, too new.

use std::path::PathBuf;

use quell_model::ActionState;
use quell_store::{Error, Store};
use serde_json::json;

use crate::world::{alert, at, contain, falcon, node, take};

/// A path of its own for each test; what is left of an earlier run is removed.
fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("quell-store-{}-{name}.db", std::process::id()));
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let _absent = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    path
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening_and_old_claims_are_void() {
    let path = path("reopen");
    {
        let store = Store::open(&path).unwrap();
        take(
            &store,
            1,
            alert("a", &["h1"]),
            0,
            vec![contain(10, "h1", ActionState::Scheduled)],
        )
        .await;
        store.claim_due(node(1), at(0), at(600), 10).await.unwrap();
        store
            .set_cursor(&falcon(), json!({ "after": "x" }))
            .await
            .unwrap();
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(
        store
            .claim_due(node(2), at(0), at(600), 10)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        store.cursor(&falcon()).await.unwrap(),
        Some(json!({ "after": "x" }))
    );
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let path = path("taken");
    let _held = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&path), Err(Error::InUse(_))));
}

#[tokio::test]
async fn a_database_of_a_newer_quell_is_refused_and_left_alone() {
    let path = path("newer");
    drop(Store::open(&path).unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    assert!(matches!(
        Store::open(&path),
        Err(Error::Newer { found: 999, .. })
    ));
}

#[tokio::test]
async fn a_used_message_id_is_known_until_it_expires_even_after_reopening() {
    let path = path("used");
    let store = Store::open(&path).unwrap();
    assert!(store.first_use("m1", at(0), at(300)).await.unwrap());
    drop(store);
    let store = Store::open(&path).unwrap();
    assert!(!store.first_use("m1", at(299), at(600)).await.unwrap());
    assert!(store.first_use("m1", at(300), at(600)).await.unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_but_its_owner_can_read_the_database_or_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let path = path("private");
    let store = Store::open(&path).unwrap();
    store.set_cursor(&falcon(), json!(1)).await.unwrap();
    for suffix in ["", "-wal", ".lock"] {
        let file = format!("{}{suffix}", path.display());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
