//! Tables: shown as Markdown as they come, and written with their charts as one page and as JSON.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::chart::Chart;
use crate::table::Table;

/// The page of one area.
#[derive(Debug, Serialize)]
pub struct Report {
    area: String,
    machine: String,
    tables: Vec<Table>,
    #[serde(skip)]
    charts: Vec<Chart>,
}

impl Report {
    /// An empty page that says on what machine, and how busy it is.
    #[must_use]
    pub fn new(area: &str) -> Self {
        let report = Self {
            area: area.to_owned(),
            machine: machine(),
            tables: Vec::new(),
            charts: Vec::new(),
        };
        println!("## {area}\n\n{}\n", report.machine);
        report
    }

    /// Shows the table and keeps it.
    pub fn add(&mut self, table: Table) {
        println!("{}", table.markdown());
        self.tables.push(table);
    }

    /// Keeps the chart for the page.
    pub fn chart(&mut self, chart: Chart) {
        self.charts.push(chart);
    }

    /// Writes `<area>.md`, `<area>.json` and the charts into `bench` under the target folder.
    ///
    /// # Errors
    ///
    /// Fails when the folder cannot be written.
    pub fn write(&self) -> io::Result<()> {
        let folder = target().join("bench");
        fs::create_dir_all(&folder)?;
        let mut page = format!("## {}\n\n{}\n\n", self.area, self.machine);
        for chart in &self.charts {
            let file = format!("{}-{}.svg", self.area, chart.name());
            fs::write(folder.join(&file), chart.svg())?;
            page += &format!("![{}]({file})\n\n", chart.title());
        }
        for table in &self.tables {
            page += &format!("{}\n", table.markdown());
        }
        fs::write(folder.join(format!("{}.md", self.area)), page)?;
        let json = serde_json::to_string_pretty(self)?;
        fs::write(folder.join(format!("{}.json", self.area)), json)?;
        eprintln!("written: {0}/{1}.md, {0}/{1}.json", folder.display(), self.area);
        Ok(())
    }
}

/// The target folder that this program was built into.
#[must_use]
pub fn target() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or(default, PathBuf::from)
}

/// The processors, and how many were wanted when the run began.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("a processor", |(_, name)| name);
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    format!("{count} × {model}; load average before the run: {load}.")
}
