//! Temporary passwords: shown once, to whoever may see them, and gone in time.

use std::time::Duration;

use quell_engine::Seal;
use quell_model::{ActionState, Clock, Secret};

use crate::sign_ins::{accept, administrator, passwords, reset, sign_in, world};
use crate::world::responder;

#[tokio::test]
async fn the_temporary_password_is_shown_once_to_the_role_that_may_see_it() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let id = reset(&world).await.id;
    let refused = world
        .engine
        .show_password(id, &responder("ben"))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("administrator"), "{refused}");
    let shown = world
        .engine
        .show_password(id, &administrator())
        .await
        .unwrap();
    assert_eq!(
        shown.password.expose(),
        world.cloud.user("ana").passwords[0]
    );
    let again = world
        .engine
        .show_password(id, &administrator())
        .await
        .unwrap_err();
    assert!(again.to_string().contains("shown to ada"), "{again}");
    world.work().await;
    let told = world.lab.lock().told.clone();
    let seen = told
        .iter()
        .any(|notice| notice.title.contains("ada was shown"));
    assert!(seen, "{told:#?}");
}

#[tokio::test]
async fn a_password_that_does_not_open_is_not_counted_as_shown() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let id = reset(&world).await.id;
    let organization = world.engine.organization();
    // As if the key had been changed since.
    let other = Seal::new(&[8; Seal::KEY]).unwrap();
    let sealed = other.seal(&id.to_string(), &Secret::new("secret".to_owned()));
    let now = world.clock.now();
    let later = now + Duration::from_secs(3600);
    let keep = world
        .store
        .keep_password(organization, id, sealed.unwrap(), (now, later));
    keep.await.unwrap();
    let refused = world.engine.show_password(id, &administrator()).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("key"), "{refused}");
    let known = world.store.password(organization, id).await.unwrap();
    let known = known.unwrap();
    assert!(known.kept && known.shown.is_none(), "{known:?}");
}

#[tokio::test]
async fn a_password_nobody_asked_for_is_forgotten() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    accept(&world, sign_in("b", 10)).await;
    let id = reset(&world).await.id;
    world.work_for(Duration::from_secs(73 * 3600)).await;
    let known = world
        .store
        .password(world.engine.organization(), id)
        .await
        .unwrap()
        .unwrap();
    assert!(!known.kept);
    let refused = world
        .engine
        .show_password(id, &administrator())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("time is up"), "{refused}");
}

#[tokio::test]
async fn a_reset_whose_reply_was_lost_is_unknown_and_its_password_can_still_be_seen() {
    let world = world();
    accept(&world, sign_in("a", 0)).await;
    world.cloud.lock().lose_reply = true;
    accept(&world, sign_in("b", 10)).await;
    let action = reset(&world).await;
    assert_eq!((action.state, passwords(&world)), (ActionState::Unknown, 1));
    let shown = world
        .engine
        .show_password(action.id, &administrator())
        .await
        .unwrap();
    assert_eq!(
        shown.password.expose(),
        world.cloud.user("ana").passwords[0]
    );
}
