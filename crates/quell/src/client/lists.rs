//! `quell lists`: what must not be touched, put on lists and taken off while the server runs.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use quell_connector::SystemClock;
use quell_connector::http::Url;
use quell_model::entity::{IndicatorKind, NetworkIndicator};
use quell_model::{ActionType, Clock, ConnectionId, ListEntryId};
use quell_policy::Source;
use quell_policy::lists::{Entry, Strength, Subject, csv, shared, special};
use quell_server::api::{
    ListAddReply, ListAddRequest, ListChangeKind, ListChangeView, ListEntryView, ListRemoveRequest,
    NewListEntry, Page,
};

use super::{Client, Where, wait};
use crate::failure::{Failure, Result, why};
use crate::output::{self, BAD, Columns, Format, GOOD, PLAIN, QUIET, STRONG, WAITS, styled};

/// Entries in one request of an export.
const PAGE: u32 = 1000;

/// Protection lists: what must not be touched, or only after a yes, or alone may be touched. Without a
/// command, lists the entries in force.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

/// Which entries to list.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    server: Where,
    /// Only of this source: `person`, `quell`, or the connection whose job fills the list.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only about this.
    #[arg(long, value_name = "SUBJECT", value_parser = subjects())]
    subject: Option<String>,
    /// Only of this strength.
    #[arg(long, value_name = "STRENGTH", value_parser = strengths())]
    strength: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// What can be done with lists.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Puts an entry on a list. It counts from then on, also for what waits already.
    Add {
        #[command(flatten)]
        server: Where,
        /// What it is about.
        #[arg(value_name = "SUBJECT", value_parser = subjects())]
        subject: String,
        /// Which ones: `fin-042`, `mri-*`, `192.0.2.0/24`, a hash.
        #[arg(value_name = "VALUE")]
        value: String,
        /// Never through Quell, never by itself, or on the allow list.
        #[arg(long, value_name = "STRENGTH", value_parser = strengths())]
        strength: String,
        /// Why, one line, for whoever finds it in the way.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Only for this action type; may be given several times. Without it: for all of them.
        #[arg(long, value_name = "ACTION", value_parser = actions())]
        action: Vec<String>,
        /// Only through this connection.
        #[arg(long, value_name = "CONNECTION")]
        connection: Option<ConnectionId>,
        /// The moment it stops counting (`2027-01-01T00:00:00Z`). Without it: never.
        #[arg(long, value_name = "MOMENT")]
        expires: Option<Timestamp>,
    },
    /// Takes an entry off its list.
    Remove {
        #[command(flatten)]
        server: Where,
        /// The entry's id, as `quell lists` shows it.
        #[arg(value_name = "ID")]
        id: ListEntryId,
        /// Why, one line; it is kept in the record under your name.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Puts all entries of a CSV file on lists, or none. What is there already is not added again.
    ///
    /// The columns are those of `lists/*.csv` in a policy folder. Author and source are not taken from
    /// the file: the entries are yours.
    Import {
        #[command(flatten)]
        server: Where,
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Writes what people put on lists as CSV.
    Export {
        #[command(flatten)]
        server: Where,
        /// The file to write instead of standard output.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Says which entries something is on.
    Check {
        #[command(flatten)]
        server: Where,
        /// A host's name or id, a hash, an account, a domain, an address, a label.
        #[arg(value_name = "TARGET")]
        target: String,
    },
    /// Says who put what on a list and who took it off, newest first.
    History {
        #[command(flatten)]
        server: Where,
        /// Only what happened to this entry.
        #[arg(long, value_name = "ID")]
        entry: Option<ListEntryId>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
}

fn subjects() -> PossibleValuesParser {
    PossibleValuesParser::new(Subject::ALL.iter().map(|subject| subject.as_str()))
}

fn strengths() -> PossibleValuesParser {
    PossibleValuesParser::new(Strength::ALL.iter().map(|strength| strength.as_str()))
}

fn actions() -> PossibleValuesParser {
    PossibleValuesParser::new(ActionType::ALL.iter().map(|action| action.as_str()))
}

/// Runs the command.
///
/// # Errors
/// When the server cannot be asked, or refuses.
pub fn run(arguments: &Arguments, format: Format) -> Result<()> {
    match &arguments.command {
        None => list(&arguments.list, format),
        Some(Command::Add {
            server,
            subject,
            value,
            strength,
            reason,
            action,
            connection,
            expires,
        }) => {
            let unknown = || Failure::bad_input("that is no subject or strength");
            let entry = NewListEntry {
                subject: among(Subject::ALL, Subject::as_str, subject).ok_or_else(unknown)?,
                value: value.clone(),
                strength: among(Strength::ALL, Strength::as_str, strength).ok_or_else(unknown)?,
                actions: action.iter().filter_map(|n| ActionType::named(n)).collect(),
                connection: connection.clone(),
                reason: reason.clone(),
                expires: *expires,
            };
            add(server, vec![entry], format)
        }
        Some(Command::Remove { server, id, reason }) => remove(server, *id, reason, format),
        Some(Command::Import { server, file }) => add(server, read(file)?, format),
        Some(Command::Export { server, file }) => export(server, file.as_deref(), format),
        Some(Command::Check { server, target }) => check(server, target, format),
        Some(Command::History {
            server,
            entry,
            limit,
        }) => history(server, *entry, *limit, format),
    }
}

fn among<T: Copy>(all: &[T], name: fn(T) -> &'static str, wanted: &str) -> Option<T> {
    all.iter().copied().find(|one| name(*one) == wanted)
}

fn list(wanted: &List, format: Format) -> Result<()> {
    let client = wanted.server.client()?;
    let limit = wanted.limit.to_string();
    let filters = [
        ("source", wanted.source.as_deref()),
        ("subject", wanted.subject.as_deref()),
        ("strength", wanted.strength.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let page: Page<ListEntryView> = wait(client.get(&asking("/api/v1/lists", &filters)?))?;
    if format == Format::Json {
        return output::json(&page);
    }
    let mut text = table(&page.items, "Nothing is on any list.\n");
    if page.next.is_some() {
        text.push_str("\nThere are more; --limit and the filters show others.\n");
    }
    output::say(&text);
    Ok(())
}

fn add(server: &Where, entries: Vec<NewListEntry>, format: Format) -> Result<()> {
    let client = server.client()?;
    let order = ListAddRequest { entries };
    let reply: ListAddReply = wait(client.post("/api/v1/lists", &order))?;
    if format == Format::Json {
        return output::json(&reply);
    }
    let known = match reply.known {
        0 => String::new(),
        known => format!(" There already: {known}."),
    };
    let id = match reply.ids.as_slice() {
        [only] => format!(" {}", styled(QUIET, &only.to_string())),
        _ => String::new(),
    };
    let added = match reply.added {
        1 => "1 entry".to_owned(),
        added => format!("{added} entries"),
    };
    output::say(&format!(
        "{} {added}.{known}{id}\n",
        styled(GOOD, "On the lists:")
    ));
    Ok(())
}

fn remove(server: &Where, id: ListEntryId, reason: &str, format: Format) -> Result<()> {
    let client = server.client()?;
    let order = ListRemoveRequest {
        reason: reason.to_owned(),
    };
    let path = format!("/api/v1/lists/{id}");
    let removed: ListEntryView = wait(client.delete(&path, &order))?;
    if format == Format::Json {
        return output::json(&removed);
    }
    let entry = &removed.entry;
    output::say(&format!(
        "{} {} {}, which was {}.\n",
        styled(WAITS, "Taken off:"),
        entry.subject.as_str(),
        entry.value,
        entry.strength.as_str()
    ));
    Ok(())
}

/// The entries of a file, as somebody would add them.
fn read(path: &Path) -> Result<Vec<NewListEntry>> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::bad_input(format!("`{name}` cannot be read: {}", why(&error))))?;
    let source = Source {
        name: &name,
        text: &text,
    };
    let entries = csv::read(&source, "import", SystemClock.now())?;
    if entries.is_empty() {
        return Err(Failure::bad_input(format!("`{name}` has no entries")));
    }
    let new = |entry: Entry| {
        let entry = quell_policy::lists::Draft::from(entry);
        NewListEntry {
            subject: entry.subject,
            value: entry.value,
            strength: entry.strength,
            actions: entry.actions,
            connection: entry.connection,
            reason: entry.reason,
            expires: entry.expires,
        }
    };
    Ok(entries.into_iter().map(new).collect())
}

fn export(server: &Where, file: Option<&Path>, format: Format) -> Result<()> {
    let client = server.client()?;
    let entries = wait(all(&client, &[("source", Some("person"))]))?;
    if format == Format::Json {
        return output::json(&entries);
    }
    let checked = entries
        .into_iter()
        .map(|view| Entry::new(view.entry))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|problems| {
            Failure::failed("the server keeps an entry this program does not know")
                .because(&problems)
        })?;
    let text = csv::write(&checked);
    let Some(file) = file else {
        output::say(&text);
        return Ok(());
    };
    std::fs::write(file, text).map_err(|error| {
        let name = file.display();
        Failure::failed(format!("`{name}` cannot be written: {}", why(&error)))
    })
}

fn check(server: &Where, target: &str, format: Format) -> Result<()> {
    let client = server.client()?;
    let entries = wait(all(&client, &[("matching", Some(target))]))?;
    if format == Format::Json {
        return output::json(&entries);
    }
    output::say(&table(&entries, "It is on no list.\n"));
    if let Some(words) = without_entry(target) {
        output::say(&format!("{words}\n"));
    }
    Ok(())
}

/// What holds for a block of a destination without any entry.
fn without_entry(target: &str) -> Option<String> {
    // A name without a dot is a machine's here.
    if !target.contains(['.', ':']) {
        return None;
    }
    let kind = match target.contains("://") {
        true => IndicatorKind::Url,
        false => IndicatorKind::Domain,
    };
    let value = target.to_owned();
    let indicator = NetworkIndicator { kind, value };
    let never = special(&indicator).map(|why| format!("It is never blocked. {why}"));
    never.or_else(|| shared(&indicator).map(|why| format!("A block of it asks first. {why}")))
}

fn history(server: &Where, entry: Option<ListEntryId>, limit: u32, format: Format) -> Result<()> {
    let client = server.client()?;
    let (entry, limit) = (entry.map(|id| id.to_string()), limit.to_string());
    let filters = [("entry", entry.as_deref()), ("limit", Some(limit.as_str()))];
    let path = asking("/api/v1/lists/history", &filters)?;
    let page: Page<ListChangeView> = wait(client.get(&path))?;
    if format == Format::Json {
        return output::json(&page);
    }
    if page.items.is_empty() {
        output::say("Nobody has changed a list yet.\n");
        return Ok(());
    }
    let mut columns = Columns::limited(&[16, 9, 24, 8, 14, 32]);
    columns.head([
        "WHEN", "CHANGE", "BY", "STRENGTH", "SUBJECT", "VALUE", "REASON",
    ]);
    for change in page.items {
        let (style, word) = match change.change {
            ListChangeKind::Added => (GOOD, "added"),
            ListChangeKind::Removed => (WAITS, "removed"),
            ListChangeKind::Expired => (QUIET, "expired"),
        };
        let entry = change.entry;
        let reason = match change.reason.is_empty() {
            true => entry.reason,
            false => change.reason,
        };
        columns.row([
            (QUIET, super::actions::moment(change.at)),
            (style, word.to_owned()),
            (PLAIN, change.by),
            (strength(entry.strength), entry.strength.as_str().to_owned()),
            (PLAIN, entry.subject.as_str().to_owned()),
            (PLAIN, entry.value),
            (PLAIN, reason),
        ]);
    }
    output::say(&columns.lines(""));
    Ok(())
}

/// All entries that pass the filters, page by page.
async fn all(client: &Client, filters: &[(&str, Option<&str>)]) -> Result<Vec<ListEntryView>> {
    let mut entries = Vec::new();
    let (mut before, limit) = (None::<String>, PAGE.to_string());
    loop {
        let mut asked = filters.to_vec();
        asked.extend([
            ("limit", Some(limit.as_str())),
            ("before", before.as_deref()),
        ]);
        let page: Page<ListEntryView> = client.get(&asking("/api/v1/lists", &asked)?).await?;
        entries.extend(page.items);
        before = page.next;
        if before.is_none() {
            return Ok(entries);
        }
    }
}

/// A path with what is asked for, whatever characters that has.
fn asking(path: &str, parameters: &[(&str, Option<&str>)]) -> Result<String> {
    let unusable = |_| Failure::bad_input(format!("`{path}` is not a path of the API"));
    let mut url = Url::parse("http://quell.invalid")
        .and_then(|base| base.join(path))
        .map_err(unusable)?;
    let given = parameters
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)));
    url.query_pairs_mut().extend_pairs(given);
    Ok(format!(
        "{}?{}",
        url.path(),
        url.query().unwrap_or_default()
    ))
}

fn table(entries: &[ListEntryView], none: &str) -> String {
    if entries.is_empty() {
        return none.to_owned();
    }
    let mut text = String::new();
    for view in entries {
        let entry = &view.entry;
        let actions = entry.actions.iter().map(|action| action.as_str());
        let through = entry.connection.iter().map(ConnectionId::as_str);
        let limits: Vec<&str> = actions.chain(through).collect();
        let limits = match limits.is_empty() {
            true => String::new(),
            false => format!("  (only {})", limits.join(", ")),
        };
        // An entry is read for its reason: it gets a line of its own rather than a narrow column.
        text.push_str(&format!(
            "{}  {} {}{}\n",
            styled(
                strength(entry.strength),
                &format!("{:<5}", entry.strength.as_str())
            ),
            entry.subject.as_str(),
            styled(STRONG, &entry.value),
            styled(QUIET, &limits)
        ));
        let id = view.id.map(|id| format!(" {id}")).unwrap_or_default();
        let words = format!("{} By {}.{id}", sentence(&entry.reason), entry.author);
        text.push_str(&styled(
            QUIET,
            output::wrapped(&words, "       ").trim_end(),
        ));
        text.push('\n');
    }
    text
}

/// The text as a sentence of its own.
fn sentence(text: &str) -> String {
    match text.ends_with(['.', '!', '?']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

const fn strength(strength: Strength) -> anstyle::Style {
    match strength {
        Strength::Never => BAD,
        Strength::Ask => WAITS,
        Strength::Allow => GOOD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_cannot_become_another_question() {
        let asked = asking(
            "/api/v1/lists",
            &[("matching", Some("a&limit=1 ü#?")), ("source", None)],
        );
        assert_eq!(
            asked.unwrap(),
            "/api/v1/lists?matching=a%26limit%3D1+%C3%BC%23%3F"
        );
    }
}
