//! What an entry about each subject matches, and what it leaves alone.

use quell_model::entity::{
    AccessKey, Account, CloudInstance, EmailMessage, File, InboxRule, Process,
};
use quell_model::{Entity, EntityType};
use quell_policy::lists::{Strength, Subject};

use super::{Asked, domain, from, host, ip, lists, never, some, url};
use crate::support::target;

#[track_caller]
fn check(
    subject: Subject,
    value: &str,
    on: impl IntoIterator<Item = Entity>,
    off: impl IntoIterator<Item = Entity>,
) {
    let lists = lists([never(subject, value)]);
    for target in on {
        let found = Asked::about(target.clone()).of(&lists);
        assert_eq!(
            found.strength,
            Some(Strength::Never),
            "{value} and {target:?}"
        );
        assert_eq!(found.entries.len(), 1, "{value} and {target:?}");
    }
    for target in off {
        let found = Asked::about(target.clone()).of(&lists);
        assert_eq!(found.strength, None, "{value} and {target:?}");
    }
}

#[test]
fn a_domain_protects_what_is_below_it_and_no_neighbour() {
    check(
        Subject::Domain,
        "Example.com",
        [
            domain("example.com"),
            domain("EXAMPLE.COM."),
            domain("a.www.example.com"),
            url("https://www.example.com:8443/login?next=x"),
            url("www.example.com/login"),
        ],
        [
            domain("notexample.com"),
            domain("example.com.evil.net"),
            url("https://evil.net/example.com"),
            url("https://example.com@evil.net/"),
            from("ana@example.com"),
            host("example.com", "example.com"),
        ],
    );
}

#[test]
fn a_domain_above_a_protected_one_is_protected_because_its_block_reaches_down() {
    check(
        Subject::Domain,
        "bucket.storage.example.com",
        [
            domain("storage.example.com"),
            domain("*.example.com"),
            domain("com"),
        ],
        [
            domain("torage.example.com"),
            url("https://storage.example.com/other"),
            domain("other.storage.example.com"),
        ],
    );
    check(
        Subject::Domain,
        "*.example.com",
        [domain("example.com"), domain("a.example.com")],
        [domain("myexample.com")],
    );
}

#[test]
fn an_international_name_is_one_name_in_both_spellings() {
    for value in ["bücher.example", "xn--bcher-kva.example"] {
        check(
            Subject::Domain,
            value,
            [
                domain("www.BÜCHER.example"),
                domain("xn--bcher-kva.example"),
            ],
            [domain("bucher.example")],
        );
    }
}

#[test]
fn an_address_is_protected_in_every_spelling_and_by_networks_around_and_inside_it() {
    check(
        Subject::Ip,
        "192.0.2.0/24",
        [
            ip("192.0.2.77"),
            ip("::ffff:192.0.2.77"),
            ip("192.0.2.64/26"),
            ip("192.0.0.0/16"),
            ip("0.0.0.0/0"),
            url("http://192.0.2.77/a"),
            url("http://[::ffff:c000:24d]/"),
        ],
        [
            ip("192.0.3.1"),
            ip("192.0.3.0/24"),
            ip("::192.0.2.1"),
            ip("::/0"),
            domain("192.0.2.1.example.com"),
        ],
    );
    check(
        Subject::Ip,
        "::ffff:192.0.2.1",
        [ip("192.0.2.1"), ip("192.0.2.0/31")],
        [ip("192.0.2.2/31"), ip("192.0.2.0")],
    );
    check(
        Subject::Ip,
        "2001:db8::/32",
        [
            ip("2001:DB8:1::1"),
            ip("2001:db8::/48"),
            ip("2001::/16"),
            url("http://[2001:db8::1]:80/"),
        ],
        [ip("2001:db9::1"), ip("32.1.13.184")],
    );
}

#[test]
fn a_sender_is_protected_by_address_and_by_domain() {
    let message = |sender: &str| {
        Entity::from(EmailMessage {
            sender: some(sender),
            ..EmailMessage::default()
        })
    };
    check(
        Subject::Sender,
        "example.com",
        [
            from("Ana@Example.com"),
            from("ana@mail.example.com"),
            from("example.com"),
            message("Ana <ana@example.com>"),
            from("com"),
        ],
        [
            from("ana@notexample.com"),
            domain("example.com"),
            from("example.com@evil.net"),
        ],
    );
    check(
        Subject::Sender,
        "ceo@mail.example.com",
        [
            from("CEO@mail.example.com"),
            from("mail.example.com"),
            from("example.com"),
        ],
        [
            from("cfo@mail.example.com"),
            from("ceo@example.com"),
            from("other.example.com"),
        ],
    );
    check(
        Subject::Sender,
        "*@example.com",
        [from("ana@example.com"), from("example.com")],
        [from("ana@mail.example.com"), host("h", "*@example.com")],
    );
}

#[test]
fn a_host_protects_itself_and_what_runs_or_lies_on_it() {
    let process = |id: Option<&str>, name: Option<&str>| {
        Entity::from(Process {
            host_id: id.map(str::to_owned),
            host_name: name.map(str::to_owned),
            ..Process::default()
        })
    };
    let file = Entity::from(File {
        host_id: some("h1"),
        ..File::default()
    });
    check(
        Subject::Host,
        "H1",
        [
            host("h1", "x"),
            host("x", "h1"),
            process(Some("h1"), None),
            process(None, Some("h1")),
            file,
        ],
        [host("h11", "h")],
    );
    check(
        Subject::Host,
        "dc-??.*",
        [host("x", "DC-01.corp.example")],
        [host("x", "adc-01.corp"), domain("dc-01.corp.example")],
    );
}

#[test]
fn accounts_hashes_names_and_cloud_things_are_found_by_what_they_are_called() {
    let account = |change: fn(&mut Account)| {
        let mut account = Account::default();
        change(&mut account);
        Entity::from(account)
    };
    let called = account(|a| (a.domain, a.name) = (some("CORP"), some("ana")));
    let principal = account(|a| a.principal = some("Ana@example.com"));
    let rule = Entity::from(InboxRule {
        mailbox: some("ana@example.com"),
        id: some("r1"),
        name: some("hide"),
    });
    let key = Entity::from(AccessKey {
        id: some("AKIA1"),
        user: some("ana"),
        ..AccessKey::default()
    });
    check(
        Subject::Account,
        r"corp\ana",
        [called.clone()],
        [principal.clone()],
    );
    check(
        Subject::Account,
        "ana",
        [called, key.clone()],
        [principal.clone(), host("ana", "ana")],
    );
    check(
        Subject::Account,
        "ana@example.com",
        [principal, rule.clone()],
        [from("ana@example.com")],
    );
    check(Subject::InboxRule, "hide", [rule.clone()], []);
    check(Subject::InboxRule, "r1", [rule], []);
    check(Subject::AccessKey, "akia*", [key], []);
    let instance = Entity::from(CloudInstance {
        id: some("i-1"),
        ..CloudInstance::default()
    });
    check(
        Subject::CloudInstance,
        "I-1",
        [instance],
        [host("i-1", "i-1")],
    );

    let (sha256, sha1, md5) = ("ab".repeat(32), "cd".repeat(20), "ef".repeat(16));
    let file = Entity::from(File {
        sha256: some(&sha256),
        sha1: some(&sha1),
        md5: some(&md5),
        path: some(r"C:\Program Files\Backup.exe"),
        ..File::default()
    });
    let process = Entity::from(Process {
        sha256: some(&sha256),
        path: some("/usr/bin/backup.exe"),
        ..Process::default()
    });
    check(
        Subject::Hash,
        &sha256.to_uppercase(),
        [file.clone(), process.clone()],
        [File {
            sha256: some(&md5),
            ..File::default()
        }
        .into()],
    );
    for hash in [&sha1, &md5] {
        check(Subject::Hash, hash, [file.clone()], [process.clone()]);
    }
    check(
        Subject::FileName,
        "backup.*",
        [file.clone()],
        [process.clone()],
    );
    check(Subject::ProcessName, "backup.*", [process], [file]);
}

#[test]
fn labels_and_any_reach_every_kind_of_target() {
    for kind in EntityType::ALL {
        let labelled = lists([never(Subject::Label, "crown-*")]);
        let mut asked = Asked::about(target(*kind));
        assert_eq!(asked.of(&labelled).strength, None);
        asked.labels.insert("Crown-jewels".into());
        assert_eq!(
            asked.of(&labelled).strength,
            Some(Strength::Never),
            "{kind:?}"
        );
        assert_eq!(
            asked.of(&lists([never(Subject::Any, "*")])).strength,
            Some(Strength::Never),
            "{kind:?}"
        );
    }
    check(
        Subject::Any,
        "example.com",
        [
            domain("example.com"),
            from("Example.com"),
            host("x", "example.com"),
        ],
        [domain("www.example.com")],
    );
}
