//! How many checks passed and failed, and how to learn it from what test runners leave behind.

use std::ops::AddAssign;

/// A count of checks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl Tally {
    /// A stage that is one check.
    pub(crate) const fn of(succeeded: bool) -> Self {
        Self {
            passed: succeeded as usize,
            failed: !succeeded as usize,
        }
    }

    /// The tests of a JUnit report as nextest writes it, or nothing if it is not one.
    ///
    /// The totals stand in the root element; the report is nextest's stable interface, which its
    /// terminal output is not.
    pub(crate) fn from_junit(report: &str) -> Option<Self> {
        let (_, rest) = report.split_once("<testsuites ")?;
        let (attributes, _) = rest.split_once('>')?;
        let number = |name: &str| {
            let (_, value) = attributes.split_once(&format!("{name}=\""))?;
            value.split('"').next()?.parse::<usize>().ok()
        };
        let failed = number("failures")? + number("errors")?;
        Some(Self {
            passed: number(" tests")
                .or_else(|| number("tests"))?
                .checked_sub(failed)?,
            failed,
        })
    }

    /// The tests in the output of `cargo test`: the sum over every test binary.
    pub(crate) fn from_libtest(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            // A test may print without a line end before its binary prints the result.
            let Some((_, result)) = line.split_once("test result: ") else {
                continue;
            };
            let number = |word: &str| {
                let before = result.split(&format!(" {word}")).next()?;
                before.rsplit(' ').next()?.parse::<usize>().ok()
            };
            if let (Some(passed), Some(failed)) = (number("passed;"), number("failed;")) {
                sum += Self { passed, failed };
            }
        }
        sum
    }

    /// The same count with the runner's own word for it: a run that ended badly without a failing
    /// test (it did not build, a test binary crashed) is one failure.
    pub(crate) const fn agreeing_with(self, succeeded: bool) -> Self {
        if succeeded || self.failed > 0 {
            return self;
        }
        Self {
            passed: self.passed,
            failed: 1,
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tally(passed: usize, failed: usize) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn a_junit_report_is_counted_from_its_root() {
        let report = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="12" failures="2" errors="1" uuid="9f" timestamp="t" time="0.4">
    <testsuite name="quell-model" tests="12" disabled="0" errors="1" failures="2">"#;
        assert_eq!(Tally::from_junit(report), Some(tally(9, 3)));
    }

    #[test]
    fn what_is_not_a_report_is_not_counted() {
        for report in [
            "",
            "<testsuites",
            "<testsuites tests=\"1\">",
            "error: no such file",
        ] {
            assert_eq!(Tally::from_junit(report), None, "{report}");
        }
        let more_failures_than_tests = r#"<testsuites tests="1" failures="2" errors="0">"#;
        assert_eq!(Tally::from_junit(more_failures_than_tests), None);
    }

    #[test]
    fn libtest_results_are_summed_over_binaries() {
        let output = "
running 3 tests
...
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 5 tests
..F..
failures:
    there: test result: is not a result
half a linetest result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";
        assert_eq!(Tally::from_libtest(output), tally(7, 1));
        assert_eq!(Tally::from_libtest("error: could not compile"), tally(0, 0));
    }

    #[test]
    fn a_crash_without_a_failing_test_counts_as_one_failure() {
        assert_eq!(tally(5, 0).agreeing_with(false), tally(5, 1));
        assert_eq!(tally(5, 2).agreeing_with(false), tally(5, 2));
        assert_eq!(tally(5, 0).agreeing_with(true), tally(5, 0));
    }
}
