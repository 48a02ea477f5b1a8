//! Every rule of the RFCs that concerns a shared cache, a row each, and the table made of them.
//!
//! `VCACHE_CONFORMANCE=write cargo test -p vcache --features http --test http_conformance` writes
//! `CONFORMANCE.md` anew.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod check;
mod converse;
mod expect;
#[path = "../http_origin/mod.rs"]
mod http_origin;
mod row;
mod rows;
mod script;
mod table;
mod wire;

use rows::rows;
use vcache::http as cache;
use vhttp::date;

#[test]
fn every_row_passes() {
    let failed: Vec<String> = rows()
        .filter_map(|row| {
            let outcome = std::panic::catch_unwind(|| check::run(row.check));
            outcome.is_err().then(|| format!("{}: {}", row.section, row.rule))
        })
        .collect();
    assert!(failed.is_empty(), "{} rows fail:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn no_rule_stands_twice() {
    let mut rules: Vec<_> = rows().map(|row| (row.section, row.rule)).collect();
    let count = rules.len();
    rules.sort_unstable();
    rules.dedup();
    assert_eq!(rules.len(), count);
}

#[test]
fn the_table_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/CONFORMANCE.md");
    let text = table::render(rows());
    if std::env::var_os("VCACHE_CONFORMANCE").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let current = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        current == text,
        "CONFORMANCE.md is out of date; write it with\n\
         VCACHE_CONFORMANCE=write cargo test -p vcache --features http --test http_conformance"
    );
}
