//! One measurement.

use serde_json::{Value, json};

/// One measurement, as it is printed.
#[derive(Debug, Clone)]
pub struct BenchLine {
    /// What was measured.
    pub bench: &'static str,
    /// The result.
    pub value: f64,
    /// Of what, per what.
    pub unit: &'static str,
    /// What it is compared with, in the same unit.
    pub baseline: Option<f64>,
    /// Result to baseline.
    pub ratio: Option<f64>,
    /// What is asked for: of the ratio when there is a baseline, of the value otherwise.
    pub target: f64,
    /// Whether it was reached.
    pub met: bool,
}

impl BenchLine {
    /// A result that has to reach a number.
    pub fn at_least(bench: &'static str, value: f64, unit: &'static str, target: f64) -> Self {
        Self {
            bench,
            value,
            unit,
            baseline: None,
            ratio: None,
            target,
            met: value >= target,
        }
    }

    /// A result that must not pass a number.
    pub fn at_most(bench: &'static str, value: f64, unit: &'static str, target: f64) -> Self {
        Self {
            bench,
            value,
            unit,
            baseline: None,
            ratio: None,
            target,
            met: value <= target,
        }
    }

    /// A result that has to be so many times its baseline.
    pub fn against(bench: &'static str, value: f64, unit: &'static str, baseline: f64, target: f64) -> Self {
        let ratio = value / baseline;
        Self {
            bench,
            value,
            unit,
            baseline: Some(baseline),
            ratio: Some(ratio),
            target,
            met: ratio >= target,
        }
    }

    /// A cost that must not be more than so many times its baseline.
    pub fn within(bench: &'static str, value: f64, unit: &'static str, baseline: f64, target: f64) -> Self {
        let ratio = value / baseline;
        Self {
            bench,
            value,
            unit,
            baseline: Some(baseline),
            ratio: Some(ratio),
            target,
            met: ratio <= target,
        }
    }

    /// The line.
    pub fn json(&self) -> Value {
        let round = |x: f64| (x * 100.0).round() / 100.0;
        json!({
            "bench": self.bench,
            "value": round(self.value),
            "unit": self.unit,
            "baseline": self.baseline.map(round),
            "ratio": self.ratio.map(round),
            "target": self.target,
            "met": self.met,
        })
    }
}
