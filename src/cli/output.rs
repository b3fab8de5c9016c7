//! How answers and failures are printed: a table for people, the API's own JSON for programs.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;
use vaultstream_client::{AssetAmount, ClientError, Problem};
use vaultstream_domain::error::Causes;

use super::Ended;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As the API answers, for programs.
    Json,
    /// For people.
    Table,
}

/// Prints an answer.
pub fn print<T: Serialize>(format: Format, answer: &T, table: impl FnOnce() -> String) -> Result<(), Ended> {
    match format {
        Format::Json => {
            let json = serde_json::to_string_pretty(answer).map_err(|e| Ended::Unsent(e.into()))?;
            println!("{json}");
        }
        Format::Table => print!("{}", table()),
    }
    Ok(())
}

/// Rows under a head, in columns as wide as their widest cell.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|cell| cell.to_uppercase()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(&head)
        .chain(rows)
        .map(|row| row.iter().map(|cell| visible(cell)).collect())
        .collect();
    let width = |column: usize| rows.iter().map(|row| chars(row.get(column))).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let gap = if line.is_empty() { "" } else { "  " };
            // Writing to a String cannot fail.
            let _ = write!(line, "{gap}{cell:<width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn chars(cell: Option<&String>) -> usize {
    cell.map_or(0, |text| text.chars().count())
}

/// One thing, a line a property.
pub fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<width$}  {}", visible(value));
    }
    text
}

/// What a terminal would obey is not printed.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// `1.5 eip155:1/slip44:60`.
pub fn amount(amount: &AssetAmount) -> String {
    format!("{} {}", amount.minor.to_decimal(amount.decimals), amount.asset)
}

/// What is said on standard error.
pub fn failure(ended: &Ended, format: Format, url: &str) -> String {
    if let (Ended::Answered(ClientError::Refused(problem)), Format::Json) = (ended, format)
        && let Ok(json) = serde_json::to_string_pretty(problem)
    {
        return format!("{json}\n");
    }
    match ended {
        Ended::Unsent(error) => format!("vaultstream: {error:#}\n"),
        Ended::Answered(ClientError::Refused(refused)) => problem(refused, url),
        Ended::Answered(error) => format!("vaultstream: {url}: {}\n", Causes(error)),
        Ended::Unclear {
            error,
            idempotency_key,
        } => format!(
            "vaultstream: {url}: {}\nThe request may have had its effect. Send it again with --idempotency-key \
             {idempotency_key} to learn the outcome: it is done once.\n",
            Causes(error)
        ),
        Ended::NotCompleted(why) => format!("vaultstream: {why}\n"),
    }
}

fn problem(problem: &Problem, url: &str) -> String {
    let mut text = format!("vaultstream: {}: {}\n", problem.code, visible(&problem.detail));
    for field in &problem.errors {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}: {}", visible(&field.field), visible(&field.detail));
    }
    let _ = writeln!(text, "{}", visible(&problem.remedy));
    let _ = writeln!(
        text,
        "request {}, about the code: {url}{}",
        visible(&problem.request_id),
        visible(&problem.kind)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_should_be_as_wide_as_their_cells() {
        let rows = [
            vec!["vlt_1".to_owned(), "Öl".to_owned(), "x".to_owned()],
            vec!["v".to_owned(), "a longer name".to_owned(), String::new()],
        ];
        let expected = "ID     NAME           STATUS\nvlt_1  Öl             x\nv      a longer name\n";
        assert_eq!(table(&["id", "name", "status"], &rows), expected);
    }

    #[test]
    fn terminals_should_not_be_steered_by_names() {
        let rows = [vec!["\u{1b}[2Jname\n".to_owned()]];
        let text = table(&["name"], &rows);
        assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
        assert!(!facts(&[("memo", "\u{7}".to_owned())]).contains('\u{7}'));
    }

    #[test]
    fn absent_facts_should_be_left_out() {
        let said = facts(&[("id", "trf_1".to_owned()), ("failure", String::new())]);
        assert_eq!(said, "id       trf_1\n");
    }
}
