//! The table of `docs/faults.md`: one line a loss, and the names of the tests that prove it.

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The tests, by name.
    pub tests: Vec<String>,
    /// The other cells: what is lost, what still works, what waits, what the user sees, what the operator does.
    pub cells: Vec<String>,
}

/// Every line of a page's tables whose first cell names tests, each in backticks.
pub fn of(page: &str) -> Vec<Line> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row
            .trim()
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned());
        let names = cells.next().unwrap_or_default();
        let tests = names.split('`').skip(1).step_by(2).map(str::to_owned);
        Line {
            tests: tests.collect(),
            cells: cells.collect(),
        }
    })
    .collect()
}

/// The functions of a source text that are tests, also those a macro makes of `name = "…";`.
pub fn tests_of(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[tokio::test") || line == "#[test]" {
            is_test = true;
            continue;
        }
        let name = line
            .split_once("fn ")
            .and_then(|(_, rest)| rest.split_once('('))
            .map(|(name, _)| name);
        match name {
            Some(name) if is_test && !name.starts_with('$') => found.push(name.to_owned()),
            _ => found.extend(made(line)),
        }
        is_test &= line.starts_with("#[");
    }
    found
}

/// `name = "…";`, as in a macro that makes a test of each line.
fn made(line: &str) -> Option<String> {
    let (name, rest) = line.split_once(" = \"")?;
    let is_name = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (is_name && rest.ends_with("\";")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_should_give_names_and_cells() {
        let page = "# Faults\n| test | what |\n| --- | --- |\n| `one`, `two` | a | b |\n| no test | c |\n";
        let lines = of(page);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].tests, ["one", "two"]);
        assert_eq!(lines[0].cells, ["a", "b"]);
    }

    #[test]
    fn tests_should_be_found_in_a_source() {
        let source = "#[test]\nfn plain() {}\n\n#[tokio::test(flavor = \"multi_thread\")]\n#[ignore]\nasync fn one() -> Result<()> {\n\
            fn not_this() {}\nlet x = \"y\";\n    death_after = \"boundary\";\n#[tokio::test]\nasync fn $name() {}\n";
        assert_eq!(tests_of(source), ["plain", "one", "death_after"]);
    }
}
