//! Single functions beside their peers, by criterion: `cargo xtask bench functions [FILTER]`.
//!
//! `--quick` gives rough figures in a minute. Criterion compares with the run before; the table at
//! the end compares contenders of this run, by their medians.
#![expect(clippy::expect_used, reason = "a harness: what fails here ends the run")]

mod memory;
mod policy;
mod pool;
mod ratelimit;
mod summary;

use std::time::{Duration, SystemTime};

use criterion::Criterion;

fn main() -> std::io::Result<()> {
    let began = SystemTime::now();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .without_plots()
        .configure_from_args();
    memory::bench(&mut criterion);
    policy::bench(&mut criterion);
    ratelimit::bench(&mut criterion);
    pool::bench(&mut criterion);
    criterion.final_summary();
    summary::write(began)
}
