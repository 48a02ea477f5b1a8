//! The cache beside its peers: `cargo xtask bench cache [AREA]… [--peer P]`.
//!
//! Areas: speed, hits, memory, stampede, tiered, redis, disk; without a word, all, which takes
//! some eight minutes. Contenders take turns in every round. `VERVE_BENCH_ROUNDS` changes how many
//! rounds (5), `VERVE_BENCH_THREADS` the most threads (8).
#![expect(
    unsafe_code,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a harness for people, with an allocator that counts"
)]

mod disk;
mod hits;
mod memory;
mod redis;
mod speed;
mod stampede;
mod tiered;

use std::error::Error;

use benches::asked::Asked;
use benches::report::Report;

type Area = (&'static str, fn(&Asked, &mut Report) -> Result<(), Box<dyn Error>>);

const AREAS: [Area; 7] = [
    ("memory", memory::run),
    ("hits", hits::run),
    ("stampede", stampede::run),
    ("tiered", tiered::run),
    ("redis", redis::run),
    ("disk", disk::run),
    ("speed", speed::run),
];

fn main() -> Result<(), Box<dyn Error>> {
    let Some(asked) = Asked::read() else {
        return Ok(());
    };
    let names = AREAS.map(|(name, _)| name);
    if let Some(word) = asked.unknown(&names).next() {
        return Err(format!("no area `{word}`; there are: {}", names.join(", ")).into());
    }
    let mut report = Report::new("cache");
    for (name, run) in AREAS.iter().filter(|(name, _)| asked.part(name)) {
        eprintln!("cache: {name}");
        run(&asked, &mut report)?;
    }
    Ok(report.write()?)
}
