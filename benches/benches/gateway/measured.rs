//! What the rounds of one contender in one scenario gave, and the page of all.

use std::io;

use benches::chart::{Chart, Columns};
use benches::contender::Contender;
use benches::figures::median;
use benches::load::wrk;
use benches::report::Report;
use benches::table::{Table, figure, text};

const PEER: &str = "nginx";

/// The figures of one contender in one scenario, one entry a round.
pub(crate) struct Measured {
    scenario: &'static str,
    contender: String,
    /// Head and body of one answer.
    bytes: usize,
    /// CPU time a request, in microseconds.
    cpu: Vec<f64>,
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    errors: u64,
}

impl Measured {
    pub(crate) fn new(scenario: &'static str, contender: &str, bytes: usize) -> Self {
        let (cpu, per_second, p50, p99) = Default::default();
        let contender = contender.to_owned();
        Self { scenario, contender, bytes, cpu, per_second, p50, p99, errors: 0 }
    }

    /// A short warm-up, then load with the contender's CPU time read before and after.
    pub(crate) fn round(
        &mut self,
        contender: &Contender,
        url: &str,
        headers: &[&str],
        connections: usize,
        seconds: u32,
    ) -> io::Result<()> {
        wrk(url, headers, connections, 1, 1)?;
        let before = contender.cpu_seconds();
        let load = wrk(url, headers, connections, seconds, 1)?;
        let cpu = contender.cpu_seconds() - before;
        self.cpu.push(cpu * 1e6 / load.requests as f64);
        self.per_second.push(load.per_second);
        self.p50.push(load.p50_ms);
        self.p99.push(load.p99_ms);
        self.errors += load.errors;
        Ok(())
    }
}

/// The page: one table, and charts of CPU time and throughput.
pub(crate) fn report(all: &[Measured]) -> Report {
    let mut report = Report::new("gateway");
    let mut table = Table::new(
        "Gateway",
        "CPU µs is user and system time of all processes of the contender for each request; `× nginx` \
         stands behind what it is of, below 1 is better for CPU, above 1 for requests. Bytes are one \
         answer's, head and body. Medians of the rounds.",
        &[
            "scenario",
            "contender",
            "CPU µs",
            "× nginx",
            "requests/s",
            "× nginx",
            "p50 ms",
            "p99 ms",
            "bytes",
            "errors",
        ],
    );
    for measured in all {
        let of_peer =
            |other: &&Measured| other.scenario == measured.scenario && other.contender == PEER;
        let ratio = |of: fn(&Measured) -> f64| {
            all.iter().find(of_peer).map_or(f64::NAN, |peer| of(measured) / of(peer))
        };
        let (cpu, rate) = (|m: &Measured| median(&m.cpu), |m: &Measured| median(&m.per_second));
        table.row([
            text(measured.scenario),
            text(measured.contender.as_str()),
            figure(cpu(measured), 1),
            figure(ratio(cpu), 2),
            figure(rate(measured), 0),
            figure(ratio(rate), 2),
            figure(median(&measured.p50), 2),
            figure(median(&measured.p99), 2),
            figure(measured.bytes as f64, 0),
            figure(measured.errors as f64, 0),
        ]);
    }
    let columns = |value| Columns { groups: &[0], name: 1, value };
    let title = "CPU microseconds a request, less is better";
    report.chart(Chart::of(title, &table, columns(2), |_| true));
    report.chart(Chart::of("Requests a second, more is better", &table, columns(4), |_| true));
    report.add(table);
    report
}
