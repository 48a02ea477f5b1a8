//! A table of the report: names and figures under one heading, as Markdown and as JSON.

use serde::Serialize;

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
