//! Tables: shown as Markdown as they come, and written with their charts as one page and as JSON.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::chart::Chart;

/// One field of a row.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// A name.
    Text(String),
    /// A number, as exact as it was measured.
    Figure(f64, #[serde(skip)] usize),
}

/// A name.
pub fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

/// A number, shown with so many digits behind the point; a dash if there is none.
#[must_use]
pub const fn figure(value: f64, digits: usize) -> Cell {
    Cell::Figure(value, digits)
}

impl Cell {
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Figure(value, digits) if value.is_finite() => format!("{value:.digits$}"),
            Self::Figure(..) => "–".to_owned(),
        }
    }
}

/// Rows under one heading.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    title: String,
    note: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows; the note says what was done and how to read it.
    #[must_use]
    pub fn new(title: &str, note: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { title: title.to_owned(), note: note.to_owned(), columns, rows: Vec::new() }
    }

    /// Adds a row, with as many cells as there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// All rows.
    #[must_use]
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let align = |at: usize| match self.rows.first().and_then(|row| row.get(at)) {
            Some(Cell::Figure(..)) => "--:|",
            _ => "---|",
        };
        let aligns: String = (0..self.columns.len()).map(align).collect();
        let mut page = format!("### {}\n\n{}\n\n", self.title, self.note);
        page += &format!("| {} |\n|{aligns}\n", self.columns.join(" | "));
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(Cell::shown).collect();
            page += &format!("| {} |\n", cells.join(" | "));
        }
        page
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown() {
        let mut table = Table::new("Speed", "One thread.", &["contender", "ns", "ratio"]);
        table.row([text("verve"), figure(12.345, 1), figure(f64::NAN, 2)]);
        assert_eq!(
            table.markdown(),
            "### Speed\n\nOne thread.\n\n| contender | ns | ratio |\n|---|--:|--:|\n| verve | 12.3 | – |\n"
        );
    }

    #[test]
    fn json_keeps_the_whole_number() {
        let json = serde_json::to_string(&[text("verve"), figure(12.345, 1)]).unwrap();
        assert_eq!(json, r#"["verve",12.345]"#);
    }
}
