//! What is measured from outside: another process, its processor time and its memory.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A child that is killed when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing left to do then.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(&self.0.id().to_string())
    }

    /// Resident memory now and at its highest, in MB.
    pub(crate) fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let value = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace()
                .nth(1)
                .unwrap()
                .parse::<f64>()
                .unwrap()
                / 1024.0
        };
        (value("VmRSS:"), value("VmHWM:"))
    }
}

/// Processor time a process has used so far.
pub(crate) fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // A tick is a hundredth of a second on every Linux that runs this.
    Duration::from_millis(ticks * 10)
}
