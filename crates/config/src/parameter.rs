//! What is known of a parameter besides its value, and finding one by name.

use std::sync::LazyLock;

use crate::declarations::{IGNORED, declared};
use crate::kinds::{File, Kind as _};

/// One declared parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Name.
    pub name: &'static str,
    /// Other names under which it is accepted.
    pub aliases: &'static [&'static str],
    /// Title of its section.
    pub section: &'static str,
    /// Text of the default value; empty means none.
    pub default: &'static str,
    /// Values that are accepted, for a person.
    pub accepts: String,
    /// When a change is taken up.
    pub reload: Reload,
    /// What this version does with it.
    pub standing: Standing,
    /// What it is for.
    pub help: &'static str,
    /// Whether the value is never shown.
    pub secret: bool,
    /// For a parameter that names a file: the parameter whose value is in the file.
    pub holds_path_of: Option<&'static str>,
}

/// When a changed value is taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// At the next start.
    Restart,
    /// At the next SIGHUP.
    Hangup,
}

/// What this version does with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is obeyed.
    Used,
    /// It is checked and kept, for a feature that comes later.
    Later,
    /// It is accepted and means nothing here.
    Ignored,
}

/// Longest name for which a suggestion is looked for, bytes; longer ones are no slips of the pen.
const SUGGESTION_BYTES_MAX: usize = 64;

static PARAMETERS: LazyLock<Vec<Parameter>> = LazyLock::new(|| {
    let ignored = IGNORED.iter().map(|&(name, reason)| Parameter {
        name,
        aliases: &[],
        section: "Accepted and ignored",
        default: "",
        accepts: String::new(),
        reload: Reload::Restart,
        standing: Standing::Ignored,
        help: reason,
        // Some are passwords; none needs to be shown.
        secret: true,
        holds_path_of: None,
    });
    declared().into_iter().chain(ignored).collect()
});

/// Every parameter, section after section.
#[must_use]
pub fn parameters() -> &'static [Parameter] {
    &PARAMETERS
}

impl Parameter {
    /// The companion of a secret: a parameter that names the file with its value.
    pub(crate) fn path_of(
        secret: &'static str,
        name: &'static str,
        section: &'static str,
        reload: Reload,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            section,
            default: "",
            accepts: File.expected(),
            reload,
            standing: Standing::Used,
            help: "File that holds the value of the parameter above, which then must not be given.",
            secret: false,
            holds_path_of: Some(secret),
        }
    }

    /// Every name under which it is accepted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// The parameter with this name, letter for letter.
pub(crate) fn find(name: &str) -> Option<&'static Parameter> {
    parameters().iter().find(|parameter| parameter.names().any(|known| known == name))
}

/// The known name that a person may have meant.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    if name.len() > SUGGESTION_BYTES_MAX {
        return None;
    }
    let wanted = name.to_ascii_lowercase();
    let known = parameters().iter().flat_map(Parameter::names);
    let (distance, nearest) =
        known.map(|known| (edit_distance(&wanted, &known.to_ascii_lowercase()), known)).min()?;
    (distance <= 1 + name.len() / 3).then_some(nearest)
}

/// Fewest insertions, deletions and replacements that turn one text into the other (Levenshtein).
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    // Distances from what was read of `left` to each beginning of `right`.
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (read, ours) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = read + 1;
        for (column, theirs) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(ours != *theirs);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_is_declared_twice() {
        let mut seen = BTreeSet::new();
        for name in parameters().iter().flat_map(Parameter::names) {
            assert!(seen.insert(name), "{name}");
        }
    }

    #[test]
    fn edit_distances_are_minimal() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }

    #[test]
    fn the_nearest_name_is_suggested_whatever_its_letter_case() {
        assert_eq!(nearest("memory"), Some("Memory"));
        assert_eq!(nearest("ClusterMember"), Some("ClusterMembers"));
        assert_eq!(nearest("MaxMsgSize"), Some("MaxMessageSize"));
        assert_eq!(nearest("Zzzzzzzzzzzz"), None);
        assert_eq!(nearest(&"Memory".repeat(100)), None);
    }
}
