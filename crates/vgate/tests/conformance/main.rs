//! The rows of vcache's conformance table, through a running gateway before a scripted origin, over
//! real sockets: HTTP/1.1 and HTTP/2 to the gateway, HTTP/1.1 behind it.
//!
//! The rows are vcache's own files. A conversation runs as it stands; of a check that calls a pure
//! function, what shows on the wire is asked for. The gateway is the program as it is; its clock
//! stands still and is moved on by the test (`clock.c`), so that no row waits and none depends on
//! how fast the machine is. It takes a C compiler, `cc`.
#![cfg(target_os = "linux")]
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests; of the shared files vcache uses the rest"
)]

mod client;
mod clock;
mod converse;
#[path = "../../../vcache/tests/http_conformance/expect.rs"]
mod expect;
#[path = "../fixture/mod.rs"]
mod fixture;
mod forms;
mod gate;
mod origin;
mod pure;
#[path = "../../../vcache/tests/http_conformance/row.rs"]
mod row;
#[path = "../../../vcache/tests/http_conformance/rows/mod.rs"]
mod rows;
#[path = "../../../vcache/tests/http_conformance/script.rs"]
mod script;
mod stage;
#[path = "../../../vcache/tests/http_conformance/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use client::Protocol;
use row::Check;
use stage::{Stage, table};
use verve::cache::http as cache;
use verve::http::date;
use wire::{Wire, wire};

/// The gateways, by their settings and by whether their clock has moved.
struct Stages {
    protocol: Protocol,
    started: BTreeMap<(bool, String), Stage>,
}

impl Stages {
    fn of(&mut self, check: Check) -> &Stage {
        let moves = matches!(
            check,
            Check::Serves(..)
                | Check::Gate(..)
                | Check::Age(..)
                | Check::Decides(..)
                | Check::ForError(..)
                | Check::ForSilence(..)
                | Check::Invalidates(..)
        );
        let place = (moves, table(pure::settings(check)));
        let protocol = self.protocol;
        let table = place.1.clone();
        self.started.entry(place).or_insert_with(|| Stage::start(protocol, &table))
    }

    fn run(&mut self, check: Check) {
        let least = if self.protocol == Protocol::Http1 { Wire::Http1 } else { Wire::Both };
        if wire(check) < least {
            return;
        }
        if let Check::All(checks) = check {
            return checks.iter().for_each(|check| self.run(*check));
        }
        let stage = self.of(check);
        match check {
            Check::Serves(_, steps) => converse::run(stage, steps),
            Check::Gate(gate) => gate::run(stage, gate),
            Check::Age(..) | Check::Decides(..) | Check::ForError(..) | Check::ForSilence(..) => {
                pure::deciding(stage, check);
            }
            Check::Lifetime(..)
            | Check::Stores(..)
            | Check::Refuses(..)
            | Check::StoresPart(..)
            | Check::Omits(..)
            | Check::Fits(..)
            | Check::FitsByLanguage(..) => pure::storing(stage, check),
            _ => forms::run(stage, check),
        }
    }
}

fn every_row_passes(protocol: Protocol) {
    let mut stages = Stages { protocol, started: BTreeMap::new() };
    let failed: Vec<String> = rows::rows()
        .filter_map(|row| {
            let outcome = catch_unwind(AssertUnwindSafe(|| stages.run(row.check)));
            outcome.is_err().then(|| format!("{}: {}", row.section, row.rule))
        })
        .collect();
    assert!(failed.is_empty(), "{} rows fail:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn every_row_passes_over_http1() {
    every_row_passes(Protocol::Http1);
}

#[test]
fn every_row_passes_over_http2() {
    every_row_passes(Protocol::Http2);
}

/// The clock is the test's: without that the rows would only seem to pass.
#[test]
fn the_gateway_goes_by_the_clock_that_the_test_moves() {
    let stage = Stage::start(Protocol::Http1, "");
    let page = stage.page();
    let date = stage.fill(&page, "cache-control: max-age=7200", "1").reply;
    assert_eq!(date.field("date"), "Sun, 06 Nov 2022 12:00:00 GMT");
    stage.clock.advance(3600);
    assert_eq!(stage.get(&page, "").reply.field("age"), "3600");
}
