//! The gateway: one binary, one TOML file.
#![forbid(unsafe_code)]

mod access_log;
mod admin;
mod build;
mod cli;
mod config;
mod demo;
mod exit;
mod explain;
mod front;
mod gateway;
mod load;
mod logged_body;
mod logging;
mod normalise;
mod refuse;
mod reload;
mod route;
mod say;
mod state;
mod warm;

use std::process::ExitCode;

use clap::Parser as _;

/// A request takes some thirty pieces of memory; this gives and takes them faster than the C
/// library does, above all those of a kilobyte and more.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::Cli::parse().execute()
}
