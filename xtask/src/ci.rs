//! `cargo xtask ci`: what CI checks, in its order, with times.

use crate::deny;
use crate::doc;
use crate::failure::{Failure, Outcome};
use crate::features;
use crate::loom;
use crate::run::{build_once, cargo};
use crate::steps::Steps;
use crate::test;
use crate::tidy;

/// Everything that CI checks, in its order, with times
///
/// Stops at the first step that fails; the table at the end says what each took. Warnings are
/// errors here.
#[derive(Debug, clap::Args)]
pub(crate) struct Ci {
    /// Run every step, whatever fails before it
    #[arg(long)]
    keep_going: bool,
    /// Only these steps, such as `fmt tidy`; all when none is named
    steps: Vec<String>,
}

type Step = (&'static str, fn() -> Outcome);

/// Quick ones first.
const STEPS: [Step; 10] = [
    ("fmt", fmt),
    ("tidy", tidy::check),
    ("clippy-none", || clippy(Some("--no-default-features"))),
    ("clippy-default", || clippy(None)),
    ("clippy-all", || clippy(Some("--all-features"))),
    ("test", || test::all(None)),
    ("loom", loom::check),
    ("doc", || doc::build(false)),
    ("deny", deny::check),
    ("features", features::each_alone),
];

impl Ci {
    pub(crate) fn run(&self) -> Outcome {
        self.know_steps()?;
        build_once();
        let mut steps = Steps::new(self.keep_going);
        let wanted = |name| self.steps.is_empty() || self.steps.iter().any(|s| s == name);
        for (name, step) in STEPS.into_iter().filter(|(name, _)| wanted(*name)) {
            if let Err(failure) = steps.run(name, step) {
                eprintln!("error: {failure}");
                break;
            }
        }
        steps.finish()
    }

    fn know_steps(&self) -> Outcome {
        let names = STEPS.map(|(name, _)| name);
        let unknown = self.steps.iter().find(|step| !names.contains(&step.as_str()));
        unknown.map_or(Ok(()), |step| {
            let names = names.join(", ");
            Err(Failure::new(format!("no step `{step}`; there are: {names}")))
        })
    }
}

fn fmt() -> Outcome {
    cargo().args(["fmt", "--all", "--check"]).run()
}

fn clippy(features: Option<&str>) -> Outcome {
    let program = cargo().args(["clippy", "--workspace", "--all-targets", "--quiet"]);
    program.args(features).args(["--", "-D", "warnings"]).run()
}
