//! The two ways to write parameters: lines of a file, and options between blanks.

use crate::error::{ConfigError, shorten};
use crate::source::Origin;

/// A name with its value as written somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

/// What a text says, in its order.
pub(crate) type Entries = Vec<Result<Entry, ConfigError>>;

/// Reads `Name = value` lines; `#` begins a comment line, and after a trailing `\` the value goes on.
pub(crate) fn read_lines(path: &str, text: &str) -> Entries {
    let mut entries = Vec::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
    while let Some((first, line)) = lines.next() {
        if first.trim().is_empty() || first.trim_start().starts_with('#') {
            continue;
        }
        let mut whole = first.trim().to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            let Some((next, _)) = lines.next() else { break };
            whole.push_str(next.trim());
        }
        let origin = Origin::File { path: path.to_owned(), line };
        entries.push(read_assignment(&whole, origin, "Name = value"));
    }
    entries
}

/// Reads `-DName=value` options between blanks. Stray backslashes, as multi-line values of YAML or of a shell
/// leave them, are skipped. Other options of a Java machine become entries without a value.
pub(crate) fn read_options(variable: &'static str, text: &str) -> Entries {
    let words = text.split_whitespace().map(|word| word.trim_matches('\\')).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let origin = Origin::Environment(variable);
            match word.strip_prefix("-D") {
                Some(assignment) => read_assignment(assignment, origin, "-DName=value"),
                None if word.starts_with('-') => {
                    Ok(Entry { name: word.to_owned(), value: String::new(), origin })
                }
                None => Err(ConfigError::Syntax {
                    found: shorten(word),
                    origin,
                    expected: "-DName=value (without blanks in the value)",
                }),
            }
        })
        .collect()
}

/// Reads one `Name=value`; from the command line also with `-D` before it.
pub(crate) fn read_argument(text: &str) -> Result<Entry, ConfigError> {
    read_assignment(text.strip_prefix("-D").unwrap_or(text), Origin::CommandLine, "-DName=value")
}

fn read_assignment(text: &str, origin: Origin, expected: &'static str) -> Result<Entry, ConfigError> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok(Entry { name: name.trim().to_owned(), value: value.trim().to_owned(), origin })
        }
        // `-Dcom.sun.management.jmxremote` and its like have no value.
        None if is_java_option(text) => Ok(Entry { name: text.to_owned(), value: String::new(), origin }),
        // Only the first word is shown: what follows a forgotten `=` may be a secret.
        _ => {
            let found = shorten(text.split_whitespace().next().unwrap_or_default());
            Err(ConfigError::Syntax { found, origin, expected })
        }
    }
}

/// Whether an option is one of the Java machine or of a library in it, which mean nothing here.
pub(crate) fn is_java_option(name: &str) -> bool {
    const PREFIXES: [&str; 10] =
        ["-", "java.", "javax.", "jdk.", "sun.", "com.sun.", "user.", "file.", "log4j", "io.netty."];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(entries: Entries) -> Vec<(String, String)> {
        entries.into_iter().map(|entry| entry.map(|e| (e.name, e.value)).unwrap()).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lines_have_comments_blanks_and_continuations() {
        let text =
            "\u{feff}# comment \\\n\n  Memory = 512 MB\r\nMembers=a:1, \\\n   b:1,\\\n\tc:1\n #x\nLast=1\\";
        assert_eq!(
            pairs(read_lines("f", text)),
            owned(&[("Memory", "512 MB"), ("Members", "a:1, b:1,c:1"), ("Last", "1")])
        );
    }

    #[test]
    fn a_value_keeps_its_equals_and_number_signs() {
        assert_eq!(
            pairs(read_lines("f", "a = b=c #d")),
            owned(&[("a", "b=c #d")]),
            "only a whole line is a comment"
        );
    }

    #[test]
    fn an_entry_of_several_lines_stands_at_its_first() {
        let entries = read_lines("f", "\na = 1,\\\n2\nb = 3");
        let origins: Vec<_> = entries.into_iter().map(|entry| entry.unwrap().origin.to_string()).collect();
        assert_eq!(origins, ["f:2", "f:4"]);
    }

    #[test]
    fn a_line_without_a_value_shows_no_more_than_its_first_word() {
        let errors: Vec<_> = read_lines("f", "EntitlementAllowToken hush\n= 1").into_iter().collect();
        assert_eq!(
            errors[0].as_ref().unwrap_err().to_string(),
            "f:1: expected Name = value, found \"EntitlementAllowToken\""
        );
        assert!(errors[1].is_err());
    }

    #[test]
    fn options_survive_blanks_and_stray_backslashes() {
        let text = "  -DMemory=128MB \\\n      -DLogLevel=INFO\\\n\t-DX.ConnectionOffload=true  \\ ";
        assert_eq!(
            pairs(read_options("V", text)),
            owned(&[("Memory", "128MB"), ("LogLevel", "INFO"), ("X.ConnectionOffload", "true")])
        );
    }

    #[test]
    fn a_word_that_is_no_option_is_an_error() {
        let entries = read_options("V", "-DMemory=512 MB -XX:+UseG1GC -DName -Djava.awt.headless");
        assert!(entries[0].is_ok());
        assert!(entries[1].as_ref().unwrap_err().to_string().contains("without blanks"));
        assert!(is_java_option(&entries[2].as_ref().unwrap().name));
        assert!(entries[3].is_err());
        assert!(is_java_option(&entries[4].as_ref().unwrap().name));
    }
}
