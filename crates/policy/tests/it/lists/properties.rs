//! What holds for every set of lists, not only for the ones somebody thought of.

use jiff::Timestamp;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use quell_model::entity::{
    AccessKey, Account, CloudInstance, EmailMessage, File, Host, InboxRule, IndicatorKind, Process,
    Sender,
};
use quell_model::{ActionType, ConnectionId, Entity, EntityType};
use quell_policy::lists::{Draft, Entry, Lists, MOST, Strength, Subject};

use super::{Asked, at, indicator};

/// Few words, so that entries and targets meet.
pub(super) fn value() -> impl Strategy<Value = String> {
    let words = [
        "a",
        "b",
        "A",
        "*",
        "a*",
        "?b",
        "*b*",
        "example.com",
        "www.example.com",
        "notexample.com",
        "com",
        "*.example.com",
        "a@example.com",
        "a@www.example.com",
        "*@example.com",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "0.0.0.0/0",
        "2001:db8::/32",
        "2001:db8::1",
        "http://www.example.com/a",
        "http://10.1.2.3/",
        "=a",
        "'a",
        "-1+1",
        "'=",
        "\"a,b\"",
    ];
    prop_oneof![
        8 => select(words.to_vec()).prop_map(str::to_owned),
        1 => Just("ab".repeat(32)),
        1 => "[ab.*?@:/]{1,12}",
        1 => any::<String>(),
    ]
}

fn connection() -> impl Strategy<Value = ConnectionId> {
    select(vec!["prod", "test"]).prop_map(|id| id.parse().unwrap())
}

fn draft() -> impl Strategy<Value = Draft> {
    let what = (
        select(Subject::ALL.to_vec()),
        value(),
        select(Strength::ALL.to_vec()),
    );
    let actions = prop_oneof![
        3 => Just(std::collections::BTreeSet::new()),
        1 => btree_set(select(ActionType::ALL.to_vec()), 1..6),
    ];
    let scope = (
        actions,
        option::weighted(0.2, connection()),
        option::weighted(0.3, 1..200i64),
    );
    (what, scope, value(), value(), 0..i64::from(i32::MAX)).prop_map(
        |(
            (subject, value, strength),
            (actions, connection, expires),
            reason,
            author,
            nanosecond,
        )| Draft {
            subject,
            value,
            strength,
            // What could never match is refused, and would leave few entries to try.
            actions: actions
                .into_iter()
                .filter(|a| subject.targets().contains(&a.target()))
                .collect(),
            connection,
            reason,
            author,
            source: "person".into(),
            added: Timestamp::new(0, i32::try_from(nanosecond % 1_000_000_000).unwrap()).unwrap(),
            expires: expires.map(at),
        },
    )
}

pub(super) fn entry() -> impl Strategy<Value = Entry> {
    draft().prop_filter_map("it makes no sense", |draft| Entry::new(draft).ok())
}

fn entity(kind: EntityType, words: Vec<Option<String>>) -> Entity {
    let [a, b, c] = <[_; 3]>::try_from(words).unwrap();
    let word = || a.clone().unwrap_or_default();
    match kind {
        EntityType::Host => Host {
            id: a,
            name: b,
            ..Host::default()
        }
        .into(),
        EntityType::Process => Process {
            host_id: a,
            name: b,
            sha256: c,
            ..Process::default()
        }
        .into(),
        EntityType::File => File {
            sha256: a,
            name: b,
            host_id: c,
            ..File::default()
        }
        .into(),
        EntityType::Account => Account {
            id: a,
            name: b,
            principal: c,
            ..Account::default()
        }
        .into(),
        EntityType::EmailMessage => EmailMessage {
            message_id: a,
            sender: b,
            ..EmailMessage::default()
        }
        .into(),
        EntityType::NetworkIndicator => {
            let kind = [IndicatorKind::Domain, IndicatorKind::Ip, IndicatorKind::Url];
            indicator(kind[word().len() % 3], &word())
        }
        EntityType::Sender => Sender { value: word() }.into(),
        EntityType::CloudInstance => CloudInstance {
            id: a,
            ..CloudInstance::default()
        }
        .into(),
        EntityType::AccessKey => AccessKey {
            id: a,
            user: b,
            ..AccessKey::default()
        }
        .into(),
        EntityType::InboxRule => InboxRule {
            mailbox: a,
            id: b,
            name: c,
        }
        .into(),
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let target = (
        select(ActionType::ALL.to_vec()),
        vec(option::weighted(0.8, value()), 3),
    );
    (target, btree_set(value(), 0..2), connection(), 0..220i64).prop_map(
        |((action, words), labels, connection, now)| Asked {
            action,
            target: entity(action.target(), words),
            labels,
            connection,
            now: at(now),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_never_entry_makes_nothing_weaker(
        entries in vec(entry(), 0..40),
        draft in draft(),
        asked in vec(asked(), 10),
    ) {
        let Ok(more) = Entry::new(Draft { strength: Strength::Never, ..draft }) else {
            return Ok(());
        };
        let before = Lists::new(entries.clone());
        let after = Lists::new(entries.into_iter().chain([more]).collect());
        for asked in asked {
            let (before, after) = (asked.of(&before), asked.of(&after));
            prop_assert!(after.strength >= before.strength);
            prop_assert!(after.demand() >= before.demand());
            prop_assert_eq!(after.not_allowed, before.not_allowed);
        }
    }

    #[test]
    fn the_order_of_entries_does_not_matter_and_repeating_them_neither(
        (entries, shuffled) in vec(entry(), 0..40)
            .prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
        asked in vec(asked(), 10),
    ) {
        let one = Lists::new(entries);
        let two = Lists::new(shuffled.iter().chain(&shuffled).cloned().collect());
        prop_assert_eq!(one.entries(), two.entries());
        for asked in asked {
            prop_assert_eq!(asked.of(&one), asked.of(&two));
        }
    }

    #[test]
    fn lists_put_together_say_what_their_entries_say_and_are_never_weaker_than_one_of_them(
        written in vec(entry(), 0..20),
        kept in vec(entry(), 0..20),
        asked in vec(asked(), 10),
    ) {
        let (one, two) = (Lists::new(written.clone()), Lists::new(kept.clone()));
        let shared = one.entries().iter().chain(two.entries()).cloned().collect();
        let both = Lists::of(shared);
        let all = Lists::new(written.into_iter().chain(kept).collect());
        prop_assert_eq!(both.entries(), all.entries());
        for asked in asked {
            let found = asked.of(&both);
            prop_assert_eq!(&found, &asked.of(&all));
            let each = [asked.of(&one).strength, asked.of(&two).strength];
            prop_assert_eq!(found.strength, each.into_iter().max().flatten());
        }
    }

    #[test]
    fn what_is_found_is_what_each_entry_by_itself_would_find(
        entries in vec(entry(), 0..40),
        asked in vec(asked(), 10),
    ) {
        let all = Lists::new(entries.clone());
        for asked in asked {
            let found = asked.of(&all);
            let alone: Vec<_> = entries.iter().map(|entry| Lists::new(vec![entry.clone()])).collect();
            let each: Vec<_> = alone.iter().map(|lists| asked.of(lists)).collect();
            let strongest = each.iter().filter_map(|found| found.strength).max();
            prop_assert_eq!(found.strength, strongest);
            let allowed = each.iter().any(|found| found.strength == Some(Strength::Allow));
            prop_assert_eq!(found.not_allowed, !allowed && each.iter().any(|found| found.not_allowed));
            prop_assert!(found.entries.len() <= MOST);
            prop_assert!(found.entries.is_sorted_by_key(|entry| std::cmp::Reverse(entry.strength)));
            let mut single: Vec<_> = each.iter().flat_map(|found| &found.entries).collect();
            single.sort_by_key(|entry| all.entries().iter().position(|known| **known == ***entry));
            single.dedup();
            prop_assert_eq!(found.entries.len(), single.len().min(MOST));
        }
    }

    #[test]
    fn no_text_makes_finding_stumble(
        entries in vec(entry(), 0..20),
        kind in select(EntityType::ALL.to_vec()),
        words in vec(option::of(prop_oneof![
            any::<String>(),
            Just("a.".repeat(100_000)),
            Just("é".repeat(100_000)),
            Just("..@..".to_owned()),
        ]), 3),
    ) {
        let found = Lists::new(entries);
        let asked = Asked::about(entity(kind, words));
        prop_assert!(asked.of(&found).entries.len() <= MOST);
    }
}
