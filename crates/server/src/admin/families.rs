//! The form of a metric's declaration.

use super::figures::Figures;
use crate::metrics::Times;

/// A metric, or several that differ in one label.
pub(super) struct Family {
    /// Begins with `sterna_`; the unit, then `_total` for a counter, come last.
    pub(super) name: &'static str,
    /// One or two sentences, without backslash or line end.
    pub(super) help: &'static str,
    /// How it is read.
    pub(super) reading: Reading,
}

/// Type of a metric, and how its values are read.
pub(super) enum Reading {
    /// A number that only grows while the process lives.
    Counter(fn(&Figures) -> f64),
    /// Such numbers, one for each value of a label.
    Counters(&'static str, fn(&Figures) -> Labelled),
    /// A number that goes up and down.
    Gauge(fn(&Figures) -> f64),
    /// Such numbers, one for each value of a label.
    Gauges(&'static str, fn(&Figures) -> Labelled),
    /// How often something took how long.
    Histogram(fn(&Figures) -> Times),
}

/// Values of a label with their numbers. How many there are is bounded, whatever clients do.
pub(super) type Labelled = Vec<(String, f64)>;

/// What a family holds at one moment.
pub(super) enum Value {
    Number(f64),
    Numbers(&'static str, Labelled),
    Times(Times),
}

impl Family {
    pub(super) fn value(&self, figures: &Figures) -> Value {
        match self.reading {
            Reading::Counter(read) | Reading::Gauge(read) => Value::Number(read(figures)),
            Reading::Counters(label, read) | Reading::Gauges(label, read) => {
                Value::Numbers(label, read(figures))
            }
            Reading::Histogram(read) => Value::Times(read(figures)),
        }
    }

    /// Type, as the text format calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self.reading {
            Reading::Counter(_) | Reading::Counters(..) => "counter",
            Reading::Gauge(_) | Reading::Gauges(..) => "gauge",
            Reading::Histogram(_) => "histogram",
        }
    }

    /// Name of the label, if it has one.
    #[cfg(test)]
    pub(super) fn label(&self) -> Option<&'static str> {
        match self.reading {
            Reading::Counters(label, _) | Reading::Gauges(label, _) => Some(label),
            Reading::Counter(_) | Reading::Gauge(_) | Reading::Histogram(_) => None,
        }
    }

    /// Unit, as the name says it; none for plain numbers.
    #[cfg(test)]
    pub(super) fn unit(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["bytes", "seconds"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")))
    }
}
