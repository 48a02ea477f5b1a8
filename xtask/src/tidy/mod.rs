//! `cargo xtask tidy`: the plan of the house, checked by machine.

mod captions;
mod circles;
mod directions;
mod finding;
mod imports;
mod leftovers;
mod manifest;
mod modules;
mod names;
mod readme;
mod references;
mod sizes;
mod source;

use crate::failure::{Failure, Outcome};
use crate::tidy::finding::Finding;
use crate::tidy::modules::Modules;
use crate::tidy::source::Source;
use crate::workspace::{Package, Workspace};

/// Check the plan of the house: who imports whom, sizes, captions, documents
///
/// Reads sources and manifests, builds nothing, takes seconds. Each finding names file and line,
/// the rule, and what to do. The rules stand in the files of `xtask/src/tidy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Tidy {
    /// Only this crate
    package: Option<String>,
}

impl Tidy {
    pub(crate) fn run(&self) -> Outcome {
        run(self.package.as_deref())
    }
}

/// Checks every member.
pub(crate) fn check() -> Outcome {
    run(None)
}

fn run(only: Option<&str>) -> Outcome {
    let workspace = Workspace::load()?;
    let wanted = |package: &&Package| only.is_none_or(|name| package.name == name);
    let mut findings = Vec::new();
    let mut files = 0;
    for package in workspace.packages.iter().filter(wanted) {
        let sources = source::read(package, &workspace)?;
        files += sources.len();
        of_package(package, &sources, &workspace, &mut findings)?;
    }
    if files == 0 {
        return Err(Failure::new("no such package, or it has no sources"));
    }
    report(&mut findings, files)
}

fn of_package(
    package: &Package,
    sources: &[Source],
    workspace: &Workspace,
    findings: &mut Vec<Finding>,
) -> Outcome {
    directions::check(package, workspace, findings)?;
    manifest::check(package, workspace, findings)?;
    readme::check(package, workspace, findings);
    let modules = Modules::of(sources);
    imports::check(sources, &modules, findings);
    circles::check(sources, &modules, findings);
    sizes::check(package, sources, findings);
    for source in sources {
        captions::check(source, findings);
        leftovers::check(source, findings);
        names::check(source, findings);
    }
    Ok(())
}

fn report(findings: &mut [Finding], files: usize) -> Outcome {
    findings.sort();
    for finding in &*findings {
        println!("{finding}\n");
    }
    if findings.is_empty() {
        println!("tidy: {files} files, nothing to say");
        return Ok(());
    }
    let count = findings.len();
    Err(Failure::new(format!("tidy: {count} findings in {files} files")))
}
