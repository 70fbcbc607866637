//! Real time response: sessions and commands. A command completes when its delay has passed and the host is online;
//! that is worked out on reading, so no timer runs. Whatever a command did is told on stdout and stderr, never by a
//! status: `complete` says only that it ran.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::fleet::Platform;
use super::hosts::{HostRow, HostTable};

/// A session lives this long after its last use.
const IDLE_LIMIT: i64 = 600 * 1_000_000_000;

#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) aid: String,
    pub(crate) cid: String,
    pub(crate) client: Arc<str>,
    pub(crate) origin: String,
    pub(crate) created: i64,
    pub(crate) last_used: i64,
    /// Opened while the host was away, at the client's wish.
    pub(crate) queued: bool,
    pub(crate) batch: Option<String>,
    pub(crate) lines: Vec<String>,
}

/// An open session, as inspection shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Session id.
    pub id: String,
    /// Agent id of the host.
    pub aid: String,
    /// The API client that opened it.
    pub client: String,
    /// What the client called itself.
    pub origin: String,
    /// Opened before the host came online.
    pub queued: bool,
    /// Command lines sent so far.
    pub commands: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

#[derive(Debug)]
pub(crate) struct CommandRow {
    pub(crate) session: String,
    pub(crate) client: Arc<str>,
    pub(crate) aid: String,
    pub(crate) base: String,
    pub(crate) line: String,
    pub(crate) task_id: String,
    pub(crate) queued: bool,
    pub(crate) due: i64,
    pub(crate) output: Option<Output>,
}

#[derive(Debug, Default)]
pub(crate) struct Rtr {
    sessions: HashMap<String, SessionRow>,
    commands: HashMap<String, CommandRow>,
    /// Commands that have not run yet, oldest first.
    waiting: Vec<String>,
}

impl Rtr {
    /// Drops sessions nobody used for too long and runs whatever is due.
    pub(crate) fn settle(&mut self, hosts: &mut HostTable, now: i64) {
        self.sessions
            .retain(|_, session| now.saturating_sub(session.last_used) < IDLE_LIMIT);
        let commands = &mut self.commands;
        self.waiting.retain(|id| {
            let Some(command) = commands.get_mut(id) else {
                return false;
            };
            match hosts.get(&command.aid, now) {
                Some(host) if host.is_online() && now >= command.due => {
                    command.output = Some(run(host, &command.base, &command.line));
                    false
                }
                Some(_) => true,
                None => false,
            }
        });
    }

    /// A host came online: what waited for it takes its usual time from now.
    pub(crate) fn wake(&mut self, aid: &str, now: i64, delay: i64) {
        for id in &self.waiting {
            if let Some(command) = self
                .commands
                .get_mut(id)
                .filter(|command| command.aid == aid)
            {
                command.due = now.saturating_add(delay);
            }
        }
    }

    pub(crate) fn open(&mut self, session: SessionRow) {
        self.sessions.insert(session.id.clone(), session);
    }

    /// The client's own session, marked as used.
    pub(crate) fn touch(&mut self, id: &str, client: &str, now: i64) -> Option<&mut SessionRow> {
        let session = self
            .sessions
            .get_mut(id)
            .filter(|session| *session.client == *client)?;
        session.last_used = now;
        Some(session)
    }

    /// The client's session on a host, if it has one.
    pub(crate) fn on_host(&mut self, aid: &str, client: &str) -> Option<&mut SessionRow> {
        self.sessions.values_mut().find(|session| {
            session.aid == aid && *session.client == *client && session.batch.is_none()
        })
    }

    pub(crate) fn count_on_host(&self, aid: &str) -> usize {
        self.sessions
            .values()
            .filter(|session| session.aid == aid)
            .count()
    }

    pub(crate) fn close(&mut self, id: &str, client: &str) -> bool {
        let own = self
            .sessions
            .get(id)
            .is_some_and(|session| *session.client == *client);
        own && self.sessions.remove(id).is_some()
    }

    pub(crate) fn of_client(&self, client: &str) -> Vec<&SessionRow> {
        let mut sessions: Vec<_> = self
            .sessions
            .values()
            .filter(|session| *session.client == *client)
            .collect();
        sessions.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        sessions
    }

    pub(crate) fn of_batch(&self, batch: &str, client: &str) -> Vec<SessionRow> {
        let own = self.of_client(client).into_iter();
        own.filter(|session| session.batch.as_deref() == Some(batch))
            .cloned()
            .collect()
    }

    pub(crate) fn send(&mut self, id: String, command: CommandRow) {
        self.waiting.push(id.clone());
        self.commands.insert(id, command);
    }

    pub(crate) fn command(&self, id: &str, client: &str) -> Option<&CommandRow> {
        self.commands
            .get(id)
            .filter(|command| *command.client == *client)
    }

    pub(crate) fn all(&self) -> Vec<Session> {
        let mut rows: Vec<_> = self.sessions.values().collect();
        rows.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        rows.into_iter()
            .map(|row| Session {
                id: row.id.clone(),
                aid: row.aid.clone(),
                client: row.client.to_string(),
                origin: row.origin.clone(),
                queued: row.queued,
                commands: row.lines.clone(),
            })
            .collect()
    }
}

/// Commands that change nothing on the host: what a client with read rights may send.
pub(crate) const READ_ONLY: [&str; 7] = ["ps", "ls", "pwd", "cd", "ipconfig", "ifconfig", "help"];

/// Commands that need the active responder endpoint.
pub(crate) const ACTIVE: [&str; 1] = ["kill"];

fn run(host: &mut HostRow, base: &str, line: &str) -> Output {
    let said = |stdout: String| Output {
        stdout,
        stderr: String::new(),
    };
    match base {
        "kill" => kill(host, line),
        "ps" => said(list_processes(host)),
        "pwd" | "cd" => said(working_directory(host.spec.platform).to_owned()),
        "ls" => said("Directory listing for the working directory: 0 entries\n".into()),
        "ipconfig" | "ifconfig" => said(format!(
            "Primary adapter\n   IPv4 address: {}\n",
            host.spec.local_ip
        )),
        _ => said(format!("Commands here: {}\n", READ_ONLY.join(", "))),
    }
}

pub(crate) fn working_directory(platform: Platform) -> &'static str {
    if platform == Platform::Windows {
        "C:\\"
    } else {
        "/"
    }
}

fn kill(host: &mut HostRow, line: &str) -> Output {
    let failed = |stderr: String| Output {
        stdout: String::new(),
        stderr,
    };
    host.calls.kill_received += 1;
    let argument = line.split_whitespace().nth(1).unwrap_or_default();
    let Ok(pid) = argument.parse::<u32>() else {
        return failed(format!(
            "The value \"{argument}\" is not a process identifier."
        ));
    };
    match host
        .spec
        .processes
        .iter()
        .position(|process| process.pid == pid)
    {
        None => failed(format!(
            "Cannot find a process with the process identifier {pid}."
        )),
        Some(place) => match host
            .spec
            .processes
            .get(place)
            .and_then(|process| process.refuses_kill.clone())
        {
            Some(refusal) => failed(refusal),
            None => {
                host.spec.processes.remove(place);
                host.calls.kill_applied += 1;
                Output::default()
            }
        },
    }
}

/// A table with a heading, a rule and one row a process, as the vendor's shell prints on each platform.
fn list_processes(host: &HostRow) -> String {
    let mut text = String::new();
    let windows = host.spec.platform == Platform::Windows;
    let heading = if windows {
        format!(
            "{:<32} {:>8}  {:<22} {}\n{:-<32} {:->8}  {:-<22} {:-<4}\n",
            "Name", "Id", "Start Time (UTC)", "Path", "", "", "", ""
        )
    } else {
        format!("{:<12} {:>8} {:>8}  {}\n", "USER", "PID", "PPID", "COMMAND")
    };
    text.push_str(&heading);
    for process in &host.spec.processes {
        // Writing to a String cannot fail.
        if windows {
            let started = host
                .started(process)
                .to_zoned(TimeZone::UTC)
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string();
            let name = process.image.strip_suffix(".exe").unwrap_or(&process.image);
            writeln!(
                text,
                "{name:<32} {:>8}  {started:<22} {}",
                process.pid, process.path
            )
            .ok();
        } else {
            writeln!(
                text,
                "{:<12} {:>8} {:>8}  {}",
                process.user, process.pid, process.parent_pid, process.command_line
            )
            .ok();
        }
    }
    text
}

/// Splits long output into the chunks that `sequence_id` counts, never inside a character.
pub(crate) fn chunk(text: &str, sequence: usize, size: usize) -> &str {
    let mut rest = text;
    for number in 0.. {
        let cut = if rest.len() <= size {
            rest.len()
        } else {
            (1..=size)
                .rev()
                .find(|at| rest.is_char_boundary(*at))
                .unwrap_or(rest.len())
        };
        let (head, tail) = rest.split_at(cut);
        if number == sequence {
            return head;
        }
        if tail.is_empty() {
            return "";
        }
        rest = tail;
    }
    ""
}
