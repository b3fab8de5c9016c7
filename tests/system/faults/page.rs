//! `docs/faults.md` and the tests say the same.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use vaultstream_rig::lines;

/// The page.
const PAGE: &str = include_str!("../../../docs/faults.md");
/// Sources whose every test is a line of the page.
const OURS: [&str; 5] = [
    include_str!("boundaries.rs"),
    include_str!("chain.rs"),
    include_str!("clocks.rs"),
    include_str!("disk.rs"),
    include_str!("embedded.rs"),
];
/// Sources of tests that lines name, and that prove other things besides.
const OTHERS: [&str; 3] = [
    include_str!("../cluster.rs"),
    include_str!("../rolling.rs"),
    include_str!("../quarantine.rs"),
];
/// Tests that only run lines.
const RUNNERS: [&str; 2] = ["embedded_links", "embedded_clocks"];
/// What a line says besides its tests: the loss, what works, what waits, what the user sees, what the operator does.
const CELLS: usize = 5;

fn lines_that_are_run() -> impl Iterator<Item = String> {
    let all = [
        super::clocks::LINES,
        super::embedded::LINES,
        super::engines::LINES,
        super::links::LINES,
        super::roles::LINES,
    ];
    all.into_iter().flatten().map(|name| (*name).to_owned())
}

#[test]
fn every_line_should_be_a_test_and_every_test_a_line() -> Result<()> {
    let page = lines::of(PAGE);
    let named: BTreeSet<String> = page.iter().flat_map(|line| line.tests.clone()).collect();
    let ours: BTreeSet<String> = OURS
        .into_iter()
        .flat_map(lines::tests_of)
        .filter(|name| !RUNNERS.contains(&name.as_str()))
        .chain(lines_that_are_run())
        .collect();
    let others: BTreeSet<String> = OTHERS.into_iter().flat_map(lines::tests_of).collect();
    let untested: Vec<_> = named
        .iter()
        .filter(|name| !ours.contains(*name) && !others.contains(*name))
        .collect();
    ensure!(
        untested.is_empty(),
        "docs/faults.md names tests that do not exist: {untested:?}"
    );
    let unsaid: Vec<_> = ours.difference(&named).collect();
    ensure!(unsaid.is_empty(), "docs/faults.md has no line for {unsaid:?}");
    for line in &page {
        let is_whole = line.cells.len() == CELLS && line.cells.iter().all(|cell| !cell.is_empty());
        ensure!(is_whole, "a cell is missing: {line:?}");
    }
    Ok(())
}
