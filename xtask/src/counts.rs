//! Counts tests from what runners print: cargo's harness, node's runner, TAP, and the plain
//! `N passed, N failed` line.
//!
//! Cargo names a target before its output (`Running …`, `Doc-tests …`), so each result line belongs to the
//! target named last. A target that was started in a run that failed and printed no result has died; it counts
//! as one failure, because a crash must never look like silence.

use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What one test target reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    pub counts: Counts,
    /// Whether any line with a count was seen.
    pub reported: bool,
}

impl Target {
    /// Whether it holds any test at all.
    pub fn says_something(&self) -> bool {
        self.counts != Counts::default()
    }
}

/// Reads a run line by line.
#[derive(Default)]
pub struct Tally {
    done: Vec<Target>,
    open: Option<Open>,
}

#[derive(Default)]
struct Open {
    name: String,
    summary: Option<Counts>,
    tap: Counts,
}

enum Seen {
    Target(String),
    Summary(Counts),
    Tap(Counts),
}

impl Tally {
    pub fn line(&mut self, line: &str) {
        match read(line) {
            Some(Seen::Target(name)) => {
                self.close();
                self.open = Some(Open {
                    name,
                    ..Open::default()
                });
            }
            Some(Seen::Summary(counts)) => *self.current().summary.get_or_insert_default() += counts,
            Some(Seen::Tap(counts)) => self.current().tap += counts,
            None => {}
        }
    }

    /// The targets in order; `success` is the run's own verdict.
    pub fn finish(mut self, success: bool) -> Vec<Target> {
        self.close();
        if !success {
            for target in self.done.iter_mut().filter(|target| !target.reported) {
                target.counts.failed = 1;
            }
            if self.done.iter().all(|target| target.counts.failed == 0) {
                let counts = Counts {
                    failed: 1,
                    ..Counts::default()
                };
                self.done.push(Target {
                    name: "the run itself".to_owned(),
                    counts,
                    reported: true,
                });
            }
        }
        self.done
    }

    fn current(&mut self) -> &mut Open {
        self.open.get_or_insert_with(|| Open {
            name: "(unnamed)".to_owned(),
            ..Open::default()
        })
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            // A runner that prints a summary has printed its TAP lines too: count one of the two.
            let reported = open.summary.is_some() || open.tap != Counts::default();
            self.done.push(Target {
                name: open.name,
                counts: open.summary.unwrap_or(open.tap),
                reported,
            });
        }
    }
}

fn read(line: &str) -> Option<Seen> {
    let trimmed = line.trim();
    if let Some(target) = target_name(trimmed) {
        return Some(Seen::Target(target));
    }
    if let Some(rest) = trimmed.strip_prefix("test result: ") {
        return cargo_result(rest).map(Seen::Summary);
    }
    node_summary(trimmed)
        .or_else(|| plain(trimmed))
        .map(Seen::Summary)
        .or_else(|| tap(line).map(Seen::Tap))
}

/// `Running unittests src/lib.rs (…/deps/vaultstream_domain-0a1b)` and `Doc-tests vaultstream_domain`.
fn target_name(line: &str) -> Option<String> {
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name} (doc)"));
    }
    let rest = line.strip_prefix("Running ")?;
    let (_, file) = rest.strip_suffix(')')?.rsplit_once('(')?;
    let stem = file.rsplit(['/', '\\']).next()?;
    let name = stem.rsplit_once('-').map_or(stem, |(name, _)| name);
    let unit = rest.starts_with("unittests ");
    Some(if unit {
        name.to_owned()
    } else {
        format!("{name} (test)")
    })
}

/// `ok. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`
fn cargo_result(rest: &str) -> Option<Counts> {
    let (_, figures) = rest.split_once(". ")?;
    let mut counts = Counts::default();
    for part in figures.split("; ") {
        match part.split_once(' ') {
            Some((number, "passed")) => counts.passed = number.parse().ok()?,
            Some((number, "failed")) => counts.failed = number.parse().ok()?,
            Some((number, "ignored")) => counts.skipped = number.parse().ok()?,
            _ => {}
        }
    }
    Some(counts)
}

/// `# pass 4` (TAP reporter) or `ℹ pass 4` (spec reporter) of node's test runner.
fn node_summary(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
    let (word, number) = rest.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "pass" => Some(Counts {
            passed: number,
            ..Counts::default()
        }),
        "fail" | "cancelled" => Some(Counts {
            failed: number,
            ..Counts::default()
        }),
        "skipped" | "todo" => Some(Counts {
            skipped: number,
            ..Counts::default()
        }),
        _ => None,
    }
}

/// `N passed, N failed`, with `, N skipped` after it or one `word:` before it.
fn plain(line: &str) -> Option<Counts> {
    let rest = match line.split_once(": ") {
        Some((word, rest)) if !word.contains(' ') => rest,
        _ => line,
    };
    let mut parts = rest.split(", ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    let skipped = match parts.next() {
        Some(part) => part.strip_suffix(" skipped")?.parse().ok()?,
        None => 0,
    };
    parts.next().is_none().then_some(Counts {
        passed,
        failed,
        skipped,
    })
}

/// `ok 1 - name` and `not ok 2 - name` at the left edge; indented lines belong to a test counted there.
fn tap(line: &str) -> Option<Counts> {
    let (rest, ok) = match line.strip_prefix("not ok ") {
        Some(rest) => (rest, false),
        None => (line.strip_prefix("ok ")?, true),
    };
    let number = rest.split(' ').next()?;
    number.parse::<u64>().ok()?;
    let upper = rest.to_ascii_uppercase();
    let counts = if upper.contains("# SKIP") || upper.contains(concat!("# TO", "DO")) {
        Counts {
            skipped: 1,
            ..Counts::default()
        }
    } else if ok {
        Counts {
            passed: 1,
            ..Counts::default()
        }
    } else {
        Counts {
            failed: 1,
            ..Counts::default()
        }
    };
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(text: &str, success: bool) -> Vec<(String, u64, u64, u64)> {
        let mut tally = Tally::default();
        text.lines().for_each(|line| tally.line(line));
        let targets = tally.finish(success);
        targets
            .into_iter()
            .map(|target| {
                (
                    target.name,
                    target.counts.passed,
                    target.counts.failed,
                    target.counts.skipped,
                )
            })
            .collect()
    }

    fn row(name: &str, passed: u64, failed: u64, skipped: u64) -> (String, u64, u64, u64) {
        (name.to_owned(), passed, failed, skipped)
    }

    #[test]
    fn cargo_run_should_be_counted_per_target() {
        let text = "   Compiling x v0.1.0\n     Running unittests src/lib.rs (t/debug/deps/vaultstream_domain-0a1b)\n\
            running 4 tests\ntest a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n     \
            Running tests/contract.rs (t/debug/deps/contract-99ff)\n\
            test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s\n   \
            Doc-tests vaultstream_domain\n\
            test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let expected = [
            row("vaultstream_domain", 3, 0, 1),
            row("contract (test)", 5, 2, 0),
            row("vaultstream_domain (doc)", 0, 0, 0),
        ];
        assert_eq!(tally(text, false), expected);
    }

    #[test]
    fn target_that_died_should_count_as_failed() {
        let text = "Running tests/a.rs (deps/a-1)\nrunning 3 tests\nRunning tests/b.rs (deps/b-2)\n\
            test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.0s";
        assert_eq!(
            tally(text, false),
            [row("a (test)", 0, 1, 0), row("b (test)", 1, 0, 0)]
        );
        assert_eq!(
            tally(text, true),
            [row("a (test)", 0, 0, 0), row("b (test)", 1, 0, 0)]
        );
    }

    #[test]
    fn failed_run_without_any_count_should_not_look_green() {
        assert_eq!(
            tally("error: could not compile", false),
            [row("the run itself", 0, 1, 0)]
        );
        assert!(tally("", true).is_empty());
    }

    #[test]
    fn node_summary_should_win_over_its_tap_lines() {
        let text = "TAP version 13\nok 1 - a\nnot ok 2 - b\n# tests 3\n# pass 1\n# fail 1\n# skipped 1";
        assert_eq!(tally(text, false), [row("(unnamed)", 1, 1, 1)]);
        assert_eq!(
            tally("ℹ pass 4\nℹ fail 0\nℹ duration_ms 12.5", true),
            [row("(unnamed)", 4, 0, 0)]
        );
    }

    #[test]
    fn tap_without_summary_should_count_top_level_lines() {
        let text = "ok 1 - a\n    ok 1 - inner\nnot ok 2 - b\nok 3 - c # SKIP no browser\nok then";
        assert_eq!(tally(text, false), [row("(unnamed)", 1, 1, 1)]);
    }

    #[test]
    fn plain_line_should_be_counted_only_alone() {
        assert_eq!(
            tally("browser: 7 passed, 0 failed, 1 skipped", true),
            [row("(unnamed)", 7, 0, 1)]
        );
        assert_eq!(tally("2 passed, 1 failed", false), [row("(unnamed)", 2, 1, 0)]);
        assert!(tally("we saw 2 passed, 1 failed", true).is_empty());
        assert!(tally("2 passed, 1 failed, 3 flaky", true).is_empty());
    }
}
