//! `cargo xtask test`: everything that the tests need, then all tests.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Outcome};
use crate::needs;
use crate::run::cargo;

/// Tests print a line each; with none for so long, one hangs.
const SILENCE: Duration = Duration::from_secs(300);

/// Set up what the tests need, then run all of them
///
/// On Debian as root, programs that tests start (Redis) are installed with apt-get; elsewhere you
/// are told what to install. Then every unit, integration and documentation test of the workspace
/// runs with all features, and examples are built. The last line says how many tests ran.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Only tests whose name contains this
    filter: Option<String>,
}

impl Test {
    pub(crate) fn run(&self) -> Outcome {
        all(self.filter.as_deref())
    }
}

/// What every build of the tests has in common; without `--all-targets`, which would run benches.
const TESTS: [&str; 3] = ["test", "--workspace", "--all-features"];

/// Runs every test, or those whose name contains `filter`.
pub(crate) fn all(filter: Option<&str>) -> Outcome {
    needs::provide()?;
    // Built first, so that silence afterwards means a test that hangs. Examples are part of it.
    cargo().args(TESTS).args(["--no-run", "--quiet"]).run()?;
    let program = cargo().args(TESTS).args(["--no-fail-fast"]);
    let (shown, command) = program.args(filter).into_command();
    println!("$ {shown}");
    let (counts, passed) = watch(command)?;
    println!("\n{}", counts.line());
    if !passed || counts.failed > 0 {
        return Err(Failure::new("tests failed; their names stand above"));
    }
    if counts.passed == 0 {
        return Err(Failure::new("no test ran"));
    }
    Ok(())
}

/// Runs the command, passes its output on and counts the tests in it.
fn watch(mut command: Command) -> Outcome<(Counts, bool)> {
    let spawned = command.stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(Failure::at("cannot start cargo"))?;
    let lines = lines_of(&mut child)?;
    let mut counts = Counts::default();
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                counts.add(&line);
                println!("{line}");
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // Whether it still ran or not, we end here.
                let _ = child.kill();
                let silence = SILENCE.as_secs();
                return Err(Failure::new(format!("a test hangs: no line in {silence} s")));
            }
        }
    }
    let status = child.wait().map_err(Failure::at("waiting for cargo"))?;
    Ok((counts, status.success()))
}

/// What the child writes, line by line, read by a thread of its own.
fn lines_of(child: &mut Child) -> Outcome<Receiver<String>> {
    let stdout = child.stdout.take();
    let stdout = stdout.ok_or_else(|| Failure::new("cargo has no output"))?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// How many tests did what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    programs: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds what a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …` says.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        self.programs += 1;
        let words: Vec<_> = result.split([' ', ';']).collect();
        for pair in words.windows(2) {
            let [count, what] = pair else { continue };
            let count = count.parse().unwrap_or(0);
            match *what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    fn line(&self) -> String {
        let Self { programs, passed, failed, ignored } = self;
        format!(
            "tests: {passed} passed, {failed} failed, {ignored} ignored, in {programs} programs"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_programs_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s",
        ] {
            counts.add(line);
        }
        let expected = Counts { programs: 2, passed: 4, failed: 2, ignored: 1 };
        assert_eq!(counts, expected);
        assert_eq!(counts.line(), "tests: 4 passed, 2 failed, 1 ignored, in 2 programs");
    }
}
