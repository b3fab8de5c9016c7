//! Every PromQL expression of a Grafana dashboard, as recording rules that promtool can parse.
//!
//! What Grafana puts in before it asks (intervals) is put in here too; a variable inside a string stays.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// An expression and where it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Expression {
    place: String,
    text: String,
}

const INTERVALS: [&str; 4] = [
    "$__rate_interval",
    "${__rate_interval}",
    "$__interval",
    "$__range",
];

/// All of one dashboard, in the order of the file.
pub fn in_dashboard(name: &str, text: &str) -> Result<Vec<Expression>> {
    let dashboard: Value =
        serde_json::from_str(text).with_context(|| format!("dashboard {name} is not JSON"))?;
    let mut found = Vec::new();
    gather(&dashboard, &mut found);
    Ok(found
        .into_iter()
        .map(|text| Expression {
            place: name.to_owned(),
            text: INTERVALS
                .iter()
                .fold(text, |text, interval| text.replace(interval, "5m")),
        })
        .collect())
}

/// JSON is YAML: one group, one rule each, the place in a label.
pub fn as_rules(expressions: &[Expression]) -> String {
    let rule = |(number, Expression { place, text }): (usize, &Expression)| json!({ "record": format!("dashboard:expression:{number}"), "expr": text, "labels": { "place": place } });
    let rules: Vec<Value> = expressions.iter().enumerate().map(rule).collect();
    json!({ "groups": [{ "name": "dashboards", "rules": rules }] }).to_string()
}

fn gather(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let text = map.get("expr").and_then(Value::as_str);
            found.extend(text.filter(|text| !text.is_empty()).map(str::to_owned));
            map.values().for_each(|value| gather(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_expressions_should_be_found_with_their_intervals() {
        let text = r#"{"panels": [{"targets": [{"expr": "rate(a[$__rate_interval])"}, {"expr": ""}]},
            {"panels": [{"targets": [{"expr": "b{role=~\"$role\"}"}]}]}]}"#;
        let found = in_dashboard("overview", text).expect("reads");
        let texts: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["rate(a[5m])", "b{role=~\"$role\"}"]);
        let rules: Value = serde_json::from_str(&as_rules(&found)).expect("JSON");
        assert_eq!(rules["groups"][0]["rules"][1]["labels"]["place"], "overview");
        assert!(in_dashboard("x", "{").is_err());
    }
}
