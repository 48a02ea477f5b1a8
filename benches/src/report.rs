//! Medians and ratios, as a Markdown table and as JSON.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

/// The figures of one contender in one scenario, one entry a round.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// What was done.
    pub scenario: String,
    /// Who did it.
    pub contender: String,
    /// CPU time a request, in microseconds.
    pub cpu_us: Vec<f64>,
    /// Requests answered a second.
    pub per_second: Vec<f64>,
    /// Latency that 99 of 100 stayed under, in milliseconds.
    pub p99_ms: Vec<f64>,
    /// Failed requests.
    pub errors: u64,
}

/// The middle of the figures, or NaN of none.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The rows as a Markdown table; ratios are against `peer` in the same scenario.
#[must_use]
pub fn table(rows: &[Row], peer: &str) -> String {
    let mut text = format!(
        "| scenario | contender | CPU µs a request | against {peer} | requests/s | against {peer} | p99 ms | errors |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n"
    );
    for row in rows {
        let base = rows.iter().find(|r| r.scenario == row.scenario && r.contender == peer);
        text.push_str(&line(row, base));
    }
    text
}

fn line(row: &Row, base: Option<&Row>) -> String {
    let ratio = |of: fn(&Row) -> f64| base.map_or(f64::NAN, |base| of(row) / of(base));
    let cpu = |row: &Row| median(&row.cpu_us);
    let rate = |row: &Row| median(&row.per_second);
    format!(
        "| {} | {} | {:.1} | {:.2} | {:.0} | {:.2} | {:.2} | {} |\n",
        row.scenario,
        row.contender,
        cpu(row),
        ratio(cpu),
        rate(row),
        ratio(rate),
        median(&row.p99_ms),
        row.errors,
    )
}

/// Writes `<area>.md` and `<area>.json` into `folder`.
///
/// # Errors
///
/// Fails when the folder cannot be written.
pub fn write(folder: &Path, area: &str, rows: &[Row], peer: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{area}.md")), table(rows, peer))?;
    fs::write(folder.join(format!("{area}.json")), serde_json::to_string_pretty(rows)?)?;
    eprintln!("written: {0}/{area}.md, {0}/{area}.json", folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(contender: &str, cpu: f64) -> Row {
        Row {
            scenario: "hit".to_owned(),
            contender: contender.to_owned(),
            cpu_us: vec![cpu, cpu + 2.0, cpu + 1.0],
            per_second: vec![100.0],
            p99_ms: vec![1.0],
            errors: 0,
        }
    }

    #[test]
    fn a_ratio_is_against_the_peer_of_the_same_scenario() {
        let text = table(&[row("nginx", 19.0), row("vgate", 9.0)], "nginx");
        assert!(text.contains("| hit | vgate | 10.0 | 0.50 |"), "{text}");
    }

    #[test]
    fn the_median_of_nothing_is_no_number() {
        assert!(median(&[]).is_nan());
    }
}
