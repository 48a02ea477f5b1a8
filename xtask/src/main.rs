//! The project's own commands: `cargo xtask <COMMAND>`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks")]

mod bench;
mod ci;
mod deny;
mod doc;
mod failure;
mod features;
mod fuzz;
mod loom;
mod needs;
mod run;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
///
/// Before a commit: `cargo xtask ci`. While working: `cargo xtask tidy` (seconds) and
/// `cargo xtask test`. Each command prints what it runs, so that you can run it yourself.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::Test),
    Ci(ci::Ci),
    Tidy(tidy::Tidy),
    Doc(doc::Doc),
    Loom(loom::Loom),
    Bench(bench::Bench),
    Fuzz(fuzz::Fuzz),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test(test) => test.run(),
        Command::Ci(ci) => ci.run(),
        Command::Tidy(tidy) => tidy.run(),
        Command::Doc(doc) => doc.run(),
        Command::Loom(loom) => loom.run(),
        Command::Bench(bench) => bench.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}
