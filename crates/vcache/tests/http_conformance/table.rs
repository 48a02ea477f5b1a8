//! The table as a Markdown document.

use std::fmt::Write as _;

use crate::row::{Check, Level, Row};
use crate::wire::{Wire, wire};

const HEAD: &str = "# Conformance\n\n\
    What RFC 9110, 9111, 9112, 5861, 8246, 9211, 9213 and 9875 ask of a shared cache, and where it is tested. \
    Made from the rows in `tests/http_conformance/`, which run with every test: do not edit it by \
    hand.\n\n\
    *Level*: MUST, SHOULD and MAY are the RFC's words; *rule* is a definition or a way of \
    computing; *choice* is left open by the RFC or not followed on purpose, and the rule says how \
    it is here. *Checked*: *rules* calls the pure functions of `vcache::http::policy`, *cache* \
    sends requests through the layer to a scripted origin; *h1* and *h2* send them over sockets \
    to a running vgate before a scripted origin, in HTTP/1.1 and HTTP/2 (`conformance` among \
    vgate's tests): all of the rule that shows from outside.\n";

pub(crate) fn render(rows: impl Iterator<Item = &'static Row>) -> String {
    let rows: Vec<_> = rows.collect();
    let mut text = HEAD.to_owned();
    let count = |level| rows.iter().filter(|row| row.level == level).count();
    let _ = write!(
        text,
        "\n{} rows, all passing: {} MUST, {} SHOULD, {} MAY, {} rules, {} choices.\n",
        rows.len(),
        count(Level::Must),
        count(Level::Should),
        count(Level::May),
        count(Level::Rule),
        count(Level::Choice),
    );
    let on = |least: Wire| rows.iter().filter(|row| wire(row.check) >= least).count();
    let _ = writeln!(
        text,
        "\nThrough a running vgate: {} rows over HTTP/1.1, {} over HTTP/2.",
        on(Wire::Http1),
        on(Wire::Both),
    );
    let mut document = "";
    let mut sorted = rows.clone();
    sorted.sort_by_key(|row| place(row.section));
    for row in sorted {
        let (rfc, section) = row.section.split_once(" §").unwrap();
        if rfc != document {
            document = rfc;
            let _ =
                write!(text, "\n## {rfc}\n\n| § | Level | Rule | Checked |\n|---|---|---|---|\n");
        }
        let level = level(row.level);
        let _ = writeln!(text, "| {section} | {level} | {} | {} |", row.rule, how(row.check));
    }
    text
}

/// By RFC, with caching itself first, and then by the numbers of the section.
fn place(section: &str) -> (usize, Vec<u32>) {
    let (rfc, section) = section.split_once(" §").unwrap();
    let order = [
        "RFC 9111", "RFC 9110", "RFC 9112", "RFC 5861", "RFC 8246", "RFC 9211", "RFC 9213",
        "RFC 9875",
    ];
    let rfc = order.iter().position(|known| *known == rfc).expect("a known RFC");
    (rfc, section.split('.').map(|number| number.parse().unwrap()).collect())
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
        Level::Rule => "rule",
        Level::Choice => "choice",
    }
}

fn how(check: Check) -> String {
    let here = match check {
        Check::Serves(..) | Check::All([Check::Serves(..), ..]) => "cache",
        Check::Gate(_) => "",
        _ => "rules",
    };
    let there: &[&str] = match wire(check) {
        Wire::None => &[],
        Wire::Http1 => &["h1"],
        Wire::Both => &["h1", "h2"],
    };
    let all: Vec<_> =
        Some(here).into_iter().filter(|h| !h.is_empty()).chain(there.iter().copied()).collect();
    all.join(", ")
}
