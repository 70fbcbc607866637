//! What a person sees of a run: one line per stage, the output of those that failed, the count.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::tally::Tally;

/// How a stage ended.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) tally: Tally,
    /// A few words behind the duration.
    pub(crate) note: String,
    /// Shown only if something failed.
    pub(crate) output: String,
}

impl Verdict {
    /// One check that passed or failed, with what it printed.
    pub(crate) fn of(succeeded: bool, output: String) -> Self {
        Self {
            tally: Tally::of(succeeded),
            note: String::new(),
            output,
        }
    }

    /// The same with a few words.
    pub(crate) fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// A run in progress.
pub(crate) struct Report<W> {
    out: W,
    tally: Tally,
    failed: Vec<&'static str>,
}

impl<W: Write> Report<W> {
    pub(crate) const fn new(out: W) -> Self {
        Self {
            out,
            tally: Tally {
                passed: 0,
                failed: 0,
            },
            failed: Vec::new(),
        }
    }

    /// Runs one stage and says how it went. A stage that cannot run has failed. Answers whether it
    /// passed.
    pub(crate) fn stage(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> Result<Verdict>,
    ) -> Result<bool> {
        write!(self.out, "{name:<18}")?;
        self.out.flush()?;
        let started = now();
        let verdict = run().unwrap_or_else(|error| Verdict::of(false, format!("{error:#}\n")));
        let seconds = seconds(started.elapsed());
        let passed = verdict.tally.failed == 0;
        let word = if passed { "ok" } else { "FAILED" };
        let line = format!("{word:<6} {seconds:>7} s  {}", verdict.note);
        writeln!(self.out, "{}", line.trim_end())?;
        if !passed {
            self.failed.push(name);
            for line in verdict.output.lines() {
                writeln!(self.out, "  | {line}")?;
            }
        }
        self.out.flush()?;
        self.tally += verdict.tally;
        Ok(passed)
    }

    /// Ends the run with its count. Answers whether everything passed.
    pub(crate) fn finish(mut self) -> Result<bool> {
        writeln!(self.out)?;
        if !self.failed.is_empty() {
            let failed = self.failed.join(", ");
            writeln!(self.out, "failed: {failed} (whole output in target/xtask/)")?;
        }
        let Tally { passed, failed } = self.tally;
        writeln!(self.out, "{passed} passed, {failed} failed")?;
        self.out.flush()?;
        Ok(failed == 0)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "people want to know how long a stage really took"
)]
fn now() -> Instant {
    Instant::now()
}

fn seconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn shown(run: impl FnOnce(&mut Report<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        run(&mut report);
        report.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_last_line_is_the_count_and_nothing_else() {
        let text = shown(|report| {
            let quiet = Verdict::of(true, "not shown".to_owned());
            report.stage("one", || Ok(quiet)).unwrap();
            let tally = Tally {
                passed: 40,
                failed: 2,
            };
            let output = "shown\nas well\n".to_owned();
            let note = String::new();
            let verdict = Verdict {
                tally,
                note,
                output,
            };
            assert!(!report.stage("two", || Ok(verdict)).unwrap());
        });
        assert_eq!(text.lines().last(), Some("41 passed, 2 failed"));
        assert!(text.contains("\n  | shown\n  | as well\n"), "{text}");
        assert!(!text.contains("not shown"), "{text}");
        assert!(text.contains("failed: two"), "{text}");
    }

    #[test]
    fn a_stage_that_cannot_run_has_failed_and_says_why() {
        let text = shown(|report| {
            let outcome = report.stage("clippy", || Err(anyhow!("clippy is not installed")));
            assert!(!outcome.unwrap());
        });
        assert!(text.contains("  | clippy is not installed\n"), "{text}");
        assert_eq!(text.lines().last(), Some("0 passed, 1 failed"));
    }
}
