//! The page about the metrics, made from their table.

use std::fmt::Write as _;

use super::table::SECTIONS;

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from crates/server/src/admin/table.rs; do not edit. -->

# Metrics

`GET /metrics` on `MonitorPrometheus.Listen` (127.0.0.1:9900 unless changed) answers in the Prometheus text format.
With `Monitor = HTTP` the same figures are one JSON object, `GET /` on `MonitorHTTP.Listen` (127.0.0.1:4000), behind
the rates of the statistics line. Both also answer `/health`, `/health/live` and `/health/ready`, without a password.

All counters begin at 0 with the process. What a label can say is bounded, whatever clients do. A histogram is shown
as `_bucket`, `_sum` and `_count`; its buckets end at 50 \u{b5}s to 2 s. Sizes and counts of open things are at most a tenth
of a second old.
";

/// The reference page of the metrics, Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = HEAD.to_owned();
    for (title, families) in SECTIONS {
        let _ = write!(
            page,
            "\n## {title}\n\n| metric | label | type | unit | meaning |\n| --- | --- | --- | --- | --- |\n"
        );
        for family in *families {
            let label = family.label().map_or("-".to_owned(), |label| format!("`{label}`"));
            let (kind, unit) = (family.kind(), family.unit().unwrap_or("-"));
            let _ = writeln!(page, "| `{}` | {label} | {kind} | {unit} | {} |", family.name, family.help);
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn no_cell_breaks_its_table() {
        let page = reference_markdown();
        assert!(page.lines().filter(|line| line.starts_with('|')).all(|line| line.matches('|').count() == 6));
    }

    #[test]
    fn the_page_is_fresh() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(found == reference_markdown(), "docs/reference/metrics.md is not fresh: cargo xtask docs");
    }
}
