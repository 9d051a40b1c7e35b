//! The page about the metrics, made from their table.

use std::fmt::Write as _;
use std::path::Path;

use super::table::SECTIONS;

const HEAD: &str = "\
<!-- Written by `cargo xtask docs` from crates/server/src/admin/table.rs; do not edit. -->

# Metrics

`GET /metrics` on `MonitorPrometheus.Listen` (127.0.0.1:9900 unless changed) answers in the Prometheus text
format. With HTTP in `Monitor` the same figures are a JSON object, `GET /` on `MonitorHTTP.Listen`
(127.0.0.1:4000), beside the rates that the statistics line of the log shows, there of the last 5 s. Both answer
`/health`, `/health/live` and `/health/ready` too, without a password.

All counters begin at 0 with the process. How many values a label has is bounded, whatever clients do. A
histogram is shown as `_bucket`, `_sum` and `_count`; its buckets end at 0.00005 s to 2 s. Sizes, and counts of
what is open, are at most a tenth of a second old.
";

/// The reference page of the metrics, Markdown.
pub(super) fn reference_markdown() -> String {
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

#[test]
fn no_cell_breaks_its_table() {
    let page = reference_markdown();
    assert!(page.lines().filter(|line| line.starts_with('|')).all(|line| line.matches('|').count() == 6));
}

/// `UPDATE=1 cargo test` writes it anew.
#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, reference_markdown()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == reference_markdown(), "metrics.md is not fresh: run `cargo xtask docs`");
}
