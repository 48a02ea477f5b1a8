//! `cargo xtask doc`: the documentation of every crate, without a warning.

use crate::failure::Outcome;
use crate::run::cargo;

/// Build the documentation of every crate
///
/// All features, private dependencies left out; a broken link is an error.
#[derive(Debug, clap::Args)]
pub(crate) struct Doc {
    /// Open it in a browser
    #[arg(long)]
    open: bool,
}

impl Doc {
    pub(crate) fn run(&self) -> Outcome {
        build(self.open)
    }
}

/// Builds the documentation.
pub(crate) fn build(open: bool) -> Outcome {
    let args = ["doc", "--workspace", "--no-deps", "--all-features", "--quiet"];
    let open = open.then_some("--open");
    let program = cargo().args(args).args(open);
    program.env("RUSTDOCFLAGS", "-D warnings").run()
}
