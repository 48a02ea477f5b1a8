//! `cargo xtask loom`: the models of the concurrent core.

use crate::failure::Outcome;
use crate::run::cargo;

/// Run vcache's lock, account of weight, loads and tags in every order that threads may
///
/// Loom's models, in a package of their own (crates/vcache/loom). A fault ends the run with the
/// name of the model and the order that led to it.
#[derive(Debug, clap::Args)]
pub(crate) struct Loom {}

impl Loom {
    #[expect(clippy::unused_self, reason = "as the other commands")]
    pub(crate) fn run(&self) -> Outcome {
        check()
    }
}

/// Runs every model.
pub(crate) fn check() -> Outcome {
    cargo().args(["run", "--quiet", "--release", "-p", "vcache-loom"]).run()
}
