//! What the command line and the environment ask of a benchmark.

use std::env;

/// Words of the command line, and settings of the environment.
#[derive(Debug, Clone)]
pub struct Asked {
    words: Vec<String>,
    peer: Option<String>,
    rounds: Option<usize>,
}

impl Asked {
    /// Reads both. `None` under `cargo test`, which runs benches too: there is nothing to test.
    #[must_use]
    pub fn read() -> Option<Self> {
        let args: Vec<String> = env::args().skip(1).collect();
        let rounds = env::var("VERVE_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok());
        (!args.iter().any(|arg| arg == "--test")).then(|| Self { rounds, ..Self::parse(args) })
    }

    fn parse(args: Vec<String>) -> Self {
        let (mut words, mut peer) = (Vec::new(), None);
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--peer" => peer = args.next(),
                // cargo says `--bench` to every benchmark.
                flag if flag.starts_with("--") => {}
                _ => words.push(arg),
            }
        }
        Self { words, peer, rounds: None }
    }

    /// Whether a part of the benchmark is asked for: without words, all are.
    #[must_use]
    pub fn part(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| word == name)
    }

    /// The words that no part has.
    pub fn unknown<'a>(&'a self, parts: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.words.iter().map(String::as_str).filter(|word| !parts.contains(word))
    }

    /// Whether a contender takes part: ours always, peers unless another one is asked for.
    #[must_use]
    pub fn contender(&self, name: &str) -> bool {
        let ours = ["verve", "vgate"].iter().any(|own| name.starts_with(own));
        ours || self.peer.as_ref().is_none_or(|peer| name.contains(peer.as_str()))
    }

    /// `VERVE_BENCH_ROUNDS`, or so many.
    #[must_use]
    pub fn rounds(&self, default: usize) -> usize {
        self.rounds.unwrap_or(default).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        Asked::parse(line.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn words_name_parts() {
        let asked = asked("--bench speed --peer moka sped");
        assert!(asked.part("speed") && !asked.part("hits"));
        assert_eq!(asked.unknown(&["speed", "hits"]).collect::<Vec<_>>(), ["sped"]);
    }

    #[test]
    fn ours_runs_beside_any_peer() {
        let asked = asked("--bench --peer moka");
        assert!(asked.part("speed"));
        assert!(asked.contender("verve, TTL") && asked.contender("moka, TTL"));
        assert!(!asked.contender("quick_cache"));
    }
}
