//! What can be wrong with a configuration. Each error says where it stands and what to do.

use crate::Origin;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No parameter has this name.
    #[error("{origin}: unknown parameter {name:?}{}", suggest(.nearest))]
    Unknown {
        /// Name as written.
        name: String,
        /// Where.
        origin: Origin,
        /// The known name that may have been meant.
        nearest: Option<&'static str>,
    },
    /// The value is not what the parameter takes.
    #[error("{origin}: {parameter} = {shown}: expected {expected}")]
    Value {
        /// Name of the parameter.
        parameter: &'static str,
        /// The value, quoted and shortened; `(set)` for a secret.
        shown: String,
        /// Where.
        origin: Origin,
        /// What is accepted.
        expected: String,
    },
    /// A line or an option that gives no value to any name.
    #[error("{origin}: expected {expected}, found {found:?}")]
    Syntax {
        /// Beginning of what stands there.
        found: String,
        /// Where.
        origin: Origin,
        /// What is accepted.
        expected: &'static str,
    },
    /// A file that a parameter names cannot be used.
    #[error("{origin}: {parameter}: {path}: {reason}")]
    File {
        /// Name of the parameter.
        parameter: &'static str,
        /// Path.
        path: String,
        /// Where the parameter stood.
        origin: Origin,
        /// What is wrong.
        reason: String,
    },
    /// Values that are well-formed one by one do not go together.
    #[error("{advice} ({})", places(.about))]
    Relation {
        /// What is wrong and what to do.
        advice: String,
        /// The parameters concerned, and where they stood.
        about: Vec<(&'static str, Origin)>,
    },
}

/// Characters of a value that an error shows.
const SHOWN_CHARS_MAX: usize = 80;

/// A text from outside, short enough for a message.
pub(crate) fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn suggest(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

fn places(about: &[(&'static str, Origin)]) -> String {
    let places: Vec<_> = about.iter().map(|(name, origin)| format!("{name}: {origin}")).collect();
    places.join("; ")
}
