//! Labels by membership in groups, asked live in the look of every row.

use std::collections::BTreeSet;

use quell_connector::contract::{Instead, Sight};
use quell_connector::{Connected, Kind};
use quell_model::ActionType;
use quell_twins::Fault;
use quell_twins::entra_id::{
    App, CLIENT_ID, CLIENT_SECRET, Endpoint, GLOBAL_ADMINISTRATOR, Permission, UserSpec,
};
use serde_json::json;

use crate::kit::{GLASS, NOOR, by_name, lab, look, read, synchronised};
use crate::lab::Lab;

const GLASS_USER: &str = "glass@northwind.example";

fn grouped(lab: &Lab) -> Connected {
    lab.connect_with(json!({ "groups": { GLASS.to_uppercase(): ["Break-Glass", "vip"] } }))
}

/// What disabling, ending sessions and resetting see, in this order.
async fn sights(lab: &Lab, connected: &Connected, who: &str) -> [Sight; 3] {
    let who = by_name(who);
    let observed = read(lab, connected, &who).await.unwrap();
    let sight = |action| look(lab, connected, action, &who);
    [
        Sight {
            asset: observed.asset,
            obstacle: observed.obstacle,
        },
        sight(ActionType::RevokeSessions).await.unwrap(),
        sight(ActionType::ResetPassword).await.unwrap(),
    ]
}

fn labels(sight: &Sight) -> Vec<&str> {
    sight.asset.labels.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_member_has_the_labels_of_the_group_in_every_look_and_nobody_else_has() {
    let lab = lab(&[UserSpec::new(GLASS_USER).in_group(GLASS)]).await;
    let connected = grouped(&lab);
    for sight in sights(&lab, &connected, GLASS_USER).await {
        assert_eq!(labels(&sight), ["break-glass", "vip"]);
        assert_eq!(sight.obstacle, None);
    }
    for sight in sights(&lab, &connected, NOOR).await {
        assert_eq!(labels(&sight), [""; 0]);
    }
}

#[tokio::test]
async fn membership_is_asked_each_time() {
    let lab = lab(&[]).await;
    let connected = grouped(&lab);
    let revoke = ActionType::RevokeSessions;
    let sight = look(&lab, &connected, revoke, &by_name(NOOR))
        .await
        .unwrap();
    assert_eq!(labels(&sight), [""; 0]);
    lab.twin.add_user(UserSpec {
        id: lab.twin.id_of(NOOR).unwrap(),
        ..UserSpec::new(NOOR).in_group(GLASS)
    });
    let sight = look(&lab, &connected, revoke, &by_name(NOOR))
        .await
        .unwrap();
    assert_eq!(labels(&sight), ["break-glass", "vip"]);
}

#[tokio::test]
async fn without_the_permission_nothing_is_done_and_it_is_said_why() {
    let users = [synchronised("sam@northwind.example")];
    let lab = lab(&users).await;
    let app = App::new(CLIENT_ID, CLIENT_SECRET).without(Permission::GroupMemberRead);
    lab.twin.put_app(app);
    let connected = grouped(&lab);
    // The synchronised one as well: another directory knows nothing of these groups.
    for who in [NOOR, "sam@northwind.example"] {
        for sight in sights(&lab, &connected, who).await {
            let obstacle = sight.obstacle.unwrap();
            assert_eq!(
                (obstacle.rule, &obstacle.instead),
                ("above-quell", &Instead::Person)
            );
            assert!(
                obstacle.text.contains("GroupMember.Read.All"),
                "{obstacle:?}"
            );
        }
    }
    // Without groups nobody needs it.
    for sight in sights(&lab, &lab.connect(), NOOR).await {
        assert_eq!(sight.obstacle, None);
    }
}

#[tokio::test]
async fn no_answer_about_the_groups_is_no_answer_that_there_are_none() {
    let lab = lab(&[]).await;
    let connected = grouped(&lab);
    for (fault, kind) in [
        (Fault::GarbageBody, Kind::ReplyUnreadable),
        (
            Fault::StatusBeforeApply { status: 404 },
            Kind::ConfigInvalid,
        ),
        (
            Fault::StatusBeforeApply { status: 400 },
            Kind::VendorRejected,
        ),
    ] {
        lab.twin.fail_next(Endpoint::MemberGroups, fault);
        let seen = look(&lab, &connected, ActionType::RevokeSessions, &by_name(NOOR)).await;
        assert_eq!(seen.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn more_groups_than_one_question_takes_are_asked_in_several() {
    let id = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
    let user = UserSpec::new(GLASS_USER).in_group(&id(0)).in_group(&id(44));
    let lab = lab(&[user.with_role(GLOBAL_ADMINISTRATOR)]).await;
    let groups: serde_json::Map<_, _> = (0..45)
        .map(|number| (id(number), json!([format!("label-{number}")])))
        .collect();
    let connected = lab.connect_with(json!({ "groups": groups }));
    let who = by_name(GLASS_USER);
    let sight = look(&lab, &connected, ActionType::RevokeSessions, &who)
        .await
        .unwrap();
    let expected = ["label-0", "label-44", "privileged"].map(str::to_owned);
    assert_eq!(sight.asset.labels, BTreeSet::from(expected));
    assert_eq!(lab.twin.count(Endpoint::MemberGroups), 3);
}
