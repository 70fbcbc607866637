//! When an entry counts, what several of them come to, and which ones make no sense.

use quell_model::ActionType;
use quell_policy::lists::{Draft, Entry, MOST, Strength, Subject};

use super::{Asked, at, domain, draft, from, host, ip, lists, never};

#[test]
fn an_entry_stops_counting_at_its_end() {
    let lists = lists([Draft {
        expires: Some(at(50)),
        ..never(Subject::Host, "h1")
    }]);
    for (second, expected) in [
        (-1, Some(Strength::Never)),
        (49, Some(Strength::Never)),
        (50, None),
        (51, None),
    ] {
        assert_eq!(
            Asked::about(host("h1", "x"))
                .when(second)
                .of(&lists)
                .strength,
            expected,
            "{second}"
        );
    }
}

#[test]
fn an_entry_counts_for_its_actions_and_its_connection_alone() {
    let lists = lists([Draft {
        actions: [ActionType::ContainHost].into(),
        connection: Some("prod".parse().unwrap()),
        ..never(Subject::Host, "h1")
    }]);
    for (action, connection, expected) in [
        (ActionType::ContainHost, "prod", Some(Strength::Never)),
        (ActionType::ReleaseHost, "prod", None),
        (ActionType::ContainHost, "test", None),
    ] {
        let asked = Asked::about(host("h1", "x"))
            .doing(action)
            .through(connection);
        assert_eq!(asked.of(&lists).strength, expected, "{action} {connection}");
    }
}

#[test]
fn where_an_allow_list_applies_a_target_that_is_not_on_it_asks() {
    let allow = |subject, value: &str| draft(subject, value, Strength::Allow);
    let scoped = lists([Draft {
        actions: [ActionType::ContainHost].into(),
        connection: Some("prod".parse().unwrap()),
        expires: Some(at(200)),
        ..allow(Subject::Host, "ws-*")
    }]);
    let asked = |name: &str| Asked::about(host("d", name));
    let on = asked("WS-1").of(&scoped).demand();
    assert_eq!(on, Some(Strength::Allow));
    let off = asked("srv-1").of(&scoped).demand();
    assert_eq!(off, Some(Strength::Ask));
    for free in [
        asked("srv-1").doing(ActionType::ReleaseHost),
        asked("srv-1").through("test"),
        asked("srv-1").when(200),
        Asked::about(domain("evil.example")),
    ] {
        assert_eq!(free.of(&scoped).demand(), None);
    }

    // For every action, and yet not for kinds of target that the entry could never name.
    let hosts = lists([allow(Subject::Host, "ws-1")]);
    assert!(asked("srv-1").of(&hosts).not_allowed);
    assert!(!Asked::about(from("ana@example.com")).of(&hosts).not_allowed);
    assert!(!Asked::about(domain("evil.example")).of(&hosts).not_allowed);
}

#[test]
fn an_allow_entry_allows_what_is_inside_it_and_nothing_wider() {
    let allow = |subject, value: &str| lists([draft(subject, value, Strength::Allow)]);
    for (lists, target, expected) in [
        (
            allow(Subject::Ip, "192.0.2.0/24"),
            ip("192.0.2.1"),
            Strength::Allow,
        ),
        (
            allow(Subject::Ip, "192.0.2.0/24"),
            ip("192.0.0.0/16"),
            Strength::Ask,
        ),
        (
            allow(Subject::Domain, "a.example.com"),
            domain("b.a.example.com"),
            Strength::Allow,
        ),
        (
            allow(Subject::Domain, "a.example.com"),
            domain("example.com"),
            Strength::Ask,
        ),
        (
            allow(Subject::Sender, "ana@example.com"),
            from("ana@example.com"),
            Strength::Allow,
        ),
        (
            allow(Subject::Sender, "ana@example.com"),
            from("example.com"),
            Strength::Ask,
        ),
    ] {
        assert_eq!(
            Asked::about(target.clone()).of(&lists).demand(),
            Some(expected),
            "{target}"
        );
    }
}

#[test]
fn being_allowed_does_not_undo_a_protection() {
    let lists = lists([
        draft(Subject::Host, "h1", Strength::Allow),
        draft(Subject::Host, "h*", Strength::Ask),
        never(Subject::Label, "crown-jewel"),
    ]);
    let mut asked = Asked::about(host("h1", "x"));
    assert_eq!(asked.of(&lists).demand(), Some(Strength::Ask));
    asked.labels.insert("crown-jewel".into());
    let found = asked.of(&lists);
    let strengths: Vec<_> = found.entries.iter().map(|entry| entry.strength).collect();
    assert_eq!(strengths, [Strength::Never, Strength::Ask, Strength::Allow]);
    assert!(!found.not_allowed);
}

#[test]
fn of_many_entries_the_strongest_are_kept_and_the_allow_list_is_still_seen() {
    let many = |strength| {
        (0..40).map(move |n| Draft {
            reason: format!("Reason {n}."),
            ..draft(Subject::Host, "h1", strength)
        })
    };
    let drafts = many(Strength::Ask)
        .chain(many(Strength::Never))
        .chain(many(Strength::Allow));
    let lists = lists(drafts);
    assert_eq!(lists.entries().len(), 120);
    let found = Asked::about(host("h1", "h1")).of(&lists);
    assert_eq!(found.entries.len(), MOST);
    assert!(
        found
            .entries
            .iter()
            .all(|entry| entry.strength == Strength::Never)
    );
    assert!(!found.not_allowed);
}

#[test]
fn an_entry_that_makes_no_sense_is_refused_with_its_field_and_the_fix() {
    let long = "x".repeat(513);
    for (subject, value, expected) in [
        (Subject::Host, "", "`value` is empty: fill it in"),
        (Subject::Host, "  ", "`value` is empty: fill it in"),
        (
            Subject::Host,
            "a\u{202e}b",
            "`value` has control or invisible characters: type it by hand instead of pasting it",
        ),
        (
            Subject::Host,
            "a\nb",
            "`value` has control or invisible characters: type it by hand instead of pasting it",
        ),
        (
            Subject::Host,
            &long,
            "`value` has 513 characters: shorten it to 512",
        ),
        (
            Subject::Host,
            "*?*",
            "`value` `*?*` allows everything: name what may be acted on",
        ),
        (
            Subject::Hash,
            "abc",
            "`value` `abc` is no hash: give 64 (SHA-256), 40 (SHA-1) or 32 (MD5) hexadecimal digits",
        ),
        (
            Subject::Ip,
            "10.0.0.0/40",
            "`value` `10.0.0.0/40` is no address or network: write one such as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`",
        ),
        (
            Subject::Ip,
            "::/0",
            "`value` `::/0` allows everything: name what may be acted on",
        ),
        (
            Subject::Ip,
            "10.*",
            "`value` `10.*` is no address or network: write one such as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`",
        ),
        (
            Subject::Ip,
            "10.0.0.5/8",
            "`value` `10.0.0.5/8` has an address inside its network: write the network's first address, or the address alone",
        ),
        (
            Subject::Domain,
            "https://example.com/",
            "`value` `https://example.com/` has more than a name: write only the name, such as `example.com`",
        ),
        (
            Subject::Domain,
            "10.0.0.1",
            "`value` `10.0.0.1` is an IP address: use the subject `ip`",
        ),
        (
            Subject::Domain,
            "ana@example.com",
            "`value` `ana@example.com` is an address: use the subject `sender`",
        ),
        (
            Subject::Domain,
            ".example.com",
            "`value` `.example.com` begins with a sign: leave it out; a domain stands for everything below it",
        ),
        (
            Subject::Domain,
            "a..b",
            "`value` `a..b` is no domain: write a name such as `example.com`",
        ),
        (
            Subject::Sender,
            "Ana <ana@example.com>",
            "`value` `Ana <ana@example.com>` has more than a name: write only the name, such as `example.com`",
        ),
        (
            Subject::Sender,
            "ana@",
            "`value` `ana@` is no sender: write an address such as `ana@example.com`, or a domain",
        ),
        (
            Subject::FileName,
            r"C:\a.exe",
            r"`value` `C:\a.exe` has a folder: write only the name",
        ),
    ] {
        let wrong = Entry::new(draft(subject, value, Strength::Allow)).unwrap_err();
        assert_eq!(wrong.to_string(), expected);
    }
    assert!(Entry::new(never(Subject::Host, "*")).is_ok());
    let wrong = Entry::new(Draft {
        actions: [ActionType::BlockSender].into(),
        reason: " ".into(),
        expires: Some(at(0)),
        ..never(Subject::Host, "h1")
    });
    let fields: Vec<_> = wrong
        .unwrap_err()
        .iter()
        .map(|problem| problem.field)
        .collect();
    assert_eq!(fields, ["reason", "actions", "expires"]);
}

#[test]
fn an_entry_is_checked_wherever_it_is_read_from() {
    let text = |value: &str| {
        format!(
            "subject = 'ip'\nvalue = '{value}'\nstrength = 'never'\nreason = 'a'\nauthor = 'b'\n\
             source = 'person'\nadded = '2026-01-01T00:00:00Z'\n"
        )
    };
    let read: Entry = toml::from_str(&text("192.0.2.0/24")).unwrap();
    assert_eq!(read.value, "192.0.2.0/24");
    assert_eq!(
        toml::from_str::<Entry>(&toml::to_string(&read).unwrap()).unwrap(),
        read
    );
    let wrong = toml::from_str::<Entry>(&text("everything")).unwrap_err();
    assert!(
        wrong.to_string().contains("is no address or network"),
        "{wrong}"
    );
}
