//! A table of texts, for the terminal or as Markdown.

use std::fmt::Write;

/// Rows under headers. The first column stands on the left, the others on the right.
#[derive(Debug, Clone, Default)]
pub struct Table {
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty one.
    pub fn new(headers: &[&str]) -> Self {
        Self {
            headers: headers.iter().map(|&header| header.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.headers).chain(&self.rows)
    }

    /// With columns as wide as their widest cell.
    pub fn to_text(&self) -> String {
        let columns = self.lines().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.lines().filter_map(move |line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for line in self.lines() {
            text.push_str("   ");
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Writing into a text does not fail.
                let _ = match column {
                    0 => write!(text, " {cell:<width$}"),
                    _ => write!(text, "  {cell:>width$}"),
                };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    /// As a table of Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        for (number, line) in self.lines().enumerate() {
            let _ = writeln!(text, "| {} |", line.join(" | "));
            if number == 0 {
                let rule: Vec<&str> = (0..line.len())
                    .map(|column| if column == 0 { "---" } else { "---:" })
                    .collect();
                let _ = writeln!(text, "| {} |", rule.join(" | "));
            }
        }
        text
    }
}

/// A number with as many digits as mean something: three, and no more than three decimals.
pub fn figure(value: f64) -> String {
    match value.abs() {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["who", "ms"]);
        table.row(["ours", "1"]);
        table.row(["the other", "120"]);
        table
    }

    #[test]
    fn columns_are_aligned() {
        assert_eq!(
            table().to_text(),
            "    who         ms\n    ours         1\n    the other  120\n"
        );
    }

    #[test]
    fn markdown_has_a_rule_under_the_headers() {
        assert_eq!(
            table().to_markdown(),
            "| who | ms |\n| --- | ---: |\n| ours | 1 |\n| the other | 120 |\n"
        );
    }

    #[test]
    fn figures_have_three_digits() {
        let figures = [1234.5, 99.95, 2.345, 0.3456, 0.0].map(figure);
        assert_eq!(figures, ["1234", "100.0", "2.35", "0.346", "0.000"]);
    }
}
