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

#[cfg(feature = "disk")]
mod below;
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

/// What only memory keeps: parts of responses, which variants there are, and what the last fetches
/// brought.
#[cfg(feature = "disk")]
const ONLY_MEMORY: [&str; 13] = [
    "After an answer that may not be shared the client's precondition is the origin's (`hit_for_miss`).",
    "After an outage the origin is not asked for the same again for a second (`hold_off`); what it allows is answered meanwhile.",
    "The variants of a URI are bounded (`max_variants`); the least recently used leaves.",
    "A 304 with a strong entity tag updates every stored response with it, other variants too.",
    "A stored part answers requests for what is in it.",
    "A part of unknown length answers no request for an end.",
    "Parts that make up the whole are stored as the whole.",
    "Parts that touch answer for what is in both.",
    "Fields of the newer part replace those of the older.",
    "What came of a 200 with a strong entity tag before it broke off is kept as its beginning, and completed.",
    "A stored beginning is completed: only the rest is asked for.",
    "fwd=vary-miss: of the URI, but no variant that fits.",
    "fwd=partial: a part is stored, and not all that is asked for.",
];

#[cfg(feature = "disk")]
type Conversation = (fn() -> vcache::http::Config, &'static [script::Step]);

/// The conversations of a check.
#[cfg(feature = "disk")]
fn conversations(check: &row::Check) -> Vec<Conversation> {
    match check {
        row::Check::All(checks) => checks.iter().flat_map(conversations).collect(),
        row::Check::Serves(config, steps) => vec![(*config, *steps)],
        _ => Vec::new(),
    }
}

#[cfg(feature = "disk")]
#[test]
fn every_conversation_goes_the_same_way_from_disk() {
    let (mut failed, mut count) = (Vec::new(), 0);
    for row in rows().filter(|row| !ONLY_MEMORY.contains(&row.rule)) {
        let is_slow = |step: &script::Step| matches!(step.origin, script::Origin::Slow(..));
        let is_quick = |(_, steps): &Conversation| !steps.iter().any(is_slow);
        for (config, steps) in conversations(&row.check).into_iter().filter(is_quick) {
            count += 1;
            if std::panic::catch_unwind(|| below::run(config(), steps)).is_err() {
                failed.push(format!("{}: {}", row.section, row.rule));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {count} fail:\n{}", failed.len(), failed.join("\n"));
    assert!(count > 50, "{count}");
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
