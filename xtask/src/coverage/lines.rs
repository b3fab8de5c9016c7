//! Lines of the product that ran and that did not, by crate, from an lcov export.
//!
//! Lines of tests do not count: files of tests, and modules behind `#[cfg(test)]` in any file.

use crate::lint::test_lines;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

/// Crates that are not the product, or run where nothing is counted.
const NOT_COUNTED: &[&str] = &["tests/", "xtask/", "dashboard-web/"];

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    run: u64,
    all: u64,
}

impl Count {
    fn percent(self) -> f64 {
        #[expect(
            clippy::float_arithmetic,
            clippy::cast_precision_loss,
            reason = "a share for people to read"
        )]
        let percent = if self.all == 0 {
            100.0
        } else {
            self.run as f64 * 100.0 / self.all as f64
        };
        percent
    }
}

/// What ran, by crate.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary(BTreeMap<String, Count>);

impl Summary {
    /// Reads an export about files under `root`.
    pub fn read(root: &Path, lcov: &str) -> Result<Self> {
        let mut ran: BTreeMap<&str, BTreeMap<usize, bool>> = BTreeMap::new();
        let mut file = None;
        for line in lcov.lines() {
            if let Some(path) = line.strip_prefix("SF:") {
                file = Path::new(path).strip_prefix(root).ok().and_then(Path::to_str);
            } else if let (Some(file), Some(data)) = (file, line.strip_prefix("DA:")) {
                let (number, count) = read(data).with_context(|| format!("{line} is no line of lcov"))?;
                let lines = ran.entry(file).or_default();
                *lines.entry(number).or_default() |= count > 0;
            }
        }
        let mut summary = Self::default();
        for (file, lines) in ran.into_iter().filter(|(file, _)| is_product(file)) {
            let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
            let tests = test_lines(&text).with_context(|| format!("cannot parse {file}"))?;
            let count = summary.0.entry(crate_of(file)).or_default();
            for (number, has_run) in lines {
                if tests.iter().all(|test| !test.contains(&number)) {
                    count.all += 1;
                    count.run += u64::from(has_run);
                }
            }
        }
        Ok(summary)
    }

    /// Of a hundred lines of all crates, how many ran.
    pub fn percent(&self) -> f64 {
        self.total().percent()
    }

    /// Whether so many of a hundred lines ran, in whole numbers; an export that counts no line reaches nothing.
    pub fn reaches(&self, percent_min: u64) -> bool {
        let Count { run, all } = self.total();
        all > 0 && run * 100 >= all * percent_min
    }

    fn total(&self) -> Count {
        self.0.values().fold(Count::default(), |sum, count| Count {
            run: sum.run + count.run,
            all: sum.all + count.all,
        })
    }
}

/// A line's number and how often it ran; what may follow is a checksum.
fn read(data: &str) -> Option<(usize, u64)> {
    let mut parts = data.split(',');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn is_product(file: &str) -> bool {
    let is_test = file.contains("/tests/")
        || file.ends_with("/tests.rs")
        || file.contains("/rig/")
        || file.ends_with("/rig.rs");
    !is_test && !NOT_COUNTED.iter().any(|dir| file.starts_with(dir)) && file.ends_with(".rs")
}

/// What stands before `src/`: the binary itself where nothing does.
fn crate_of(file: &str) -> String {
    match file.split_once("/src/") {
        Some((dir, _)) => dir.to_owned(),
        None => "vaultstream".to_owned(),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<28} {:>8} {:>8} {:>7}", "crate", "lines", "run", "%")?;
        let total = [("together", self.total())];
        let crates = self.0.iter().map(|(name, count)| (name.as_str(), *count));
        for (name, count) in crates.chain(total) {
            writeln!(
                f,
                "{name:<28} {:>8} {:>8} {:>7.1}",
                count.all,
                count.run,
                count.percent()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(counts: &[(&str, u64, u64)]) -> Summary {
        let counts = counts.iter();
        Summary(
            counts
                .map(|(name, run, all)| ((*name).to_owned(), Count { run: *run, all: *all }))
                .collect(),
        )
    }

    #[test]
    fn gate_should_take_just_enough_of_all_crates_together() {
        let of = |run, all| summary(&[("kernel", run, all), ("gateway", 0, 20), ("domain", 20, 20)]);
        assert!(of(60, 60).reaches(80), "80 of 100 are enough");
        assert!(!of(59, 60).reaches(80), "79 of 100 are not");
        assert!(
            !of(7_979, 9_960).reaches(80),
            "79.99 % are not, however they are rounded"
        );
        assert!(of(60, 60).reaches(0) && !of(60, 60).reaches(81));
        assert!(
            !summary(&[]).reaches(80),
            "an export without a line is no good run"
        );
        assert!(!summary(&[("kernel", 0, 0)]).reaches(0));
    }

    #[test]
    fn table_should_name_crates_in_order_and_their_sum_last() {
        let text = summary(&[("infra/sqlite", 3, 4), ("client", 0, 1)]).to_string();
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<_> = text.lines().map(words).collect();
        assert_eq!(rows[0], ["crate", "lines", "run", "%"]);
        assert_eq!(rows[1], ["client", "1", "0", "0.0"]);
        assert_eq!(rows[2], ["infra/sqlite", "4", "3", "75.0"]);
        assert_eq!(rows[3], ["together", "5", "3", "60.0"]);
        assert_eq!(rows.len(), 4);
    }

    #[test]
    fn export_should_be_read_line_by_line_or_refused_with_the_line() {
        assert_eq!(read("12,3"), Some((12, 3)));
        assert_eq!(read("12,0,c0ffee"), Some((12, 0)), "a checksum is no count");
        for nonsense in ["", "12", "x,3", "12,x", "-1,3"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        let root = tempfile::tempdir().expect("a directory");
        let lcov = format!("SF:{}/src/main.rs\nDA:1\n", root.path().display());
        let error = Summary::read(root.path(), &lcov).expect_err("no count");
        assert!(error.to_string().contains("DA:1 is no line"), "{error}");
        let gone = format!("SF:{}/src/main.rs\nDA:1,1\n", root.path().display());
        let error = Summary::read(root.path(), &gone).expect_err("no such file");
        assert!(error.to_string().contains("cannot read src/main.rs"), "{error}");
        // Lines of files elsewhere are not looked at.
        let elsewhere = "SF:/elsewhere/src/lib.rs\nDA:nonsense\n";
        assert_eq!(
            Summary::read(root.path(), elsewhere).expect("read"),
            Summary::default()
        );
    }

    #[test]
    fn product_should_be_told_from_tests_and_from_what_runs_elsewhere() {
        for file in [
            "src/main.rs",
            "kernel/src/relay/rounds.rs",
            "infra/sqlite/src/log.rs",
        ] {
            assert!(is_product(file), "{file}");
        }
        for file in [
            "tests/system/main.rs",
            "tests/sim/src/run.rs",
            "xtask/src/main.rs",
            "dashboard-web/src/app.rs",
            "kernel/tests/kernel/main.rs",
            "domain/src/transfer/tests.rs",
            "query-api/src/rig/rows.rs",
            "query-api/src/rig.rs",
            "kernel/src/golden.json",
        ] {
            assert!(!is_product(file), "{file}");
        }
        assert_eq!(crate_of("infra/chains/evm/src/node.rs"), "infra/chains/evm");
        assert_eq!(crate_of("src/serve.rs"), "vaultstream");
    }

    #[test]
    fn lines_of_the_product_should_count_once_and_tests_never() {
        let root = tempfile::tempdir().expect("a directory");
        let put = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            fs::write(file, text).expect("written");
        };
        put(
            "kernel/src/a.rs",
            "fn a() {}\nfn b() {}\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n",
        );
        put("src/main.rs", "fn main() {}\n");
        let at = |file: &str| root.path().join(file).display().to_string();
        let lcov = format!(
            "SF:{0}\nDA:1,0\nDA:2,0\nDA:5,9\nend_of_record\nSF:{0}\nDA:1,3\nend_of_record\nSF:{1}\nDA:1,1\nend_of_record\n\
             SF:/elsewhere/src/lib.rs\nDA:1,0\nend_of_record\nSF:{2}\nDA:1,0\nend_of_record\n",
            at("kernel/src/a.rs"),
            at("src/main.rs"),
            at("kernel/tests/kernel/main.rs"),
        );
        let summary = Summary::read(root.path(), &lcov).expect("read");
        let of = |name: &str| summary.0[name];
        assert_eq!(of("kernel"), Count { run: 1, all: 2 });
        assert_eq!(of("vaultstream"), Count { run: 1, all: 1 });
        assert_eq!(summary.total(), Count { run: 2, all: 3 });
        assert!(summary.to_string().contains("together"));
    }
}
