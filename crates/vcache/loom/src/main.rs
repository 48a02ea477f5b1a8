//! Models of vcache's concurrent core: every order in which threads may run it, by loom.
//!
//! The files are vcache's own; only what they are built of (`sync.rs`) is loom's. A program of its
//! own, so that vcache's tests and other dependencies need not know of loom: `cargo xtask loom`.

#[path = "../../src/memory/account.rs"]
mod account;
mod barrier;
#[path = "../../src/load/gate.rs"]
mod gate;
#[path = "../../src/memory/lock.rs"]
mod lock;
mod models;
#[expect(dead_code, reason = "the engine also counts its misses there")]
#[path = "../../src/memory/stripes.rs"]
mod stripes;
mod sync;
#[allow(dead_code, unexpected_cfgs, reason = "vcache's features, which are not there")]
#[path = "../../src/tags.rs"]
mod tags;
mod threads;

fn main() {
    models::run();
}
