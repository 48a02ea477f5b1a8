//! `cargo xtask bench`: us against the peers.

use crate::failure::{Failure, Outcome};
use crate::run::cargo;
use crate::workspace::{Target, Workspace};

/// Measure against the peers: the same work, in one run
///
/// Without an area, lists the areas. An area is a program (load on servers) or a benchmark
/// (functions) of the package `benches`, or both; every figure is a ratio to a peer in the same
/// run. Build nothing else meanwhile.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// What to measure, such as `cache` or `gateway`
    area: Option<String>,
    /// Only beside this peer
    #[arg(long)]
    peer: Option<String>,
}

impl Bench {
    pub(crate) fn run(&self) -> Outcome {
        let workspace = Workspace::load()?;
        let package = workspace.package("benches");
        let targets = package.map(|p| &*p.targets).unwrap_or_default();
        let Some(area) = &self.area else {
            println!("areas: {}", areas(targets));
            return Ok(());
        };
        let has = |kind| targets.iter().any(|t| t.kind == kind && t.name == *area);
        let (load, functions) = (has("bin"), has("bench"));
        if !load && !functions {
            let known = areas(targets);
            return Err(Failure::new(format!("no area `{area}`; there are: {known}")));
        }
        if functions {
            self.functions(area)?;
        }
        if load {
            self.load(area)?;
        }
        Ok(())
    }

    fn functions(&self, area: &str) -> Outcome {
        let program = cargo().args(["bench", "--package=benches", "--bench", area]);
        // Criterion takes a regular expression: ourselves, and the peer.
        let filter = self.peer.as_ref().map(|peer| format!("verve|{peer}"));
        match &filter {
            Some(filter) => program.args(["--", filter.as_str()]).run(),
            None => program.run(),
        }
    }

    fn load(&self, area: &str) -> Outcome {
        let program = cargo().args(["run", "--release", "--package=benches", "--bin", area]);
        match &self.peer {
            Some(peer) => program.args(["--", "--peer", peer.as_str()]).run(),
            None => program.run(),
        }
    }
}

/// The names of all areas, each once.
fn areas(targets: &[Target]) -> String {
    let is_area = |target: &&Target| matches!(&*target.kind, "bin" | "bench");
    let mut names: Vec<_> = targets.iter().filter(is_area).map(|t| &*t.name).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return "none yet".to_owned();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_listed_once() {
        let target =
            |name: &str, kind: &str| Target { name: name.to_owned(), kind: kind.to_owned() };
        let targets = [
            target("server", "bin"),
            target("cache", "bench"),
            target("cache", "bin"),
            target("benches", "lib"),
        ];
        assert_eq!(areas(&targets), "cache, server");
        assert_eq!(areas(&[]), "none yet");
    }
}
