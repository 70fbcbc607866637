//! Users move through their states as the vendor says.

use std::time::Duration;

use quell_twins::okta::{Settle, Status, UserSpec};
use reqwest::Method;

use crate::support::{Api, Outcome};

const SUSPEND: &str = "/lifecycle/suspend";
const UNSUSPEND: &str = "/lifecycle/unsuspend";
const REPLACE: &str = "/lifecycle/expire_password_with_temp_password";

#[tokio::test]
async fn only_an_active_user_is_suspended_and_only_a_suspended_one_unsuspended() -> Outcome {
    let api = Api::manual().await?;
    let states = [
        (Status::Active, 200, 400),
        (Status::Suspended, 400, 200),
        (Status::Staged, 400, 400),
        (Status::Provisioned, 400, 400),
        (Status::LockedOut, 400, 400),
        (Status::PasswordExpired, 400, 400),
        (Status::Recovery, 400, 400),
        (Status::Deprovisioned, 400, 400),
    ];
    for (status, suspend, unsuspend) in states {
        for (path, expected) in [(SUSPEND, suspend), (UNSUSPEND, unsuspend)] {
            api.twin.set_status(&api.id, status);
            let got = api.change(Method::POST, path).await?;
            assert_eq!(got.status, expected, "{status:?} {path}");
            if expected == 400 {
                assert_eq!(got.code(), "E0000001");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_temporary_password_is_told_once_and_stands_in_no_record() -> Outcome {
    let api = Api::manual().await?;
    let got = api
        .change(Method::POST, &format!("{REPLACE}?revokeSessions=true"))
        .await?;
    let password = got.body["tempPassword"]
        .as_str()
        .ok_or("no password")?
        .to_owned();
    assert_eq!(api.status().await?, "PASSWORD_EXPIRED");
    assert_eq!(api.twin.user(&api.id).map(|user| user.sessions), Some(0));
    let log = api.get("/api/v1/logs").await?;
    assert!(!log.text.contains(&password));
    for status in [Status::Suspended, Status::Staged] {
        api.twin.set_status(&api.id, status);
        let got = api.change(Method::POST, REPLACE).await?;
        assert_eq!((got.status, got.code()), (403, "E0000038"));
    }
    let other = api
        .twin
        .put_user(UserSpec::active("x@acme.example").sourced("FEDERATION", "idp"));
    let got = api
        .send(Method::POST, &format!("/api/v1/users/{other}{REPLACE}"))
        .await?;
    assert_eq!((got.status, got.code()), (403, "E0000014"));
    Ok(())
}

#[tokio::test]
async fn what_was_done_shows_only_after_a_while_and_is_not_done_twice() -> Outcome {
    let api = Api::manual().await?;
    api.twin.set_settle(Settle {
        status_millis: 5000,
        log_millis: 9000,
    });
    assert_eq!(api.change(Method::POST, SUSPEND).await?.status, 200);
    assert_eq!(api.status().await?, "ACTIVE");
    assert_eq!(api.change(Method::POST, SUSPEND).await?.status, 400);
    api.twin.advance(Duration::from_secs(5));
    assert_eq!(api.status().await?, "SUSPENDED");
    assert_eq!(api.get("/api/v1/logs").await?.text, "[]");
    api.twin.advance(Duration::from_secs(4));
    assert_eq!(
        api.get("/api/v1/logs").await?.each("eventType"),
        ["user.lifecycle.suspend"]
    );
    Ok(())
}

#[tokio::test]
async fn ending_sessions_takes_an_id_and_no_login() -> Outcome {
    let api = Api::manual().await?;
    let got = api
        .send(
            Method::DELETE,
            "/api/v1/users/mara.lind@acme.example/sessions",
        )
        .await?;
    assert_eq!((got.status, got.code()), (404, "E0000007"));
    let got = api
        .change(Method::DELETE, "/sessions?oauthTokens=true")
        .await?;
    assert_eq!((got.status, got.text.as_str()), (204, ""));
    assert_eq!(got.header("content-type"), None);
    Ok(())
}

#[tokio::test]
async fn administrators_are_listed_page_by_page_with_all_their_roles() -> Outcome {
    let api = Api::manual().await?;
    let through = UserSpec {
        group_roles: vec!["ORG_ADMIN".to_owned()],
        ..UserSpec::active("group@acme.example").role("APP_ADMIN")
    };
    let id = api.twin.put_user(through);
    let page = api.get("/api/v1/iam/assignees/users?limit=1").await?;
    assert_eq!(page.body["value"].as_array().map(Vec::len), Some(1));
    let next = page.body["_links"]["next"]["href"]
        .as_str()
        .ok_or("no next page")?;
    let page = api.get(next).await?;
    assert_eq!(page.body["value"][0]["id"].as_str(), Some(id.as_str()));
    assert!(page.body["_links"]["next"].is_null());
    let roles = api.get(&format!("/api/v1/users/{id}/roles")).await?;
    assert_eq!(roles.each("type"), ["APP_ADMIN", "ORG_ADMIN"]);
    assert_eq!(roles.each("assignmentType"), ["USER", "GROUP"]);
    Ok(())
}
