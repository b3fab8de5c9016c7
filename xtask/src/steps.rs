//! Progress for people: `[2/5] release binary` before, its seconds after.

use anyhow::Result;
use std::io::Write;
use std::time::Instant;

/// Counts the steps of one verb.
pub struct Steps {
    total: usize,
    done: usize,
}

impl Steps {
    pub fn new(total: usize) -> Self {
        Self { total, done: 0 }
    }

    /// Runs one step between its two lines. The second is printed on failure too, so the time is never lost.
    pub fn step<T>(&mut self, title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.done += 1;
        let label = format!("[{}/{}] {title}", self.done, self.total);
        say(&label);
        let begun = Instant::now();
        let result = work();
        let outcome = if result.is_ok() { "done" } else { "FAILED" };
        say(&format!(
            "{label}: {outcome} in {:.1} s",
            begun.elapsed().as_secs_f64()
        ));
        result
    }
}

/// One line, at once, even into a pipe.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe means that nobody reads the progress; the work goes on.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn step_should_hand_on_result_and_error() {
        let mut steps = Steps::new(2);
        assert_eq!(steps.step("first", || Ok(7)).expect("passes"), 7);
        assert!(steps.step("second", || -> Result<()> { bail!("no") }).is_err());
        assert_eq!(steps.done, steps.total);
    }
}
