//! One thing that breaks a rule.

use std::fmt;

/// Where a rule is broken and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Name of the rule, as the list of exceptions uses it.
    pub(crate) rule: &'static str,
    /// Path, or `path#function`.
    pub(crate) place: String,
    /// Line in the file; 0 if it is about the file as a whole.
    pub(crate) line: usize,
    /// What an exception bounds: the length for rules about length, 1 for one breach of any other rule.
    pub(crate) amount: usize,
    /// What to do.
    pub(crate) message: String,
}

impl Finding {
    /// A breach in one line of a file.
    pub(crate) fn new(rule: &'static str, place: &str, line: usize, message: impl Into<String>) -> Self {
        Self { rule, place: place.into(), line, amount: 1, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.place.split('#').next().unwrap_or_default();
        match self.line {
            0 => write!(f, "{path}: {} [{}]", self.message, self.rule),
            line => write!(f, "{path}:{line}: {} [{}]", self.message, self.rule),
        }
    }
}
