//! What every source file looks like.

use std::path::Path;

use super::{SourceFile, nothing_to_complain_of, texts};

/// Beyond this a file has a second concern that wants a file of its own.
const LINES: usize = 600;

/// Files that are longer: path, how long they may be, why. This list only shrinks.
const LONGER: &[(&str, usize, &str)] = &[];

/// What counts as written by hand. Data (JSON, TOML) may be as long as it is.
const HAND_WRITTEN: &[&str] = &["rs", "py", "sh", "js", "css", "html", "sql", "cedar", "md"];

fn without_module_text(file: &SourceFile) -> Option<String> {
    let in_src = file.path.components().any(|part| part.as_os_str() == "src");
    let opens = file
        .text
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("//! "));
    (file.has_extension("rs") && in_src && !opens).then(|| {
        format!(
            "{} does not open with `//!`: say in two or three sentences what it owns and what it leaves to \
             others",
            file.path.display()
        )
    })
}

fn too_long(file: &SourceFile, longer: &[(&str, usize, &str)]) -> Option<String> {
    if !HAND_WRITTEN
        .iter()
        .any(|extension| file.has_extension(extension))
    {
        return None;
    }
    // Pages that `cargo xtask gen` writes are as long as what they describe.
    if file.path.starts_with("docs/reference") {
        return None;
    }
    let lines = file.text.lines().count();
    let path = file.path.display();
    let row = longer
        .iter()
        .find(|(path, ..)| Path::new(path) == file.path);
    match row {
        None if lines > LINES => Some(format!(
            "{path} has {lines} lines, more than {LINES}: find its second concern and give that a file"
        )),
        Some((_, most, _)) if lines > *most => Some(format!(
            "{path} has grown to {lines} lines and may have {most}: take something out of it"
        )),
        Some(_) if lines <= LINES => Some(format!(
            "{path} is short enough now: delete its row in LONGER (xtask/src/structure/sources.rs)"
        )),
        _ => None,
    }
}

fn rows_without_a_file(files: &[SourceFile], longer: &[(&str, usize, &str)]) -> Vec<String> {
    let missing = |path: &str| !files.iter().any(|file| file.path == Path::new(path));
    longer
        .iter()
        .filter(|(path, ..)| missing(path))
        .map(|(path, ..)| {
            format!("{path} is gone: delete its row in LONGER (xtask/src/structure/sources.rs)")
        })
        .collect()
}

fn switched_off_tests(file: &SourceFile) -> Vec<String> {
    if !file.has_extension("rs") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let line = line.trim_start();
        let place = format!("{}:{}", file.path.display(), number + 1);
        if line.starts_with("#[ignore") {
            complaints.push(format!(
                "{place} switches a test off: mend the test or delete it"
            ));
        }
        let documentation = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"));
        let fence = documentation.and_then(|text| text.trim_start().strip_prefix("```"));
        if fence.is_some_and(|words| words.split(',').any(|word| word.trim() == "ignore")) {
            complaints.push(format!(
                "{place} has an example that is never run: let it run, or make it `text`"
            ));
        }
    }
    complaints
}

fn names_that_are_no_claims(file: &SourceFile) -> Vec<String> {
    if !file.has_extension("rs") {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    let mut attributed = false;
    for (number, line) in file.text.lines().enumerate() {
        let line = line.trim_start();
        if let Some(attribute) = line.strip_prefix("#[") {
            let path: &str = attribute.split(['(', ']', ' ']).next().unwrap_or_default();
            attributed |= path
                .rsplit("::")
                .next()
                .is_some_and(|last| last.ends_with("test"));
            continue;
        }
        let words = line.split(['(', '<', ' ']);
        let name = words.skip_while(|word| *word != "fn").nth(1);
        if let Some(name) = name {
            if attributed && name.starts_with("test_") {
                complaints.push(format!(
                    "{}:{} `{name}`: a test's name is the claim it proves, such as \
                     `refuses_to_release_a_host_it_did_not_contain`",
                    file.path.display(),
                    number + 1
                ));
            }
            attributed = false;
        }
    }
    complaints
}

#[test]
fn every_module_says_what_it_owns() {
    let complaints: Vec<_> = texts().iter().filter_map(without_module_text).collect();
    nothing_to_complain_of(&complaints);
}

#[test]
fn no_file_outgrows_one_concern() {
    let files = texts();
    let mut complaints = rows_without_a_file(&files, LONGER);
    complaints.extend(files.iter().filter_map(|file| too_long(file, LONGER)));
    nothing_to_complain_of(&complaints);
}

#[test]
fn no_test_is_switched_off() {
    let complaints: Vec<_> = texts().iter().flat_map(switched_off_tests).collect();
    nothing_to_complain_of(&complaints);
}

#[test]
fn names_of_tests_are_claims() {
    let complaints: Vec<_> = texts().iter().flat_map(names_that_are_no_claims).collect();
    nothing_to_complain_of(&complaints);
}

mod tests {
    use super::*;

    #[test]
    fn only_a_module_that_opens_with_its_text_passes() {
        let passes =
            |path: &str, text: &str| without_module_text(&SourceFile::new(path, text)).is_none();
        assert!(passes("crates/a/src/lib.rs", "//! Owns it.\n"));
        assert!(passes("crates/a/tests/it.rs", "use a::b;\n"));
        assert!(passes("crates/a/src/a.sql", "select 1"));
        assert!(!passes("crates/a/src/lib.rs", "use a::b;\n"));
        assert!(!passes("crates/a/src/lib.rs", ""));
    }

    #[test]
    fn the_list_of_long_files_only_shrinks() {
        let complaint = |lines: usize, longer: &[(&str, usize, &str)]| {
            too_long(&SourceFile::new("a.rs", &"x\n".repeat(lines)), longer)
        };
        assert_eq!(complaint(LINES, &[]), None);
        assert!(
            complaint(LINES + 1, &[])
                .unwrap()
                .contains("second concern")
        );
        let row = [("a.rs", LINES + 10, "a table")];
        assert_eq!(complaint(LINES + 10, &row), None);
        assert!(complaint(LINES + 11, &row).unwrap().contains("has grown"));
        assert!(complaint(LINES, &row).unwrap().contains("delete its row"));
        assert_eq!(rows_without_a_file(&[], &row).len(), 1);
        assert_eq!(
            too_long(&SourceFile::new("a.json", &"x\n".repeat(9000)), &[]),
            None
        );
    }

    #[test]
    fn a_test_that_is_switched_off_is_found() {
        let text =
            "#[test]\n    #[ignore = \"slow\"]\nfn a() {}\n/// ```ignore\n/// ```rust,ignore\n";
        assert_eq!(switched_off_tests(&SourceFile::new("a.rs", text)).len(), 3);
        let text =
            "// `#[ignore]` is refused\n/// ```no_run\n/// ```text\nlet ignore = \"#[ignore]\";\n";
        assert_eq!(
            switched_off_tests(&SourceFile::new("a.rs", text)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn only_tests_are_held_to_the_rule_of_names() {
        let complaints =
            |text: &str| names_that_are_no_claims(&SourceFile::new("a.rs", text)).len();
        assert_eq!(complaints("#[test]\nfn test_it() {}"), 1);
        assert_eq!(
            complaints("#[tokio::test(start_paused = true)]\n#[x]\nasync fn test_it() {}"),
            1
        );
        assert_eq!(complaints("#[test]\nfn holds() {}\nfn test_bed() {}"), 0);
        assert_eq!(complaints("#[cfg(test)]\nmod tests {\nfn test_bed() {}"), 0);
    }
}
