//! Reading what `ps` prints. The shell prints a table whose columns differ by platform and version,
//! so columns are found by their headings, and a table that cannot be read is never acted on.

use quell_connector::{Error, Kind, Result};
use quell_model::text;

use super::super::api;

/// What runs under a pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing does.
    Nothing,
    /// The image looked for.
    Same {
        /// As the listing shows it.
        name: String,
    },
    /// Another image: the pid was reused.
    Other {
        /// As the listing shows it.
        name: String,
    },
    /// A command line that names something else. A process can write what it likes there, so this
    /// does not prove that the pid was reused.
    Unclear {
        /// As the listing shows it.
        name: String,
    },
}

/// An image name as compared: the last part of the path, lower case, without `.exe`.
pub(super) fn image(name: &str) -> String {
    let name = name.trim().trim_matches('"');
    let last = name
        .rsplit(['\\', '/'])
        .next()
        .unwrap_or_default()
        .to_lowercase();
    match last.strip_suffix(".exe") {
        Some(stem) => stem.to_owned(),
        None => last,
    }
}

/// Where a column stands: the place of its heading, by characters.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// Which heading it is, counted from the left.
    place: usize,
    start: usize,
    end: usize,
}

struct Table {
    pid: Column,
    name: Column,
    /// The name column holds whole command lines.
    commands: bool,
    columns: usize,
}

const PID: &[&str] = &["pid", "id", "processid", "process_id"];
const NAME: &[&str] = &[
    "name",
    "processname",
    "process_name",
    "imagename",
    "comm",
    "ucomm",
];
const COMMAND: &[&str] = &["command", "cmd", "args"];

/// Looks for a pid in the listing.
pub(super) fn find(listing: &str, pid: u32, wanted: &str) -> Result<Found> {
    let unreadable = |detail: &str| {
        let detail = format!("{detail}; nothing was killed");
        Err(Error::new(Kind::ReplyUnreadable, api::RTR_LIST, detail))
    };
    let mut lines = listing.lines();
    let Some(table) = lines.by_ref().take(20).find_map(heading) else {
        return unreadable("the process listing has no heading with a pid and a name");
    };
    let (mut rows, mut row) = (0_usize, None);
    for line in lines.filter(|line| !line.trim().is_empty() && !is_rule(line)) {
        if let Some(number) = table.pid_of(line) {
            rows += 1;
            if number == pid {
                row = Some(line);
            }
        }
    }
    // Every system runs something, so an empty table was not understood.
    if rows == 0 {
        return unreadable("no line of the process listing holds a pid");
    }
    let Some(row) = row else {
        return Ok(Found::Nothing);
    };
    let Some(shown) = table.name_of(row) else {
        return unreadable("the process listing shows no name for the pid");
    };
    if row.contains("<defunct>") {
        return Ok(Found::Nothing);
    }
    let name = text::line(&shown);
    if !table.commands {
        return Ok(if same(&image(&shown), wanted) {
            Found::Same { name }
        } else {
            Found::Other { name }
        });
    }
    let first = shown.split_whitespace().next().unwrap_or_default();
    let program = image(first.trim_matches(['[', ']', ':', '-']));
    Ok(if same(&program, wanted) {
        Found::Same { name }
    } else {
        Found::Unclear { name }
    })
}

/// Kernels cut the short name of a process to 15 characters.
fn same(shown: &str, wanted: &str) -> bool {
    let cut: String = wanted.chars().take(15).collect();
    shown == wanted || (shown.chars().count() == 15 && shown == cut)
}

fn is_rule(line: &str) -> bool {
    line.chars().all(|c| matches!(c, '-' | '=' | ' ' | '\t'))
}

/// A heading line: words with the columns they stand over.
fn heading(line: &str) -> Option<Table> {
    let words = words(line);
    let column = |place: usize| {
        let (_, start, end) = words.get(place)?;
        Some(Column {
            place,
            start: *start,
            end: *end,
        })
    };
    let find = |names: &[&str]| {
        words
            .iter()
            .position(|(word, _, _)| names.contains(&word.to_lowercase().as_str()))
    };
    let pid = find(PID)?;
    let (name, commands) = match (find(NAME), find(COMMAND)) {
        (Some(name), _) => (name, false),
        (None, Some(command)) => (command, true),
        (None, None) => return None,
    };
    Some(Table {
        pid: column(pid)?,
        name: column(name)?,
        commands,
        columns: words.len(),
    })
}

/// Words of a line with the characters they start and end at.
fn words(line: &str) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    let mut rest = line;
    let mut at = 0;
    loop {
        let blank = rest.chars().take_while(|c| c.is_whitespace()).count();
        at += blank;
        rest = rest.trim_start();
        let Some(word) = rest.split_whitespace().next() else {
            return found;
        };
        let length = word.chars().count();
        found.push((word, at, at + length));
        at += length;
        rest = rest.get(word.len()..).unwrap_or_default();
    }
}

impl Table {
    /// The number under the pid's heading. Numbers are set right-aligned under it or left-aligned, so
    /// a word that touches the heading's columns counts; a line of as many words as headings is also
    /// read by place.
    fn pid_of(&self, line: &str) -> Option<u32> {
        let words = words(line);
        let touches = |start: usize, end: usize| start < self.pid.end && end > self.pid.start;
        let under = words
            .iter()
            .find(|(word, start, end)| touches(*start, *end) && is_number(word));
        let by_place = || {
            words
                .get(self.pid.place)
                .filter(|_| words.len() >= self.columns.min(2))
        };
        let (word, _, _) = under.or_else(by_place)?;
        word.parse().ok()
    }

    /// What stands under the name's heading.
    fn name_of(&self, line: &str) -> Option<String> {
        let words = words(line);
        let pid = words.iter().position(|(word, start, end)| {
            *start < self.pid.end && *end > self.pid.start && is_number(word)
        });
        let pid = pid.unwrap_or(self.pid.place);
        // A command line runs to the end of its line, and a name may have spaces in it up to the pid.
        let shown: Vec<&str> = if self.commands {
            words
                .iter()
                .skip(self.name.place)
                .map(|(word, _, _)| *word)
                .collect()
        } else if self.name.place < self.pid.place {
            words
                .iter()
                .take(pid)
                .skip(self.name.place)
                .map(|(word, _, _)| *word)
                .collect()
        } else {
            words
                .iter()
                .skip(pid + self.name.place - self.pid.place)
                .take(1)
                .map(|(word, _, _)| *word)
                .collect()
        };
        (!shown.is_empty()).then(|| shown.join(" "))
    }
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: &str = "\
Name                                   Id  Start Time (UTC)       Path
-------------------------------- --------  ---------------------- ----
System                                  4  2026-01-05 06:00:00
Memory Compression                   2212  2026-01-05 06:00:03
stealer                              5260  2026-01-05 08:14:09    C:\\Users\\ana\\AppData\\stealer.exe
";

    const LINUX: &str = "\
USER              PID     PPID  COMMAND
root                1        0  /sbin/init splash
www-data         1290        1  nginx: worker process
ana              4021     3999  /tmp/.x/miner --pool 5260
";

    fn found(listing: &str, pid: u32, name: &str) -> Result<Found, Kind> {
        find(listing, pid, &image(name)).map_err(|error| error.kind)
    }

    fn same(name: &str) -> Result<Found, Kind> {
        Ok(Found::Same { name: name.into() })
    }

    #[test]
    fn a_process_is_found_by_its_pid_and_told_by_its_image() {
        assert_eq!(found(WINDOWS, 5260, "Stealer.EXE"), same("stealer"));
        assert_eq!(
            found(WINDOWS, 2212, "Memory Compression"),
            same("Memory Compression")
        );
        assert_eq!(found(WINDOWS, 5261, "stealer.exe"), Ok(Found::Nothing));
        let other = Ok(Found::Other {
            name: "stealer".into(),
        });
        assert_eq!(found(WINDOWS, 5260, "winword.exe"), other);
    }

    #[test]
    fn a_number_in_another_column_is_no_pid() {
        assert_eq!(found(LINUX, 3999, "bash"), Ok(Found::Nothing));
        assert_eq!(found(LINUX, 0, "kernel"), Ok(Found::Nothing));
    }

    #[test]
    fn a_command_line_names_its_program_or_proves_nothing() {
        assert_eq!(
            found(LINUX, 4021, "miner"),
            same("/tmp/.x/miner --pool 5260")
        );
        assert_eq!(found(LINUX, 1290, "nginx"), same("nginx: worker process"));
        let unclear = Found::Unclear {
            name: "/tmp/.x/miner --pool 5260".into(),
        };
        assert_eq!(found(LINUX, 4021, "sshd"), Ok(unclear));
    }

    #[test]
    fn other_tables_with_the_same_headings_are_read_too() {
        let table = "PID\tName\tPath\n5260\tstealer.exe\tC:\\x\n77\tok.exe\tC:\\y\n";
        assert_eq!(found(table, 5260, "stealer.exe"), same("stealer.exe"));
        assert_eq!(found(table, 78, "stealer.exe"), Ok(Found::Nothing));
        let mac =
            "  PID TTY           TIME CMD\n  412 ??         0:01.22 /usr/libexec/trustd --agent\n";
        assert_eq!(
            found(mac, 412, "trustd"),
            same("/usr/libexec/trustd --agent")
        );
    }

    #[test]
    fn a_zombie_is_gone() {
        let table = "PID COMMAND\n1 init\n9 miner <defunct>\n";
        assert_eq!(found(table, 9, "miner"), Ok(Found::Nothing));
    }

    #[test]
    fn what_is_no_table_is_never_acted_on() {
        for nonsense in [
            "",
            "Access is denied.",
            "Name Id\n",
            "PID COMMAND\nnot a number here\n",
            "\u{0}\u{1}\u{2}",
        ] {
            assert_eq!(
                found(nonsense, 5260, "stealer"),
                Err(Kind::ReplyUnreadable),
                "{nonsense:?}"
            );
        }
    }
}
