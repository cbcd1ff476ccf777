//! Tables for people to read: columns as wide as what stands in them.

use core::fmt::Write as _;

/// Rows under a headline; numbers stand at the right of their column.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(columns: &[&str]) -> Self {
        Self { rows: vec![columns.iter().map(|&name| name.to_owned()).collect()] }
    }

    /// Adds a row, one cell per column.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether there is nothing but the headline.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// The lines, each indented by so many spaces.
    pub(super) fn render(&self, indent: usize) -> String {
        let columns = self.rows[0].len();
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let widths: Vec<usize> = (0..columns)
            .map(|column| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let numeric: Vec<bool> = (0..columns)
            .map(|column| {
                !self.is_empty() && cells(column).skip(1).all(|cell| cell.parse::<i64>().is_ok())
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for ((cell, width), numeric) in row.iter().zip(&widths).zip(&numeric) {
                let written = if *numeric {
                    write!(line, "{cell:>width$}  ")
                } else {
                    write!(line, "{cell:<width$}  ")
                };
                written.expect("writing to a string");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_needed() {
        let mut table = Table::new(&["NAME", "COUNT"]);
        table.row(vec!["long name".into(), "7".into()]);
        table.row(vec!["x".into(), "123456".into()]);
        let expected = "  NAME        COUNT\n  long name       7\n  x          123456\n";
        assert_eq!(table.render(2), expected);
    }
}
