//! `cargo xtask fuzz`: any bytes for the parsers of foreign bytes.

use std::fs;

use crate::failure::{Failure, Outcome};
use crate::run::{Program, cargo};
use crate::workspace::Workspace;

/// Instruments every branch, so that the fuzzer finds new ones; no nightly compiler is needed.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table";

/// The targets, each a program of the package in `crates/vcache/fuzz`.
const TARGETS: [&str; 5] = ["exchange", "fields", "names", "record", "targets"];

/// Feed the parsers with any bytes, as long as you like
///
/// Needs a C++ compiler, for libFuzzer. What was found to be of interest is kept in
/// `target/fuzz/corpus` and used the next time; what fails is written to the current folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Fuzz {
    /// Only this target: `exchange` (the rules of the HTTP cache), `fields` (header grammars),
    /// `names` (tags, groups, idempotency keys), `record` (what stands on disk and in Redis) or
    /// `targets` (hosts and paths, as the gateway makes them plain)
    target: Option<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

impl Fuzz {
    pub(crate) fn run(&self) -> Outcome {
        let root = Workspace::load()?.root;
        let wanted = |target: &&str| self.target.as_deref().is_none_or(|name| name == *target);
        let mut targets = TARGETS.iter().filter(|target| wanted(target)).peekable();
        if targets.peek().is_none() {
            return Err(Failure::new(format!("the targets are: {}", TARGETS.join(", "))));
        }
        let folder = root.join("target/fuzz");
        let manifest = root.join("crates/vcache/fuzz/Cargo.toml");
        let host = host()?;
        for target in targets {
            let corpus = folder.join("corpus").join(target);
            fs::create_dir_all(&corpus).map_err(Failure::at("the corpus"))?;
            let build = ["run", "--release", "--quiet", "--bin", target, "--manifest-path"];
            let time = format!("-max_total_time={}", self.seconds);
            // With a target named, the flags are not for build scripts.
            let program = cargo().args(build).args([manifest.to_string_lossy()]);
            let program = program.args(["--target-dir".into(), folder.to_string_lossy()]);
            let program = program.args(["--target", &*host]);
            let program = program.args(["--".into(), corpus.to_string_lossy(), time.into()]);
            program.env("RUSTFLAGS", FLAGS).run()?;
        }
        Ok(())
    }
}

/// The triple of this machine.
fn host() -> Outcome<String> {
    let version = Program::new("rustc").args(["-vV"]).output()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::new("`rustc -vV` names no host"))
}
