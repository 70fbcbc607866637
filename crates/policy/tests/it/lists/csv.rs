//! Lists as CSV, as people and spreadsheets write them.

use proptest::collection::vec;
use proptest::prelude::*;
use quell_model::ActionType;
use quell_policy::Source;
use quell_policy::lists::{Entry, Strength, Subject, csv};

use super::properties::{entry, value};
use super::{at, draft};

fn read(text: &str) -> Result<Vec<Entry>, String> {
    let file = Source {
        name: "lists.csv",
        text,
    };
    csv::read(&file, "ana", at(7)).map_err(|wrong| wrong.to_string())
}

#[test]
fn columns_come_in_any_order_and_what_is_left_out_has_its_usual_value() {
    let read = read(
        "\u{feff}Reason,strength, VALUE ,subject,actions,expires\r\n\
         \"Domain controllers, all of them\",never,dc-*,host,contain_host;kill_process,2026-12-31T00:00:00Z\r\n\
         ,,,,,\r\n\
         ours,ASK,example.com,domain,,\r\n",
    )
    .unwrap();
    let [controllers, ours] = <[Entry; 2]>::try_from(read).unwrap();
    assert_eq!(controllers.reason, "Domain controllers, all of them");
    assert_eq!(
        controllers.actions,
        [ActionType::ContainHost, ActionType::KillProcess].into()
    );
    assert_eq!(
        controllers.expires.unwrap().to_string(),
        "2026-12-31T00:00:00Z"
    );
    assert_eq!(
        (ours.subject, ours.strength),
        (Subject::Domain, Strength::Ask)
    );
    assert_eq!(
        (ours.author.as_str(), ours.source.as_str(), ours.added),
        ("ana", "person", at(7))
    );
}

#[test]
fn everything_wrong_is_said_with_its_line_and_nothing_is_read() {
    let wrong = read(
        "subject,value,strength,reason,added,actions,connection\n\
         \n\
         host,h1,always,,yesterday,contain,No!\n\
         ip,\"10.0.0.0/8\",never,fine,,,\n\
         hash,\"abc\",never,\"two\nlines\",,,\n\
         hosts,h1,never,fine,,block_sender,\n\
         host,h1\n",
    )
    .unwrap_err();
    let lines: Vec<&str> = wrong.lines().collect();
    assert_eq!(
        lines,
        [
            "lists.csv:3:1: `actions` has the unknown action type `contain` (write names such as `contain_host`, with spaces between them)",
            "lists.csv:3:1: `added` `yesterday` is no moment (write it like `2026-12-31T23:59:59Z`)",
            "lists.csv:3:1: `connection` `No!` is no connection id (write the id the configuration gives it)",
            "lists.csv:3:1: `reason` is empty (fill it in)",
            "lists.csv:3:1: `strength` `always` is unknown (write one of allow, ask, never)",
            "lists.csv:5:1: `reason` has control or invisible characters (type it by hand instead of pasting it)",
            "lists.csv:5:1: `value` `abc` is no hash (give 64 (SHA-256), 40 (SHA-1) or 32 (MD5) hexadecimal digits)",
            "lists.csv:7:1: `subject` `hosts` is unknown (write one of host, account, hash, file_name, process_name, domain, ip, sender, cloud_instance, access_key, inbox_rule, label, any)",
            "lists.csv:8:1: `row` has 2 cells for 7 columns (put a value with a comma or a quote in it into double quotes)",
        ]
    );
}

#[test]
fn a_file_without_the_columns_it_needs_is_refused() {
    let columns = "subject,value,strength,actions,connection,reason,author,added,expires,source";
    for (text, expected) in [
        (
            "",
            format!(
                "1:1: `row` has no column `subject` (begin the file with a row of column names: {columns})"
            ),
        ),
        (
            "subject,value,strength\nhost,h1,never",
            format!(
                "1:1: `row` has no column `reason` (begin the file with a row of column names: {columns})"
            ),
        ),
        (
            "subject;value;strength;reason",
            "1:1: `row` has semicolons between its columns (export the file with commas)"
                .to_owned(),
        ),
        (
            "subject,value,strength,reason,value",
            "1:1: `row` has the column `value` twice (leave one out)".to_owned(),
        ),
        (
            "subject,value,strength,reason,vlaue",
            format!(
                "1:1: `row` has the unknown column `vlaue` (the columns are {})",
                columns.replace(',', ", ")
            ),
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), format!("lists.csv:{expected}"));
    }
}

#[test]
fn a_cell_that_a_spreadsheet_would_execute_is_written_as_text_and_read_back() {
    for value in ["=1+1", "+1", "-1", "@a", "'=1", "'a", "''", "a=1"] {
        let entry = Entry::new(draft(Subject::Any, value, Strength::Never)).unwrap();
        let text = csv::write([&entry]);
        let executed = !value.starts_with('a');
        assert_eq!(text.contains(&format!("\"'{value}\"")), executed, "{text}");
        assert_eq!(read(&text).unwrap(), [entry]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_as_csv_reads_back_the_same(entries in vec(entry(), 0..20)) {
        let text = csv::write(&entries);
        let file = Source { name: "lists.csv", text: &text };
        prop_assert_eq!(csv::read(&file, "somebody", at(1)).unwrap(), entries);
    }

    #[test]
    fn no_cell_is_written_that_a_spreadsheet_executes(entries in vec(entry(), 0..20)) {
        let text = csv::write(&entries);
        prop_assert!(!text.split("\",\"").any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{text}");
    }

    #[test]
    fn no_text_makes_reading_csv_stumble(text in any::<String>(), rows in vec(vec(value(), 0..12), 0..5)) {
        let rows: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        let table = format!("subject,value,strength,reason,added\n{}", rows.join("\n"));
        for text in [&text, &table] {
            let read = csv::read(&Source { name: "x.csv", text }, "ana", at(1));
            prop_assert!(read.is_ok() || read.is_err_and(|wrong| wrong.iter().count() > 0));
        }
    }
}
