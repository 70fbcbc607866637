//! Running the built program.

#![expect(dead_code, reason = "each test binary uses what it needs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quell"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for name in ["QUELL_URL", "QUELL_TOKEN", "CLICOLOR_FORCE", "FORCE_COLOR"] {
        command.env_remove(name);
    }
    command
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs it to the end.
pub(crate) fn quell(arguments: &[&str]) -> Ran {
    ended(command(arguments).spawn().unwrap())
}

/// Runs it to the end in an environment.
pub(crate) fn quell_with(environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    command.envs(environment.iter().copied());
    ended(command.spawn().unwrap())
}

/// Runs it to the end with this on standard input.
pub(crate) fn quell_reading(arguments: &[&str], input: &str) -> Ran {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A refusal may come before all of it was read.
    let writer = std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())));
    let ran = ended(child);
    writer.join().unwrap();
    ran
}

/// A run that goes on; ended when dropped.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<Box<dyn Read + Send>>,
    seen: String,
}

impl Running {
    /// Starts it and follows its standard output.
    pub(crate) fn talking(arguments: &[&str]) -> Self {
        let mut child = command(arguments).stderr(Stdio::inherit()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        Self {
            child,
            lines: BufReader::new(Box::new(out)),
            seen: String::new(),
        }
    }

    /// Starts it in an environment and follows its log.
    pub(crate) fn logging(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = command(arguments);
        let mut child = command
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = child.stderr.take().unwrap();
        Self {
            child,
            lines: BufReader::new(Box::new(log)),
            seen: String::new(),
        }
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub(crate) fn line(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                panic!("it ended before it said `{text}`:\n{}", self.seen);
            }
            self.seen.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Sends a signal and waits for the end; says the exit code and everything it said.
    pub(crate) fn stop(mut self, signal: &str) -> (i32, String) {
        self.signal(signal);
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, format!("{}{rest}", self.seen))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A folder that is gone when the test is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("quell-test-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file and says its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
