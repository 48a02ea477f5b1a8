//! Horizontal bars in groups, as SVG that needs nothing else.

use std::fmt::Write;

use crate::table::{Cell, Table};

const WIDTH: f64 = 760.0;
const LEFT: f64 = 250.0;
const BAR: f64 = 16.0;
const HEAD: f64 = 22.0;
/// Ours first, then peers, told apart by the colour-blind too (Okabe and Ito).
const COLOURS: [&str; 7] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];

/// A bar chart.
#[derive(Debug, Clone)]
pub struct Chart {
    title: String,
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    name: String,
    bars: Vec<(String, f64)>,
}

/// Which columns of a table make a chart.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// Rows with the same texts here stand together under them.
    pub groups: &'a [usize],
    /// Who a bar belongs to.
    pub name: usize,
    /// How long it is.
    pub value: usize,
}

impl Chart {
    /// Draws the rows that `which` takes.
    #[must_use]
    pub fn of(
        title: &str,
        table: &Table,
        columns: Columns<'_>,
        which: impl Fn(&[Cell]) -> bool,
    ) -> Self {
        let mut chart = Self { title: title.to_owned(), groups: Vec::new() };
        for row in table.rows().iter().filter(|row| which(row)) {
            let shown = |at: usize| match row.get(at) {
                Some(Cell::Text(text)) => text.clone(),
                Some(Cell::Figure(value, digits)) => format!("{value:.digits$}"),
                None => String::new(),
            };
            let group: Vec<_> = columns.groups.iter().map(|at| shown(*at)).collect();
            if let Some(Cell::Figure(value, _)) = row.get(columns.value)
                && value.is_finite()
            {
                chart.bar(&group.join(", "), shown(columns.name), *value);
            }
        }
        chart
    }

    fn bar(&mut self, group: &str, name: String, value: f64) {
        match self.groups.iter_mut().find(|known| known.name == group) {
            Some(known) => known.bars.push((name, value)),
            None => self.groups.push(Group { name: group.to_owned(), bars: vec![(name, value)] }),
        }
    }

    /// The title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The title as a part of a file's name.
    #[must_use]
    pub fn name(&self) -> String {
        let words = self.title.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
    }

    /// The drawing. Bars are as long as their share of the longest one of their group.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut body = String::new();
        let mut y = 30.0;
        for group in &self.groups {
            line(&mut body, (8.0, y + 14.0), "bold", &group.name);
            y += HEAD;
            let longest = group.bars.iter().map(|(_, value)| *value).fold(f64::MIN, f64::max);
            for ((name, value), colour) in group.bars.iter().zip(COLOURS.iter().cycle()) {
                let width =
                    (WIDTH - LEFT - 90.0) * (value / longest.max(f64::MIN_POSITIVE)).max(0.0);
                line(&mut body, (24.0, y + 12.0), "normal", name);
                let _ = write!(
                    body,
                    "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\" fill=\"{colour}\"/>",
                    BAR - 3.0,
                );
                line(&mut body, (LEFT + width + 6.0, y + 12.0), "normal", &short(*value));
                y += BAR;
            }
            y += 8.0;
        }
        let mut title = String::new();
        line(&mut title, (8.0, 20.0), "bold", &self.title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" font-family=\"sans-serif\" font-size=\"12\">\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{title}{body}</svg>\n"
        )
    }
}

fn line(body: &mut String, (x, y): (f64, f64), weight: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    // Writing to a string cannot fail.
    let _ = write!(body, "<text x=\"{x:.1}\" y=\"{y}\" font-weight=\"{weight}\">{text}</text>");
}

/// Three digits or so.
fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{figure, text};

    #[test]
    fn rows_of_a_group_stand_together() {
        let mut table = Table::new("t", "n", &["scenario", "contender", "ns"]);
        table.row([text("hit"), text("verve"), figure(10.0, 1)]);
        table.row([text("miss"), text("verve"), figure(20.0, 1)]);
        table.row([text("hit"), text("a<b"), figure(40.0, 1)]);
        let columns = Columns { groups: &[0], name: 1, value: 2 };
        let chart = Chart::of("Speed, ns", &table, columns, |_| true);
        assert_eq!(chart.groups.len(), 2);
        assert_eq!(chart.name(), "speed-ns");
        let svg = chart.svg();
        assert!(svg.contains("a&lt;b") && svg.contains("width=\"105.0\""), "{svg}");
    }
}
