//! Licences, bans, sources and advisories of everything that we depend on, with cargo-deny.

use std::path::Path;

use crate::failure::{Failure, Outcome};
use crate::run::{Program, cargo, find};
use crate::workspace::Workspace;

/// The version whose rules `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// Checks `deny.toml`; installs cargo-deny under `target/tools` when it is not there.
pub(crate) fn check() -> Outcome {
    let program = provide()?;
    let run = |args: &[&str]| {
        let program = Program::new(&program).args(["--all-features"]);
        program.args(args).run()
    };
    run(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"])?;
    // The database of advisories is a repository elsewhere. When it cannot be fetched we say so:
    // an old one would look like a check.
    match Program::new(&program).args(["fetch", "db"]).output() {
        Ok(_) => run(&["check", "--disable-fetch", "advisories"]),
        Err(_) => {
            println!("advisories: NOT CHECKED, their database cannot be fetched");
            Ok(())
        }
    }
}

/// The program, which is installed if need be.
fn provide() -> Outcome<String> {
    let tools = Workspace::load()?.root.join("target/tools");
    let own = tools.join("bin/cargo-deny");
    if let Some(found) = find("cargo-deny").into_iter().chain([own.clone()]).find(|p| is_it(p)) {
        return Ok(shown(&found));
    }
    install(&tools)?;
    if is_it(&own) {
        return Ok(shown(&own));
    }
    let own = own.display();
    Err(Failure::new(format!("{own} is not cargo-deny {VERSION}, though it was installed")))
}

fn is_it(program: &Path) -> bool {
    let version = Program::new(&shown(program)).args(["--version"]).output();
    version.is_ok_and(|text| text.trim() == format!("cargo-deny {VERSION}"))
}

/// Builds it without optimisation, which costs a second a run and saves minutes here.
fn install(tools: &Path) -> Outcome {
    println!("cargo-deny {VERSION} is not installed; building it takes a minute or two");
    let install =
        cargo().args(["install", "cargo-deny", "--locked", "--quiet", "--version", VERSION]);
    let install = install.args(["--no-default-features", "--profile=dev"]);
    let install = install.args(["--config", "profile.dev.debug=false"]);
    install.args(["--root", &shown(tools)]).run()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
