//! What a measurement found: a table, and figures beside what is asked of them; for people or as JSON.

use std::fmt::{self, Write};

use serde_json::{Map, Value, json};

/// A table and the figures that count.
#[derive(Debug)]
pub(crate) struct Report {
    /// The measurement's own name.
    pub(crate) name: &'static str,
    /// What was measured, in a sentence.
    pub(crate) about: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
    pub(crate) figures: Vec<Figure>,
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Count(u64),
    /// Shown with that many decimals.
    Number(f64, usize),
    /// Not known in this row.
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => f.write_str(&grouped(*count)),
            Self::Number(number, decimals) => write!(f, "{number:.decimals$}"),
            Self::Empty => f.write_str("-"),
        }
    }
}

impl Cell {
    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) => json!(count),
            Self::Number(number, _) => json!(number),
            Self::Empty => Value::Null,
        }
    }
}

/// A number that something is asked of.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) asked: Option<Asked>,
}

/// What is asked of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    AtMost { required: f64, target: f64 },
    AtLeast { required: f64, target: f64 },
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, asked: None }
    }

    pub(crate) fn at_most(self, required: f64, target: f64) -> Self {
        Self { asked: Some(Asked::AtMost { required, target }), ..self }
    }

    pub(crate) fn at_least(self, required: f64, target: f64) -> Self {
        Self { asked: Some(Asked::AtLeast { required, target }), ..self }
    }

    /// Whether requirement and target are met.
    fn met(&self) -> Option<(bool, bool)> {
        Some(match self.asked? {
            Asked::AtMost { required, target } => (self.value <= required, self.value <= target),
            Asked::AtLeast { required, target } => (self.value >= required, self.value >= target),
        })
    }

    fn to_json(&self) -> Value {
        let mut object = json!({"name": self.name, "value": self.value, "unit": self.unit});
        if let (Some(asked), Some((required_met, target_met))) = (self.asked, self.met()) {
            let (side, required, target) = asked.parts();
            object[side] = json!({"required": required, "target": target});
            object["required_met"] = json!(required_met);
            object["target_met"] = json!(target_met);
        }
        object
    }
}

impl Asked {
    fn parts(self) -> (&'static str, f64, f64) {
        match self {
            Self::AtMost { required, target } => ("at_most", required, target),
            Self::AtLeast { required, target } => ("at_least", required, target),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.name, short(self.value), self.unit)?;
        let (Some(asked), Some((required_met, target_met))) = (self.asked, self.met()) else { return Ok(()) };
        let (side, required, target) = asked.parts();
        let word = |met| if met { "met" } else { "missed" };
        write!(
            f,
            "  ({}: required {} {}, target {} {})",
            side.replace('_', " "),
            short(required),
            word(required_met),
            short(target),
            word(target_met)
        )
    }
}

impl Report {
    /// One without a table and figures yet.
    pub(crate) fn new(name: &'static str, about: String) -> Self {
        Self { name, about, columns: Vec::new(), rows: Vec::new(), figures: Vec::new() }
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let head = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let cells = self.rows.iter().map(|row| row.iter().map(Cell::to_string).collect());
        let lines: Vec<Vec<String>> = std::iter::once(head).chain(cells).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = format!("{}: {}\n\n", self.name, self.about);
        for line in &lines {
            for (cell, width) in line.iter().zip(&widths) {
                write!(text, "  {cell:>width$}").expect("a String takes everything");
            }
            text.push('\n');
        }
        text.push('\n');
        for figure in &self.figures {
            writeln!(text, "  {figure}").expect("a String takes everything");
        }
        text
    }

    /// For programs: one object.
    pub(crate) fn to_json(&self) -> Value {
        let row = |row: &Vec<Cell>| {
            let fields =
                self.columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.to_json()));
            Value::Object(fields.collect::<Map<_, _>>())
        };
        json!({
            "bench": self.name,
            "about": self.about,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "figures": self.figures.iter().map(Figure::to_json).collect::<Vec<_>>(),
        })
    }
}

/// A whole number from ten thousand on, else about three digits.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => grouped(value as u64),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            name: "fanout",
            about: "what it is".into(),
            columns: vec!["who", "us"],
            rows: vec![vec!["server".into(), Cell::Number(10.25, 1)], vec!["raw".into(), Cell::Empty]],
            figures: vec![
                Figure::new("ratio", 1.2, "x").at_most(1.3, 1.1),
                Figure::new("rate", 3_000_000.0, "a second"),
            ],
        }
    }

    #[test]
    fn a_table_lines_up_and_figures_say_what_is_asked() {
        let text = report().to_text();
        assert!(text.contains("     who    us\n  server  10.2\n     raw     -\n"), "{text}");
        assert!(text.contains("ratio: 1.20 x  (at most: required 1.30 met, target 1.10 missed)"), "{text}");
        assert!(text.contains("rate: 3,000,000 a second\n"), "{text}");
    }

    #[test]
    fn json_has_rows_by_column_and_verdicts() {
        let json = report().to_json();
        assert_eq!(json["rows"][0]["us"], 10.25);
        assert_eq!(json["rows"][1]["us"], Value::Null);
        assert_eq!(json["figures"][0]["required_met"], true);
        assert_eq!(json["figures"][0]["at_most"]["target"], 1.1);
    }

    #[test]
    fn more_is_better_where_at_least_is_asked() {
        let figure = Figure::new("rate", 5.0, "").at_least(4.0, 6.0);
        assert_eq!(figure.met(), Some((true, false)));
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
