//! vgate beside nginx, HAProxy and Varnish: CPU for each request, and requests a second.
//!
//! Each contender runs with one worker on processor 0; the origin (nginx with static files) and wrk
//! share processor 1. Contenders take turns in every round; the table shows medians.
//! `VERVE_BENCH_ROUNDS` and `VERVE_BENCH_SECONDS` change how many rounds (5) and how long each (2);
//! words name parts of scenarios: `cargo xtask bench gateway hit`.
#![expect(
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a harness for people: a table on standard output, progress on standard error"
)]

mod measured;
mod nginx;
mod peers;
mod vgate;

use std::env;
use std::fs;
use std::io;
use std::path::Path;

use benches::asked::Asked;
use benches::contender::Contender;
use benches::probe;

use crate::measured::Measured;

/// What is asked for, how, over how many connections.
struct Scenario {
    name: &'static str,
    path: &'static str,
    connections: usize,
    /// `Accept-Encoding`, and what must come back.
    coding: Option<&'static str>,
    /// Who cannot, or need not, take part.
    without: &'static [&'static str],
}

const fn scenario(name: &'static str, path: &'static str) -> Scenario {
    Scenario { name, path, connections: 64, coding: None, without: &[] }
}

/// HAProxy is here for what passes through. Debian's nginx and Varnish have no brotli.
const SCENARIOS: [Scenario; 9] = [
    scenario("pass-through 1 KiB", "/plain/1k.json"),
    scenario("pass-through 100 KiB", "/plain/100k.json"),
    Scenario {
        connections: 1000,
        ..scenario("pass-through 1 KiB, 1,000 connections", "/plain/1k.json")
    },
    Scenario { without: &["haproxy"], ..scenario("hit 1 KiB", "/cached/1k.json") },
    Scenario { without: &["haproxy"], ..scenario("hit 64 KiB", "/cached/64k.json") },
    Scenario {
        without: &["haproxy"],
        ..scenario("hit 64 KiB, could be coded, identity asked", "/coded/64k.json")
    },
    Scenario {
        coding: Some("gzip"),
        without: &["haproxy"],
        ..scenario("hit 64 KiB, gzip", "/coded/64k.json")
    },
    Scenario {
        coding: Some("br"),
        without: &["haproxy", "nginx", "varnish"],
        ..scenario("hit 64 KiB, br", "/coded/64k.json")
    },
    Scenario {
        coding: Some("zstd"),
        without: &["haproxy", "nginx", "varnish"],
        ..scenario("hit 64 KiB, zstd", "/coded/64k.json")
    },
];

/// Fields that browsers send, so that parsing costs what it costs in life.
const HEADERS: [&str; 3] =
    ["User-Agent: Mozilla/5.0 (X11; Linux x86_64)", "Accept: */*", "Accept-Language: en-GB,en"];

fn main() -> io::Result<()> {
    let Some(asked) = Asked::read() else {
        return Ok(());
    };
    let seconds = env::var("VERVE_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let folder = tempfile::Builder::new().prefix("verve-bench").tempdir_in("/dev/shm")?;
    let folder = folder.path();
    let origin = origin(folder)?;
    let address = origin.address();
    let mut contenders = Vec::new();
    for start in [nginx::start, peers::haproxy, peers::varnish, vgate::start] {
        contenders.extend(start(&asked, folder, address)?);
    }
    let chosen =
        |name: &str| asked.part(name) || name.split([' ', ',']).any(|word| asked.part(word));
    let mut all = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| chosen(scenario.name)) {
        let part = |c: &&Contender| !scenario.without.contains(&c.name());
        let contenders: Vec<&Contender> = contenders.iter().filter(part).collect();
        all.extend(measure(scenario, &contenders, asked.rounds(5), seconds.unwrap_or(2))?);
    }
    measured::report(&all).write()
}

/// All rounds of one scenario.
fn measure(
    scenario: &Scenario,
    contenders: &[&Contender],
    rounds: usize,
    seconds: u32,
) -> io::Result<Vec<Measured>> {
    let mut headers: Vec<String> = HEADERS.map(str::to_owned).into();
    headers.extend(scenario.coding.map(|coding| format!("Accept-Encoding: {coding}")));
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let new = |contender: &&Contender| {
        let bytes = prove(scenario, contender, &headers)?;
        Ok(Measured::new(scenario.name, contender.name(), bytes))
    };
    let mut all = contenders.iter().map(new).collect::<io::Result<Vec<_>>>()?;
    for round in 0..rounds {
        eprintln!("{}: round {} of {rounds}", scenario.name, round + 1);
        let mut order: Vec<_> = contenders.iter().zip(&mut all).collect();
        order.rotate_left(round % contenders.len().max(1));
        for (contender, measured) in order {
            let url = format!("http://{}{}", contender.address(), scenario.path);
            measured.round(contender, &url, &headers, scenario.connections, seconds)?;
        }
    }
    Ok(all)
}

/// Asks twice, so that what can be stored is, and sees that the answer is the right one; its bytes.
fn prove(scenario: &Scenario, contender: &Contender, headers: &[&str]) -> io::Result<usize> {
    probe::get(contender.address(), scenario.path, headers)?;
    let answer = probe::get(contender.address(), scenario.path, headers)?;
    let expected = scenario.coding.unwrap_or("identity");
    if (answer.status, answer.coding.as_str()) == (200, expected) {
        return Ok(answer.bytes);
    }
    let (scenario, contender) = (scenario.name, contender.name());
    Err(io::Error::other(format!("{scenario}: {contender} answers otherwise: {answer:?}")))
}

/// nginx with static files: an origin that nobody here wrote.
fn origin(folder: &Path) -> io::Result<Contender> {
    let root = folder.join("root");
    for part in ["plain", "cached", "coded"] {
        fs::create_dir_all(root.join(part))?;
        for (name, size) in [("1k.json", 1024), ("64k.json", 65_536), ("100k.json", 102_400)] {
            fs::write(root.join(part).join(name), json(size))?;
        }
    }
    nginx::origin(folder, &root)
}

/// JSON-like text of exactly `size` bytes.
fn json(size: usize) -> String {
    let mut text = String::with_capacity(size + 64);
    text.push('[');
    let mut at = 0;
    while text.len() < size {
        text.push_str(&format!(
            "{{\"id\":{at},\"name\":\"item {}\",\"price\":{}}},",
            at * 7919 % 997,
            at * 31 % 500
        ));
        at += 1;
    }
    text.truncate(size - 1);
    text.push(']');
    text
}
