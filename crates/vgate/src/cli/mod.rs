//! The command line: what can be asked, and who answers.

mod check;
mod demo;
mod explain;
mod file;
mod init;
mod proxy;
mod purge;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::file::File;
use crate::exit::CODES;

/// A caching, balancing, limiting and compressing gateway: one binary, one TOML file.
#[derive(Debug, Parser)]
#[command(name = "vgate", version, after_help = CODES, after_long_help = format!("{STEPS}\n\n{CODES}"))]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const STEPS: &str = "\
First steps:
  vgate demo                                   see everything at work, with origins of its own
  vgate proxy --to localhost:3000 --cache 10s  put a cache in front of one server, no file
  vgate init && vgate check && vgate run       write a file, check it, run it

While it runs:
  curl http://127.0.0.1:9900/api/status        routes, endpoints, cache and limiter figures
  curl http://127.0.0.1:9900/metrics           the same for Prometheus
  vgate explain http://HOST/PATH               which route, which rules, what is stored
  vgate purge --tag TAG                        forget what the origin tagged so
  kill -HUP <pid>                              read the file again; a bad file changes nothing
  kill <pid>                                   drain and end; twice ends at once";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work: three origins of its own, the gateway in front, URLs to try.
    Demo(demo::Demo),
    /// Put the gateway in front of one or more servers, without a file.
    Proxy(proxy::Proxy),
    /// Run the gateway from a file.
    Run(File),
    /// Check a file: every mistake at once, each at its place. Ends with 1 if there is one.
    Check(File),
    /// Say what would happen to a request, and why: route, cache key, rules, what is stored.
    Explain(explain::Explain),
    /// Tell a running gateway what its caches are to forget: by URL, tag, prefix, host, or all.
    Purge(purge::Purge),
    /// Write a commented `vgate.toml` into this folder; never overwrites one.
    Init,
}

impl Cli {
    /// Does what was asked for.
    pub(crate) fn execute(self) -> ExitCode {
        let done = match self.command {
            Command::Demo(demo) => demo.execute(),
            Command::Proxy(proxy) => proxy.execute(),
            Command::Run(file) => run::execute(&file),
            Command::Check(file) => check::execute(&file),
            Command::Explain(explain) => explain.execute(),
            Command::Purge(purge) => purge.execute(),
            Command::Init => init::execute(),
        };
        done.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS)
    }
}
