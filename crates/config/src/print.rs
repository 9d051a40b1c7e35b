//! The effective configuration, for an operator.

use std::fmt::Write as _;

use crate::load::{Effective, Loaded};
use crate::source::Origin;

/// Every parameter with its value and where that came from, section after section. Secrets show as `(set)`.
#[must_use]
pub fn print(loaded: &Loaded) -> String {
    let width = |text: fn(&Effective) -> &str| {
        loaded.provenance.iter().map(|effective| text(effective).chars().count()).max().unwrap_or(0)
    };
    let name_width = width(|effective| effective.parameter.name);
    let value_width = width(Effective::shown).min(VALUE_WIDTH_MAX);
    let mut page = String::new();
    let mut section = "";
    for effective in &loaded.provenance {
        if effective.parameter.section != section {
            section = effective.parameter.section;
            let gap = if page.is_empty() { "" } else { "\n" };
            let _ = writeln!(page, "{gap}# {section}");
        }
        let name = effective.parameter.name;
        let value = effective.shown();
        let place = match &effective.origin {
            Origin::Default => "default".to_owned(),
            origin => format!("from {origin}"),
        };
        let _ = writeln!(page, "{name:name_width$} = {value:value_width$}  ({place})");
    }
    page
}

/// Longer values push their place to the right alone.
const VALUE_WIDTH_MAX: usize = 32;
