//! Automation that went wrong in the field, replayed in shape: what the shipped policy makes of it.

use std::time::Duration;

use quell_engine::shown;
use quell_model::entity::AccessKey;
use quell_model::{
    Action, ActionState, ActionType, AssetClass, AssetFacts, Basis, FileFacts, NoticeKind, Person,
    Role, Severity,
};
use quell_policy::{Question, Settings};
use serde_json::json;

use crate::world::{World, responder};

/// The shipped budgets and breakers, at a connection that was set up the day before.
async fn shipped() -> World {
    let mut world = World::new(16);
    world.budgets = Settings::builtin().budgets.clone();
    world.storm = Settings::builtin().storm;
    world.reconfigure();
    let first = json!({ "id": "first", "host": "h", "class": "workstation", "severity": "low" });
    world.accept(first).await;
    world.clock.advance(Duration::from_secs(24 * 3600));
    world
}

/// `count` hosts of a class, one alert about each within `minutes`.
async fn storm(world: &World, class: AssetClass, count: u32, minutes: u64) {
    let step = Duration::from_secs(minutes * 60) / count;
    for number in 0..count {
        let host = format!("h{number}");
        world.lab.host(&host, class);
        let document = json!({ "id": format!("a{number}"), "host": host, "class": class });
        world.accept(document).await;
        world.clock.advance(step);
    }
    world.work_for(Duration::from_secs(60)).await;
}

async fn in_state(world: &World, state: ActionState) -> usize {
    let actions = world.actions().await;
    actions
        .iter()
        .filter(|action| action.state == state)
        .count()
}

async fn waiting(world: &World) -> Vec<Action> {
    let mut actions = world.actions().await;
    actions.retain(|action| action.state == ActionState::AwaitingApproval);
    actions
}

async fn contained(world: &World) -> usize {
    in_state(world, ActionState::Completed).await
}

/// April 2025: a new detection of leaked credentials flagged healthy users; one provider's customers
/// raised 94 alerts within three minutes, and policies locked people out by the thousand.
#[tokio::test]
async fn leaked_credentials_2025_a_detection_that_fires_everywhere_stops_at_its_budget() {
    let world = shipped().await;
    storm(&world, AssetClass::Workstation, 94, 3).await;
    assert_eq!(contained(&world).await, 10);
    let asks = in_state(&world, ActionState::AwaitingApproval).await;
    assert_eq!(asks, 84, "the others wait for a person; none is lost");
}

/// Case study of a hospital: a backup job looked like lateral movement, and hundreds of workstations
/// were isolated.
#[tokio::test]
async fn hospital_backup_job_hundreds_of_workstations_are_not_isolated() {
    let world = shipped().await;
    storm(&world, AssetClass::Workstation, 300, 50).await;
    assert_eq!(contained(&world).await, 10);
}

/// A retailer, 2019 to 2022: an isolation playbook matched a legitimate server and took a network down.
#[tokio::test]
async fn retailer_server_isolation_a_server_waits_for_a_person() {
    let world = shipped().await;
    storm(&world, AssetClass::Server, 3, 1).await;
    assert_eq!(contained(&world).await, 0);
    assert_eq!(in_state(&world, ActionState::AwaitingApproval).await, 3);
}

/// Blockers of addresses and hosts, 2018 to 2026: the organization's own gateway and its own
/// administrators were locked out.
#[tokio::test]
async fn own_infrastructure_that_is_listed_is_never_touched() {
    let mut world = shipped().await;
    world.listed = vec!["host,gateway-*,never,Everybody goes through it."];
    world.reconfigure();
    world.lab.host("gateway-1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "gateway-1", "class": "workstation" }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    let action = world.actions().await.pop().unwrap();
    assert_eq!(action.state, ActionState::Denied);
    assert_eq!(action.decision.reasons[0].rule, "never-list");
    assert!(!world.lab.contained("gateway-1"));
}

/// The same, where nobody had listed anything: Quell knows what it stands on.
#[tokio::test]
async fn own_infrastructure_that_nobody_listed_is_never_touched_either() {
    let world = shipped().await;
    for (number, host) in ["quell-01", "quell-01.corp.example", "quell-01.other"]
        .into_iter()
        .enumerate()
    {
        world.lab.host(host, AssetClass::Workstation);
        let document =
            json!({ "id": format!("a{number}"), "host": host, "class": "workstation", "pid": 7 });
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    for action in world.actions().await {
        assert_eq!(action.state, ActionState::Denied, "{action:#?}");
    }
    assert_eq!(contained(&world).await, 0);
    assert_eq!(world.lab.lock().kills.len(), 0);
}

/// April 2013: the faulty rules of a security tool flagged the tool itself, and machines lost their
/// protection. Here they flag Quell and the sensor it works through.
#[tokio::test]
async fn antivirus_2013_a_tool_that_flags_itself_is_neither_killed_nor_banned() {
    let world = shipped().await;
    for (number, (name, sha256)) in [
        ("LabSensor.exe", "cd".repeat(32)),
        ("quell", "cd".repeat(32)),
        ("renamed.exe", "AB".repeat(32)),
    ]
    .into_iter()
    .enumerate()
    {
        let host = format!("h{number}");
        world.lab.host(&host, AssetClass::Workstation);
        let document = json!({
            "id": format!("a{number}"), "host": host, "class": "workstation",
            "pid": 7 + number, "file": name, "sha256": sha256,
        });
        world.accept(document).await;
    }
    world.work_for(Duration::from_secs(60)).await;
    assert!(world.lab.lock().banned.is_empty());
    assert!(world.lab.lock().kills.is_empty());
    let actions = world.actions().await;
    // The machine of a program with a name like Quell's is contained; not that of Quell's own file.
    let contain = |id: &str| {
        let of = |action: &&Action| action.action == ActionType::ContainHost;
        let mut contained = actions.iter().filter(of);
        contained
            .find(|action| action.target.to_string() == id)
            .unwrap()
    };
    assert_eq!(contain("H0").state, ActionState::Completed);
    assert_eq!(contain("H2").state, ActionState::AwaitingApproval);
    assert_eq!(contain("H2").decision.reasons[0].rule, "own-activity");
    let reason = |of: ActionType| {
        let action = actions.iter().find(|action| action.action == of);
        action.unwrap().decision.reasons[0].text.clone()
    };
    assert_eq!(
        reason(ActionType::KillProcess),
        "The process is on a list that asks first: “It is the sensor of Laboratory” (process_name labsensor.exe, quell)."
    );
    assert_eq!(
        reason(ActionType::BlockHash),
        "The file is on a list that asks first: “It is the sensor of Laboratory” (file_name labsensor.exe, quell)."
    );
}

/// April 2010 and April 2017: an update of definitions took svchost.exe, then signed files of the
/// operating system's maker, for malware and quarantined them wherever they were.
#[tokio::test]
async fn definition_updates_2010_and_2017_a_file_half_the_fleet_runs_is_not_banned_by_itself() {
    for workers in [0, 16] {
        let world = World::new(workers);
        world.lab.host("h1", AssetClass::Workstation);
        world.lab.lock().seen.insert("ef".repeat(32), 412);
        let document = json!({
            "id": "a1", "host": "h1", "class": "workstation", "sha256": "ef".repeat(32), "confidence": 100,
        });
        world.accept(document).await;
        world.work_for(Duration::from_secs(60)).await;
        let actions = world.actions().await;
        let ban = actions
            .iter()
            .find(|action| action.action == ActionType::BlockHash)
            .unwrap();
        // The document did not say how common the file is, so the first answer was yes.
        let history = world.store.history(ban.id).await.unwrap();
        assert_eq!(history[0].to, ActionState::Scheduled, "{history:#?}");
        assert_eq!(ban.state, ActionState::AwaitingApproval);
        let [reason] = ban.decision.reasons.as_slice() else {
            panic!("{:#?}", ban.decision);
        };
        assert_eq!(reason.rule, "ask-ban-common");
        assert!(reason.text.contains("412 machines"), "{}", reason.text);
        assert!(world.lab.lock().banned.is_empty());
        assert_eq!(history.last().unwrap().evidence["file"]["prevalence"], 412);
        // What a person approves names the number: another one is another question.
        let mut other = ban.clone();
        other.file.prevalence = Some(3);
        assert_ne!(shown(ban), shown(&other));
        world
            .engine
            .answer(
                ban.id,
                &shown(ban),
                &responder("ana"),
                true,
                "it is the worm",
            )
            .await
            .unwrap();
        world.work_for(Duration::from_secs(60)).await;
        assert!(world.lab.lock().banned.contains_key(&"ef".repeat(32)));
    }
}

#[tokio::test]
async fn a_rare_file_and_one_the_vendor_knows_nothing_of_are_banned_by_themselves() {
    for seen in [Some(99), None] {
        let world = World::new(16);
        world.lab.host("h1", AssetClass::Workstation);
        let hash = "cd".repeat(32);
        world
            .lab
            .lock()
            .seen
            .extend(seen.map(|n| (hash.clone(), n)));
        world
            .accept(json!({ "id": "a1", "host": "h1", "class": "workstation", "sha256": hash }))
            .await;
        world.work_for(Duration::from_secs(60)).await;
        assert!(world.lab.lock().banned.contains_key(&hash), "{seen:?}");
    }
}

/// January 2023: a rule deleted shortcuts also where people had set it to watch only.
#[tokio::test]
async fn audit_mode_2023_what_is_not_opted_in_is_not_touched_at_the_last_gate_either() {
    let mut world = World::new(0);
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    assert_eq!(world.state().await, ActionState::Scheduled);
    world.opted_in.clear();
    world.reconfigure();
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(world.state().await, ActionState::Shadowed);
    assert!(!world.lab.contained("h1"));
}

/// March 2026: somebody with a stolen administrator's account ordered a bulk action on a whole fleet; one
/// account was enough, and nothing limited how often.
#[tokio::test]
async fn bulk_wipe_2026_a_stolen_administrator_s_yes_stops_counting_alone() {
    let world = shipped().await;
    storm(&world, AssetClass::Server, 200, 10).await;
    let stolen = Person {
        name: "ada".into(),
        role: Role::Administrator,
    };
    for action in waiting(&world).await {
        world.answer(&action, &stolen, true).await.unwrap();
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(contained(&world).await, 20);
    let next = waiting(&world).await.remove(0);
    world.answer(&next, &responder("ben"), true).await.unwrap();
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(contained(&world).await, 21, "a second person's yes counts");
}

/// The same account first makes the rules ask for less.
#[tokio::test]
async fn bulk_wipe_2026_a_stolen_administrator_does_not_approve_by_rules_they_changed() {
    let mut world = shipped().await;
    world.policy = "[actions.contain_host]\nserver = { ask = 2 }\n".into();
    let before = world.engine.put_in_force(world.rules(), None).await;
    assert!(!before.unwrap().is_empty());
    world.policy =
        "[actions.contain_host]\nserver = { ask = 1, role = \"administrator\" }\n".into();
    let changed = world.engine.put_in_force(world.rules(), Some("ada")).await;
    assert_eq!(changed.unwrap(), ["contain-host-server"]);
    storm(&world, AssetClass::Server, 5, 1).await;
    let stolen = Person {
        name: "ada".into(),
        role: Role::Administrator,
    };
    for action in waiting(&world).await {
        assert!(world.answer(&action, &stolen, true).await.is_err());
    }
    world.work_for(Duration::from_secs(60)).await;
    assert_eq!(contained(&world).await, 0);
}

/// Or makes Quell forget the difference.
#[tokio::test]
async fn bulk_wipe_2026_a_stolen_administrator_does_not_turn_off_what_stands_against_it() {
    for lax in ["alone_per_hour = 10000", "author_excluded_for = \"0s\""] {
        let mut world = shipped().await;
        let before = world.engine.put_in_force(world.rules(), None).await;
        assert!(!before.unwrap().is_empty());
        world.policy = format!("[approvals]\n{lax}\n");
        let changed = world.engine.put_in_force(world.rules(), Some("ada")).await;
        assert_eq!(changed.unwrap(), ["[approvals]"]);
        storm(&world, AssetClass::Server, 1, 1).await;
        let stolen = Person {
            name: "ada".into(),
            role: Role::Administrator,
        };
        let action = waiting(&world).await.remove(0);
        let refused = world.answer(&action, &stolen, true).await.unwrap_err();
        assert!(refused.to_string().contains("`[approvals]`"), "{refused}");
    }
}

/// July 2025 and spring 2026: an agent with one broad token deleted production data, and its backups.
#[tokio::test]
async fn deleted_production_2026_what_cannot_be_taken_back_takes_two_people() {
    let mut world = shipped().await;
    let decision = world.engine.rules().policy.decide(&Question {
        action: ActionType::DeleteAccessKey,
        target: &AccessKey::default().into(),
        asset: &AssetFacts::default(),
        basis: &Basis {
            severity: Severity::Critical,
            confidence: Some(100),
            source: "lab".into(),
            detection: "LabPattern".into(),
        },
        file: FileFacts::default(),
        lists: &[],
        entry: None,
    });
    assert_eq!(decision.quorum.approvers, 2, "{decision:?}");

    // The laboratory has no keys; a killed process does not come back either.
    world.policy = "[actions.kill_process]\nany = { ask = 2 }\n".into();
    world.reconfigure();
    world.lab.host("h1", AssetClass::Workstation);
    let document = json!({ "id": "a1", "host": "h1", "class": "workstation", "pid": 7 });
    world.accept(document).await;
    world.work_for(Duration::from_secs(60)).await;
    let actions = world.actions().await;
    let kill = |action: &&quell_model::Action| action.action == ActionType::KillProcess;
    let action = actions.iter().find(kill).unwrap();
    for (name, kills) in [("agent", 0), ("ben", 1)] {
        let answered = world.answer(action, &responder(name), true).await;
        answered.unwrap();
        world.work_for(Duration::from_secs(60)).await;
        assert_eq!(world.lab.lock().kills.len(), kills, "after {name}'s yes");
    }
}

const PHISHING: &str = "\
name = \"phishing\"
title = \"Phishing email\"
alert = \"phishing_email\"
[[propose]]
action = \"quarantine_email\"
";

/// A mail provider's connection, and an alert about each of `count` messages within `minutes`.
async fn messages(world: &mut World, policy: &str, count: u32, minutes: u64) {
    world.playbook = PHISHING;
    world.policy = policy.into();
    world.opted_in = vec![ActionType::QuarantineEmail];
    world.reconfigure();
    let step = Duration::from_secs(minutes * 60) / count;
    for number in 0..count {
        let document = json!({ "id": format!("m{number}"), "host": "", "detection": "LinkRule",
            "message": format!("<{number}@partner.example>") });
        world.accept(document).await;
        world.clock.advance(step);
    }
    world.work_for(Duration::from_secs(60)).await;
}

/// February 2026: a rule about links quarantined legitimate mail for five days. As shipped, a person
/// decides about mail.
#[tokio::test]
async fn mail_rule_2026_no_message_is_quarantined_without_a_person() {
    let mut world = shipped().await;
    messages(&mut world, "", 300, 60).await;
    assert!(world.lab.lock().quarantined.is_empty());
    assert_eq!(waiting(&world).await.len(), 300);
}

/// The same, where the organization had left mail to Quell: the first few are gone, the rest waits, and
/// what is gone comes back.
#[tokio::test]
async fn mail_rule_2026_what_is_left_to_quell_stops_after_a_few_and_comes_back() {
    let mut world = shipped().await;
    let policy = "[actions.quarantine_email]\nany = \"auto\"\n";
    messages(&mut world, policy, 300, 60).await;
    assert_eq!(world.lab.lock().quarantined.len(), 10);
    assert_eq!(waiting(&world).await.len(), 290);
    for action in world.actions().await {
        if action.state == ActionState::Completed {
            let taken = world
                .engine
                .revert(action.id, "ana", "It was good mail.", false);
            taken.await.unwrap();
        }
    }
    world.work_for(Duration::from_secs(60)).await;
    assert!(world.lab.lock().quarantined.is_empty());
}

/// June 2025: a tool cut users off and left no line where the service desk looks, so nobody knew why.
#[tokio::test]
async fn contain_user_2025_every_message_and_the_vendor_s_page_say_why_and_how_to_undo_it() {
    let world = World::new(16);
    world.lab.host("h1", AssetClass::Workstation);
    world
        .accept(json!({ "id": "a1", "host": "h1", "class": "workstation" }))
        .await;
    world.work_for(Duration::from_secs(60)).await;
    let action = world.only().await;
    let why = "On a workstation, “contain host” runs by itself at high severity.";
    let undo = format!("quell revert {}", action.id);
    let lab = world.lab.lock();
    let done = |notice: &&quell_model::Notice| notice.kind == NoticeKind::Completed;
    let told = lab.told.iter().find(done).unwrap();
    assert!(told.lines.iter().any(|line| line == why), "{told:#?}");
    assert!(
        told.answer.as_ref().unwrap().starts_with(&undo),
        "{told:#?}"
    );
    let (alert, update) = lab.comments.last().unwrap();
    assert_eq!(alert, "a1");
    assert!(
        update.comment.contains(why) && update.comment.contains(&undo),
        "{update:#?}"
    );
}
