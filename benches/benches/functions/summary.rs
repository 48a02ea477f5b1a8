//! What criterion measured in this run, as one table of ratios.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use benches::chart::{Chart, Columns};
use benches::report::{Report, target};
use benches::table::{Table, figure, text};
use serde_json::Value;

/// One function of one group, in nanoseconds.
struct Measured {
    group: String,
    function: String,
    nanos: f64,
    when: SystemTime,
}

/// Writes the table of everything measured since `began`; nothing when nothing was.
pub(crate) fn write(began: SystemTime) -> io::Result<()> {
    let mut all = Vec::new();
    // Criterion's own folder: <group>/<function>/new.
    for group in folders(&target().join("criterion"))? {
        for function in folders(&group)? {
            all.extend(read(&function.join("new"), began));
        }
    }
    if all.is_empty() {
        return Ok(());
    }
    all.sort_by_key(|measured| measured.when);
    let mut table = Table::new(
        "Functions",
        "Nanoseconds a call, criterion's median; the last column is the time of the function by that of \
         verve in the same group.",
        &["function", "contender", "ns", "× verve"],
    );
    for measured in &all {
        let same = |other: &&Measured| other.group == measured.group && other.function == "verve";
        let ours = all.iter().find(same).map_or(f64::NAN, |ours| ours.nanos);
        let names = [measured.group.as_str(), &measured.function].map(text);
        let figures = [figure(measured.nanos, 1), figure(measured.nanos / ours, 2)];
        table.row(names.into_iter().chain(figures));
    }
    let columns = Columns { groups: &[0], name: 1, value: 2 };
    let mut report = Report::new("functions");
    report.chart(Chart::of("Functions, ns a call, less is better", &table, columns, |_| true));
    report.add(table);
    report.write()
}

fn folders(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.filter_map(Result::ok);
    Ok(entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

/// A function's names and median, if it was measured in this run.
fn read(folder: &Path, began: SystemTime) -> Option<Measured> {
    let file = folder.join("estimates.json");
    let when = file.metadata().and_then(|data| data.modified()).ok()?;
    let json = |path: &Path| serde_json::from_str::<Value>(&fs::read_to_string(path).ok()?).ok();
    let (estimates, names) = (json(&file)?, json(&folder.join("benchmark.json"))?);
    let name = |key| names.get(key).and_then(Value::as_str).map(str::to_owned);
    let measured = Measured {
        group: name("group_id")?,
        function: name("function_id")?,
        nanos: estimates.get("median")?.get("point_estimate")?.as_f64()?,
        when,
    };
    (when >= began).then_some(measured)
}
