//! `cargo xtask bench`: us against the peers.

use crate::failure::{Failure, Outcome};
use crate::run::cargo;
use crate::workspace::{Target, Workspace};

/// Measure against the peers: the same work, in one run
///
/// Without an area, lists the areas: benchmarks of the package `benches`. Every figure stands beside
/// a peer's of the same run. Words behind the area name parts of it, such as `cache speed`; an
/// unknown one lists them. Tables, charts and JSON are written to `bench` under the target folder.
/// Build nothing else meanwhile.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// What to measure, such as `cache`, `functions` or `gateway`
    area: Option<String>,
    /// Parts of the area; for functions, a part of their names
    parts: Vec<String>,
    /// Only beside this peer
    #[arg(long)]
    peer: Option<String>,
    /// Rough figures: two rounds, short ones
    #[arg(long)]
    quick: bool,
}

/// The area that criterion measures; it has words of its own.
const FUNCTIONS: &str = "functions";

impl Bench {
    pub(crate) fn run(&self) -> Outcome {
        let workspace = Workspace::load()?;
        let package = workspace.package("benches");
        let targets = package.map(|p| &*p.targets).unwrap_or_default();
        let Some(area) = &self.area else {
            println!("areas: {}", areas(targets));
            return Ok(());
        };
        if !targets.iter().any(|t| t.kind == "bench" && t.name == *area) {
            let known = areas(targets);
            return Err(Failure::new(format!("no area `{area}`; there are: {known}")));
        }
        // The same features for all areas, or the next one would build everything again.
        let program = cargo().args(["bench", "--package=benches", "--features=peers"]);
        let mut program = program.args(["--bench", area]);
        if self.quick && area != FUNCTIONS {
            program = program.env("VERVE_BENCH_ROUNDS", "2").env("VERVE_BENCH_SECONDS", "1");
        }
        program.args(["--"]).args(self.words(area)).run()
    }

    /// What the benchmark itself is told.
    fn words(&self, area: &str) -> Vec<String> {
        let mut words = self.parts.clone();
        match &self.peer {
            // Criterion takes one regular expression, for group and function together.
            Some(peer) if area == FUNCTIONS => {
                let parts = words.join(".*");
                words = vec![format!("{parts}.*/({OURS}|{peer})")];
            }
            Some(peer) => words.extend(["--peer".to_owned(), peer.clone()]),
            None => {}
        }
        if self.quick && area == FUNCTIONS {
            words.push("--quick".to_owned());
        }
        words
    }
}

/// How our own contender begins.
const OURS: &str = "verve";

/// The names of all areas.
fn areas(targets: &[Target]) -> String {
    let mut names: Vec<_> =
        targets.iter().filter(|t| t.kind == "bench").map(|t| &*t.name).collect();
    names.sort_unstable();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_areas() {
        let target =
            |name: &str, kind: &str| Target { name: name.to_owned(), kind: kind.to_owned() };
        let targets =
            [target("gateway", "bench"), target("cache", "bench"), target("benches", "lib")];
        assert_eq!(areas(&targets), "cache, gateway");
    }

    #[test]
    fn criterion_is_told_in_its_own_words() {
        let bench = |peer: Option<&str>| Bench {
            area: None,
            parts: vec!["pool".to_owned()],
            peer: peer.map(str::to_owned),
            quick: true,
        };
        assert_eq!(bench(None).words("cache"), ["pool"]);
        assert_eq!(bench(Some("moka")).words("cache"), ["pool", "--peer", "moka"]);
        assert_eq!(bench(None).words(FUNCTIONS), ["pool", "--quick"]);
        assert_eq!(bench(Some("dead")).words(FUNCTIONS), ["pool.*/(verve|dead)", "--quick"]);
    }
}
