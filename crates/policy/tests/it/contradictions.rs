//! What is refused because it could never say anything, or says two things at once. Each row is a text
//! and the lines that are complained of.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quell_policy::matrix::{Cell, Column, Matrix, rows};
use quell_policy::{Diagnostic, Diagnostics, Folder, Settings, Source};

/// Complaints as `file:line: message`, the folder's name left out.
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    let said = match (Folder { files }).load("", Timestamp::UNIX_EPOCH) {
        Ok(loaded) => loaded.in_vain,
        Err(wrong) => wrong.iter().cloned().collect(),
    };
    said.iter()
        .map(|one| format!("{}:{}: {}", one.file, one.line, one.message))
        .collect()
}

/// The complaints begin with these places and contain these words, and there are no others.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let said = complaints(files);
    assert_eq!(said.len(), expected.len(), "{files:#?}\n{said:#?}");
    for (said, (place, words)) in said.iter().zip(expected) {
        assert!(said.starts_with(&format!("{place}: ")), "{place}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// As [`check`], for a `policy.toml` alone; the places are lines.
#[track_caller]
fn matrix(text: &str, expected: &[(usize, &str)]) {
    let expected: Vec<(String, &str)> = expected
        .iter()
        .map(|(line, words)| (format!("policy.toml:{line}"), *words))
        .collect();
    let expected: Vec<(&str, &str)> = expected
        .iter()
        .map(|(place, words)| (place.as_str(), *words))
        .collect();
    check(&[("policy.toml", text)], &expected);
}

#[test]
fn auto_in_a_column_on_top_is_refused_where_it_lifts_nothing() {
    matrix("[actions.contain_host]\nvip = \"auto\"", &[]);
    matrix(
        "[actions.contain_host]\nproduction = \"auto\"",
        &[(
            2,
            "`actions.contain_host.production`: a column that comes on top only takes away",
        )],
    );
    matrix(
        "[actions.kill_process]\nvip = \"auto\"",
        &[(2, "\"auto\" says nothing in it")],
    );
    matrix(
        "[every_action]\nvip = \"auto\"",
        &[(
            2,
            "`every_action.vip`: a column that comes on top only takes away",
        )],
    );
}

#[test]
fn a_row_cannot_be_looser_than_what_holds_for_every_action() {
    matrix(
        "[every_action]\ncritical = \"never\"\n[actions.kill_process]\ncritical = \"ask\"",
        &[(
            4,
            "`actions.kill_process.critical`: it says \"ask\", but `every_action.critical` (policy.toml:2) says \"never\"",
        )],
    );
    matrix(
        "[every_action]\nvip = \"ask\"\n[actions.contain_host]\nvip = \"auto\"",
        &[(
            4,
            "it says \"auto\", but `every_action.vip` (policy.toml:2) says \"ask\"",
        )],
    );
    matrix(
        "[every_action]\nvip = { ask_below_confidence = 95 }\n[actions.kill_process]\nvip = { ask_below_confidence = 90 }",
        &[(4, "it says { ask_below_confidence = 90 }")],
    );
    // The same again, and stricter, say nothing wrong; nor does a shipped cell that nobody wrote.
    matrix(
        "[every_action]\nvip = \"ask\"\n[actions.kill_process]\nvip = \"ask\"\nred_team = \"never\"",
        &[],
    );
    matrix("[every_action]\ncritical = \"never\"", &[]);
}

#[test]
fn a_column_on_top_cannot_be_looser_than_every_class_of_its_row() {
    matrix(
        "[actions.disable_account]\nprivileged = { ask_below_confidence = 95 }",
        &[(2, "no class of the row says less than \"ask\"")],
    );
    matrix(
        "[actions.disable_account]\nany = \"never\"\nvip = \"ask\"",
        &[(3, "no class of the row says less than \"never\"")],
    );
    matrix(
        "[actions.disable_account]\nany = { ask_below_confidence = 95 }\nvip = { ask_below_confidence = 90 }\nprivileged = { ask_below_confidence = 99 }",
        &[(
            3,
            "no class of the row says less than { ask_below_confidence = 95 }",
        )],
    );
    // Asking where everybody asks takes nothing away and promises nothing.
    matrix("[actions.disable_account]\nvip = \"ask\"", &[]);
    matrix("[every_action]\nvip = { ask_below_confidence = 95 }", &[]);
}

#[test]
fn any_is_refused_where_no_class_is_left_for_it() {
    for answer in ["auto", "ask", "never"] {
        matrix(
            &format!("[actions.contain_host]\nany = \"{answer}\""),
            &[(
                2,
                "`actions.contain_host.any`: it stands for the classes without a cell",
            )],
        );
    }
    matrix("[actions.kill_process]\nany = \"ask\"", &[]);
    matrix("[actions.block_sender]\nany = \"auto\"", &[]);
}

#[test]
fn a_labelled_server_may_be_stricter_than_a_server_and_looser() {
    matrix(
        "[actions.contain_host]\nserver = \"auto\"\nnon_essential_server = \"ask\"",
        &[],
    );
    matrix(
        "[actions.contain_host]\nserver = \"ask\"\nnon_essential_server = \"ask\"",
        &[],
    );
}

/// A list of these rows: subject, value, strength, actions, connection, expiry.
fn list(rows: &[&str]) -> String {
    let head = "subject,value,strength,actions,connection,expires,reason\n";
    let rows = rows.iter().map(|row| format!("{row},x\n"));
    head.to_owned() + &rows.collect::<String>()
}

#[test]
fn an_entry_that_allows_what_another_protects_is_refused_with_both_places() {
    let lists = |a: &[&str], b: &[&str], expected: &[(&str, &str)]| {
        let (a, b) = (list(a), list(b));
        check(&[("lists/a.csv", &a), ("lists/b.csv", &b)], expected);
    };
    let at = "lists/a.csv:2";
    let refused = |allowed: &str, protected: &str, words: &str| {
        lists(
            &[allowed],
            &["host,other,ask,,,", protected],
            &[(at, words)],
        );
    };
    let taken = |allowed: &str, protected: &str| lists(&[allowed], &[protected], &[]);
    let never = "`strength` allows `WS-1`, but lists/b.csv:3 says `never` of it, which wins";
    refused("host,WS-1,allow,,,", "host,ws-1,never,,,", never);
    refused("host,ws-1,allow,,,", "host,ws-1,ask,,,", "says `ask` of it");
    refused(
        "host,ws-1,allow,contain_host,edr,",
        "host,ws-1,never,,,",
        "never",
    );
    refused(
        "host,ws-1,allow,,,2027-01-01T00:00:00Z",
        "host,ws-1,never,,,2028-01-01T00:00:00Z",
        "never",
    );
    refused(
        "ip,192.0.2.0/24,allow,,,",
        "ip,192.0.2.0/24,never,,,",
        "never",
    );
    refused("host,ws-*,allow,,,", "host,WS-*,never,,,", "never");
    // The allow entry still says something: elsewhere, later, for another action, about another thing.
    taken("host,ws-1,allow,,,", "host,ws-1,never,,edr,");
    taken("host,ws-1,allow,,,", "host,ws-1,never,contain_host,,");
    taken(
        "host,ws-1,allow,,,",
        "host,ws-1,never,,,2028-01-01T00:00:00Z",
    );
    taken("host,ws-1,allow,,,", "label,ws-1,never,,,");
    taken("host,ws-1,ask,,,", "host,ws-1,never,,,");
}

#[test]
fn a_budget_whose_action_has_no_class_to_count_is_refused() {
    let budget = |rest: &str| format!("[budgets.mine]\nwindow = \"1h\"\ncount = 1\n{rest}");
    matrix(
        &budget("actions = [\"contain_host\", \"disable_account\"]\nclasses = [\"server\"]"),
        &[(
            1,
            "`budgets.mine`: `disable_account` acts on what has no class, so it never counts",
        )],
    );
    matrix(
        &budget("actions = [\"contain_host\"]\nclasses = [\"server\"]"),
        &[],
    );
    matrix(&budget("actions = [\"disable_account\"]"), &[]);
    matrix(&budget("classes = [\"server\"]"), &[]);
}

#[test]
fn a_budget_that_another_one_keeps_from_being_spent_is_remarked_on_and_taken() {
    let check = |text: &str, expected: &[&str]| {
        let text = format!("\n{text}");
        let source = Source {
            name: "policy.toml",
            text: &text,
        };
        let settings = Settings::load(&source).unwrap();
        let said: Vec<String> = settings.remarks.iter().map(ToString::to_string).collect();
        assert_eq!(said, expected, "{text}");
    };
    let remark = "policy.toml:2:1: `budgets.mine`: it can never be spent, because `contain-hosts` \
                  lets only 10 through in 1 hour (lower its count, or raise the other's)";
    let hosts = "[budgets.mine]\nactions = [\"contain_host\"]\n";
    check(&format!("{hosts}window = \"10m\"\ncount = 11"), &[remark]);
    check(
        &format!("{hosts}window = \"1h\"\ncount = 11\nper = \"detection\""),
        &[remark],
    );
    check(
        &format!("{hosts}window = \"1h\"\ncount = 11\nclasses = [\"server\"]\nshare = 3"),
        &[remark],
    );
    check(&format!("{hosts}window = \"1h\"\ncount = 10"), &[]);
    check(&format!("{hosts}window = \"2h\"\ncount = 11"), &[]);
    check(
        &format!("{hosts}window = \"1h\"\ncount = 11\nshare = 1"),
        &[],
    );
    check("[budgets.mine]\nwindow = \"1h\"\ncount = 11", &[]);
    // Who tightens one budget has done nothing wrong about the others.
    check(
        "[budgets.contain-hosts-in-a-day]\nwindow = \"24h\"\ncount = 5",
        &[],
    );
    assert_eq!(Settings::builtin().remarks, []);
}

#[test]
fn two_rules_of_one_s_own_that_say_the_same_are_refused_with_both_places() {
    let rule = |id: &str, body: &str| format!("@id(\"{id}\") @reason(\"{id}.\")\n{body}\n");
    let freeze = "forbid (principal, action, resource);";
    let spaced = "forbid (\n  principal, action, // all\n  resource\n);";
    let two = rule("a", freeze) + &rule("b", spaced);
    let twice = ("b.cedar:1", "the rule says the same as `a` at a.cedar:1");
    check(
        &[
            ("a.cedar", &rule("a", freeze)),
            ("b.cedar", &rule("b", spaced)),
        ],
        &[twice],
    );
    check(
        &[("a.cedar", &two)],
        &[("a.cedar:3", "says the same as `a`")],
    );
    let shipped =
        "forbid (principal == Mode::\"auto\", action == Action::\"delete_access_key\", resource);";
    check(&[("a.cedar", &rule("a", shipped))], &[]);
}

/// A table of the matrix and one line in it.
fn cell() -> impl Strategy<Value = (String, String)> {
    let rows = [
        "contain_host",
        "kill_process",
        "disable_account",
        "block_sender",
    ];
    let columns = [
        "any",
        "workstation",
        "server",
        "non_essential_server",
        "domain_controller",
        "mobile",
        "unknown",
        "critical",
        "vip",
        "privileged",
        "red_team",
    ];
    let tables = rows.map(|row| format!("actions.{row}"));
    let tables: Vec<String> = tables
        .into_iter()
        .chain(["every_action".to_owned()])
        .collect();
    let answers = [
        "\"auto\"",
        "\"ask\"",
        "\"never\"",
        "{ ask_below_confidence = 90 }",
    ];
    (
        select(tables),
        select(columns.to_vec()),
        select(answers.to_vec()),
    )
        .prop_map(|(table, column, answer)| (table, format!("{column} = {answer}")))
}

/// The text with its tables, and the lines of each, in the order of the cells.
fn written(cells: &[(String, String)]) -> String {
    let mut tables: Vec<(&str, Vec<&str>)> = Vec::new();
    for (table, line) in cells {
        match tables.iter_mut().find(|(name, _)| name == table) {
            Some((_, lines)) => lines.push(line),
            None => tables.push((table, vec![line])),
        }
    }
    let table = |(name, lines): (&str, Vec<&str>)| format!("[{name}]\n{}\n", lines.join("\n"));
    tables.into_iter().map(table).collect()
}

fn answers(matrix: &Matrix) -> Vec<Option<Cell>> {
    Column::all()
        .flat_map(|column| {
            let row = rows().map(move |row| matrix.cell(row, column));
            row.chain([matrix.every_action(column)])
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_taken_does_not_depend_on_the_order_of_its_lines(
        (cells, shuffled) in vec(cell(), 0..6).prop_flat_map(|cells| {
            (Just(cells.clone()), Just(cells).prop_shuffle())
        }),
    ) {
        let load = |cells: &[(String, String)]| {
            let text = written(cells);
            let settings = Settings::load(&Source { name: "policy.toml", text: &text });
            let said = |wrong: Diagnostics| {
                let about = |one: &Diagnostic| one.message.split(':').next().map(str::to_owned);
                let mut about: Vec<_> = wrong.iter().map(about).collect();
                about.sort();
                about
            };
            settings.map(|settings| answers(&settings.matrix)).map_err(said)
        };
        prop_assert_eq!(load(&cells), load(&shuffled));
    }
}

#[test]
fn the_order_of_entries_and_files_does_not_matter() {
    let rows = [
        "host,ws-1,allow,,,",
        "host,srv-1,ask,,,",
        "host,ws-1,never,,,",
    ];
    let (forth, back) = (list(&rows), list(&[rows[2], rows[1], rows[0]]));
    check(
        &[("lists/a.csv", &forth)],
        &[("lists/a.csv:2", "lists/a.csv:4")],
    );
    check(
        &[("lists/a.csv", &back)],
        &[("lists/a.csv:4", "lists/a.csv:2")],
    );
}
