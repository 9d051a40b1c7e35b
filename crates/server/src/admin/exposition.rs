//! The metrics in the two forms in which they are asked for: Prometheus text, and JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::families::{Family, Value};
use super::figures::Figures;
use super::table::families;
use crate::metrics::{BUCKETS_US, Times};

/// Media type of the text (Prometheus exposition formats, text-based, version 0.0.4).
pub(super) const TEXT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Prometheus text.
pub(super) fn text(figures: &Figures) -> String {
    let mut page = String::with_capacity(16 * 1024);
    for family in families() {
        write_family(&mut page, family, family.value(figures)).expect("a string takes any text");
    }
    page
}

fn write_family(page: &mut String, family: &Family, value: Value) -> std::fmt::Result {
    let name = family.name;
    if matches!(&value, Value::Numbers(_, numbers) if numbers.is_empty()) {
        return Ok(());
    }
    writeln!(page, "# HELP {name} {}\n# TYPE {name} {}", family.help, family.kind())?;
    match value {
        Value::Number(number) => writeln!(page, "{name} {number}"),
        Value::Numbers(label, numbers) => {
            // No label value of ours needs an escape.
            numbers.iter().try_for_each(|(at, number)| writeln!(page, "{name}{{{label}=\"{at}\"}} {number}"))
        }
        Value::Times(times) => write_times(page, name, &times),
    }
}

fn write_times(page: &mut String, name: &str, times: &Times) -> std::fmt::Result {
    let mut count = 0;
    for (bound_us, observations) in BUCKETS_US.iter().zip(times.counts) {
        count += observations;
        writeln!(page, "{name}_bucket{{le=\"{}\"}} {count}", seconds(*bound_us))?;
    }
    let count = total(times);
    writeln!(page, "{name}_bucket{{le=\"+Inf\"}} {count}")?;
    writeln!(page, "{name}_sum {}\n{name}_count {count}", seconds(times.sum_us))
}

/// One JSON object: a number for each metric, an object for one with a label or a histogram.
pub(super) fn json(figures: &Figures) -> Map<String, Json> {
    let shown = |family: &Family| match family.value(figures) {
        Value::Number(value) => number(value),
        Value::Numbers(_, numbers) => numbers.into_iter().map(|(at, value)| (at, number(value))).collect(),
        Value::Times(times) => json!({"count": total(&times), "sum": seconds(times.sum_us)}),
    };
    families().map(|family| (family.name.to_owned(), shown(family))).collect()
}

/// A whole number without a decimal point.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 && value >= 0.0 { json!(value as u64) } else { json!(value) }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn total(times: &Times) -> u64 {
    times.counts.iter().sum()
}
