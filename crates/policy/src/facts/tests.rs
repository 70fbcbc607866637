//! The facts and the schema are about the same things.

use quell_model::action::Basis;
use quell_model::entity::{
    AccessKey, Account, CloudInstance, EmailMessage, File, Host, InboxRule, NetworkIndicator,
    Process, Sender,
};
use quell_model::{AssetFacts, FileFacts, Severity};

use super::*;

fn schema() -> Schema {
    let text = include_str!("../../../../policies/quell.cedarschema");
    Schema::from_cedarschema_str(text).unwrap().0
}

/// A target with nothing known of it, and one with everything.
fn targets(kind: EntityType) -> [Entity; 2] {
    let text = || Some("x".to_owned());
    match kind {
        EntityType::Host => [
            Host::default().into(),
            Host {
                id: text(),
                name: text(),
                platform: text(),
                ..Host::default()
            }
            .into(),
        ],
        EntityType::Process => [
            Process::default().into(),
            Process {
                host_id: text(),
                pid: Some(1),
                name: text(),
                path: text(),
                ..Process::default()
            }
            .into(),
        ],
        EntityType::File => [
            File::default().into(),
            File {
                sha256: text(),
                name: text(),
                path: text(),
                ..File::default()
            }
            .into(),
        ],
        EntityType::Account => [
            Account::default().into(),
            Account {
                id: text(),
                name: text(),
                principal: text(),
                domain: text(),
                provider: text(),
                sid: text(),
            }
            .into(),
        ],
        EntityType::EmailMessage => [
            EmailMessage::default().into(),
            EmailMessage {
                message_id: text(),
                sender: text(),
                recipients: vec!["a".into(), "b".into()],
                ..EmailMessage::default()
            }
            .into(),
        ],
        EntityType::NetworkIndicator => [IndicatorKind::Domain, IndicatorKind::Url].map(|kind| {
            NetworkIndicator {
                kind,
                value: "x".into(),
            }
            .into()
        }),
        EntityType::Sender => ["a@example.com", "example.com"].map(|value| {
            Sender {
                value: value.into(),
            }
            .into()
        }),
        EntityType::CloudInstance => [
            CloudInstance::default().into(),
            CloudInstance {
                id: text(),
                provider: text(),
                account: text(),
                region: text(),
            }
            .into(),
        ],
        EntityType::AccessKey => [
            AccessKey::default().into(),
            AccessKey {
                id: text(),
                provider: text(),
                account: text(),
                user: text(),
            }
            .into(),
        ],
        EntityType::InboxRule => [
            InboxRule::default().into(),
            InboxRule {
                mailbox: text(),
                id: text(),
                name: text(),
            }
            .into(),
        ],
    }
}

#[test]
fn the_facts_of_every_action_conform_to_the_schema() {
    let schema = schema();
    let words = Vocabulary::of(&schema).unwrap();
    for action in ActionType::ALL {
        for (target, known) in targets(action.target()).iter().zip([false, true]) {
            for class in AssetClass::ALL {
                let asset = AssetFacts {
                    class,
                    critical: known,
                    labels: known.then(|| "vip".to_owned()).into_iter().collect(),
                    owner: None,
                };
                let basis = Basis {
                    severity: Severity::High,
                    confidence: known.then_some(80),
                    source: "crowdstrike".into(),
                    detection: "x".into(),
                };
                let question = Question {
                    action: *action,
                    target,
                    asset: &asset,
                    basis: &basis,
                    file: FileFacts {
                        os_signed: known.then_some(false),
                        prevalence: known.then_some(7),
                    },
                    lists: if known { &["never", "vip"] } else { &[] },
                    entry: None,
                };
                let facts = words.put(&question).unwrap();
                let entities = facts.entities.iter().cloned();
                Entities::from_entities(entities, Some(&schema))
                    .unwrap_or_else(|error| panic!("{action} {target:?}: {error:?}"));
                for mode in Mode::ALL {
                    assert!(
                        facts.request(mode, Some(&schema)).is_some(),
                        "{action} {mode:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_schema_has_the_model_s_actions_and_entities_and_no_others() {
    let schema = schema();
    let resources: HashSet<_> = schema.resources().map(ToString::to_string).collect();
    let wanted: HashSet<_> = EntityType::ALL
        .iter()
        .map(|kind| type_name(*kind).to_owned())
        .collect();
    assert_eq!(resources, wanted);

    let groups = ["remediation", "reversal"];
    let actions: HashSet<_> = schema
        .actions()
        .map(|action| action.id().unescaped().to_owned())
        .collect();
    let wanted: HashSet<_> = ActionType::ALL
        .iter()
        .map(|a| a.as_str())
        .chain(groups)
        .map(str::to_owned)
        .collect();
    assert_eq!(actions, wanted);
}
