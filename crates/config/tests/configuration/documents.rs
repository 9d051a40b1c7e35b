//! The reference page and the default file are what the code says. `UPDATE=1 cargo test` writes them anew.

use std::path::Path;

use sterna_config::{Config, default_file, parameters, reference_markdown};

use crate::short::loaded;

/// Compares a document of the project with what it should be.
#[expect(clippy::disallowed_methods, reason = "this test is the one that reads and writes the documents")]
fn is_fresh(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, expected).expect("the project can be written to");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is not fresh: UPDATE=1 cargo test -p sterna-config", path.display());
}

#[test]
fn the_reference_page_is_fresh() {
    is_fresh("docs/reference/configuration.md", &reference_markdown());
}

#[test]
fn the_default_file_is_fresh() {
    is_fresh("sterna.conf", &default_file());
}

#[test]
fn the_default_file_says_nothing_as_it_stands() {
    assert_eq!(loaded(&default_file()).config, Config::default());
}

#[test]
fn each_default_in_the_default_file_is_the_default() {
    // A parameter is commented out without a blank after the `#`; the path of a secret stands for its value.
    let uncomment = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_alphabetic()) => format!("{rest}\n"),
        _ => String::new(),
    };
    let text: String = default_file().lines().map(uncomment).collect();
    assert_eq!(loaded(&text).config, Config::default());
    assert!(text.lines().count() > 60);
}

#[test]
fn every_parameter_has_one_row_and_no_cell_breaks_its_table() {
    let page = reference_markdown();
    for parameter in parameters() {
        assert_eq!(page.matches(&format!("\n| `{}` |", parameter.name)).count(), 1, "{}", parameter.name);
        assert!(parameter.help.ends_with('.') && !parameter.help.contains("  "), "{}", parameter.name);
    }
    let cells = |line: &&str| line.matches('|').count();
    assert!(page.lines().filter(|line| line.starts_with('|')).all(|line| [3, 6].contains(&cells(&line))));
}
