//! Load by wrk, and what it says.

use std::io;
use std::process::Command;

/// What one run of load gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    /// Requests answered.
    pub requests: u64,
    /// Requests answered a second.
    pub per_second: f64,
    /// Half the answers came within this many milliseconds.
    pub p50_ms: f64,
    /// All but one in a hundred came within this many milliseconds.
    pub p99_ms: f64,
    /// Answers that were no 2xx or 3xx, and broken connections.
    pub errors: u64,
}

/// Drives `connections` keep-alive connections at `url` for `seconds` from processor `cpu`.
///
/// # Errors
///
/// Fails when wrk is missing (`apt-get install wrk`) or its report cannot be read.
pub fn wrk(
    url: &str,
    headers: &[&str],
    connections: usize,
    seconds: u32,
    cpu: usize,
) -> io::Result<Load> {
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string(), "wrk", "--latency", "-t1"]);
    command.args([format!("-c{connections}"), format!("-d{seconds}s")]);
    for header in headers {
        command.args(["-H", header]);
    }
    let output = command.arg(url).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    read(&text).ok_or_else(|| io::Error::other(format!("wrk's report cannot be read:\n{text}")))
}

fn read(text: &str) -> Option<Load> {
    // The last line but one of every report, also where nothing was answered.
    if !text.contains("Requests/sec:") {
        return None;
    }
    let mut load = Load::default();
    for line in text.lines() {
        note(line, &mut load)?;
    }
    Some(load)
}

fn note(line: &str, load: &mut Load) -> Option<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["50%", time] => load.p50_ms = millis(time)?,
        ["99%", time] => load.p99_ms = millis(time)?,
        ["Requests/sec:", rate] => load.per_second = rate.parse().ok()?,
        [count, "requests", "in", ..] => load.requests = count.parse().ok()?,
        ["Non-2xx", "or", "3xx", "responses:", count] => load.errors += number(count)?,
        ["Socket", "errors:", counts @ ..] => {
            load.errors += counts.iter().filter_map(|count| number(count)).sum::<u64>();
        }
        _ => {}
    }
    Some(())
}

fn number(word: &str) -> Option<u64> {
    word.trim_end_matches(',').parse().ok()
}

fn millis(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().ok().map(|number| number * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Running 2s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms  300.00us   9.00ms   90.00%
  Latency Distribution
     50%    1.10ms
     75%    1.30ms
     90%    1.50ms
     99%    2.50ms
  120000 requests in 2.00s, 150.00MB read
  Socket errors: connect 0, read 3, write 0, timeout 1
  Non-2xx or 3xx responses: 7
Requests/sec:  60000.00
Transfer/sec:     75.00MB
";

    #[test]
    fn the_report_is_read() {
        let load = read(REPORT).unwrap();
        assert_eq!((load.requests, load.errors), (120_000, 11));
        assert!((load.p99_ms - 2.5).abs() < 1e-9);
        assert!((load.per_second - 60_000.0).abs() < 1e-9);
        assert!(read("unable to connect").is_none());
    }
}
