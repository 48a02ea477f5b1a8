//! Timed steps and the table of what they took.

use std::time::{Duration, SystemTime};

use crate::failure::{Failure, Outcome};

/// Steps that were run, with their times.
#[derive(Debug)]
pub(crate) struct Steps {
    keep_going: bool,
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Steps {
    /// With `keep_going`, a failed step does not keep the next ones from running.
    pub(crate) const fn new(keep_going: bool) -> Self {
        Self { keep_going, done: Vec::new() }
    }

    /// Runs one step under a heading.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Outcome) -> Outcome {
        println!("\n=== {name} ===");
        let began = SystemTime::now();
        let outcome = step();
        self.done.push(Step {
            name,
            // A clock that was set back meanwhile shows nothing worse than zero.
            took: began.elapsed().unwrap_or_default(),
            passed: outcome.is_ok(),
        });
        match outcome {
            Err(failure) if self.keep_going => {
                eprintln!("error: {failure}");
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Prints the table, and fails when a step did.
    pub(crate) fn finish(&self) -> Outcome {
        println!("\n{}", self.table());
        let failed: Vec<_> = self.done.iter().filter(|s| !s.passed).map(|s| s.name).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("failed: {}", failed.join(", "))))
    }

    fn table(&self) -> String {
        let mut table = String::new();
        for step in &self.done {
            let verdict = if step.passed { "ok" } else { "FAILED" };
            table += &format!("{:<22}{:>8.1} s  {verdict}\n", step.name, step.took.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        table + &format!("{:<22}{:>8.1} s", "total", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail() -> Outcome {
        Err(Failure::new("on purpose"))
    }

    #[test]
    fn the_first_failure_ends_the_run() {
        let mut steps = Steps::new(false);
        assert!(steps.run("one", || Ok(())).is_ok());
        assert!(steps.finish().is_ok());
        assert!(steps.run("two", fail).is_err());
        assert!(steps.finish().is_err());
    }

    #[test]
    fn a_run_that_keeps_going_fails_at_its_end() {
        let mut steps = Steps::new(true);
        assert!(steps.run("one", fail).is_ok());
        assert!(steps.run("two", || Ok(())).is_ok());
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: one");
        assert!(steps.table().contains("FAILED"));
    }
}
