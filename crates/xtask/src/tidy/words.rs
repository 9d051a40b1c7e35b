//! One word for one thing: the glossary's words to avoid, and names that say nothing.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::tree::{File, Tree};

const RULE: &str = "word";
const GLOSSARY: &str = "GLOSSARY.md";

/// Words that are at home elsewhere: a file or a line about these may use any word.
const FOREIGN: [&str; 2] = ["mqtt", "kafka"];

/// How a line begins that only names what others have named.
const IMPORT: &str = "use ";

/// Parts of a name that do not say what the thing does.
const VAGUE: [&str; 4] = ["helper", "manager", "misc", "util"];

/// Looks at the Rust files and the documents.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(glossary) = tree.file(GLOSSARY) else {
        return vec![Finding::new(RULE, GLOSSARY, 0, "write the words of the project here")];
    };
    let avoided = avoided(&glossary.text);
    let is_ours = |file: &&File| (file.is_rust() || file.is_markdown()) && file.path != GLOSSARY;
    tree.files.iter().filter(is_ours).flat_map(|file| check_file(file, &avoided)).collect()
}

fn check_file(file: &File, avoided: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = file.path.rsplit('/').next().unwrap_or_default();
    if file.is_rust() && parts(name).any(|part| is_vague(&part)) {
        findings.push(Finding::new(RULE, &file.path, 0, "name the file after what it does"));
    }
    if is_foreign(&file.path) {
        return findings;
    }
    for (line, text) in file.lines().filter(|(_, text)| !is_foreign(text)) {
        for part in parts(text) {
            if let Some(instead) = avoided.get(part.as_str()).or_else(|| avoided.get(singular(&part))) {
                findings.push(Finding::new(RULE, &file.path, line, format!("{part}: we say {instead}")));
            }
        }
        if file.is_rust() && defined_name(text).is_some_and(|name| parts(name).any(|part| is_vague(&part))) {
            findings.push(Finding::new(RULE, &file.path, line, "name it after what it does"));
        }
    }
    findings
}

/// From the glossary's rows `| **word** | meaning | avoid |`: each avoided word in backticks, and what to say.
fn avoided(glossary: &str) -> BTreeMap<&str, &str> {
    let mut avoided = BTreeMap::new();
    for row in glossary.lines().filter(|line| line.starts_with("| **")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        if let [word, _, avoid] = cells[..] {
            let words = avoid.split('`').skip(1).step_by(2);
            avoided.extend(words.map(|avoid| (avoid, word.trim_matches('*'))));
        }
    }
    avoided
}

/// The words that a line consists of, in lower case; `SubjectTable` and `subject_table` are two.
fn parts(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.flat_map(|word| {
        let mut parts = Vec::new();
        let mut after_lower = false;
        for c in word.chars() {
            if parts.is_empty() || (after_lower && c.is_ascii_uppercase()) {
                parts.push(String::new());
            }
            after_lower = !c.is_ascii_uppercase();
            parts.last_mut().expect("one was pushed above").push(c.to_ascii_lowercase());
        }
        parts
    })
}

fn defined_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    let is_item = matches!(words.next()?, "struct" | "enum" | "trait" | "type" | "mod" | "fn" | "union");
    if is_item {
        words.next().and_then(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_').next())
    } else {
        None
    }
}

fn is_vague(part: &str) -> bool {
    VAGUE.contains(&singular(part))
}

fn is_foreign(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.starts_with(IMPORT) || FOREIGN.iter().any(|foreign| text.contains(foreign))
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s').unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str =
        "| word | meaning | avoid |\n| **subject** | where a message goes | `widget`, channel |\n";

    fn messages(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(GLOSSARY, WORDS), (path, text)]);
        check(&tree).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn avoided_words_are_found_in_every_spelling() {
        for text in ["a widget", "WidgetTable", "the_widgets", "struct Widget;"] {
            let found = messages("a.rs", text);
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].ends_with("we say subject"), "{found:?}");
        }
    }

    #[test]
    fn words_without_backticks_are_left_to_readers() {
        assert!(messages("a.md", "a channel and a midget").is_empty());
    }

    #[test]
    fn foreign_words_are_at_home_in_foreign_places() {
        assert!(messages("crates/wire/src/mqtt/widget.rs", "struct Widget;").is_empty());
        assert!(messages("a.md", "an MQTT widget").is_empty());
        assert!(messages("a.rs", "use hyper::widget;").is_empty());
    }

    #[test]
    fn vague_names_are_found_where_they_are_given() {
        for text in ["pub(crate) struct SessionManager {", "fn helper() {", "pub mod utils;"] {
            assert_eq!(messages("a.rs", text).len(), 1, "{text}");
        }
        assert!(messages("a.rs", "use hyper_util::rt; // a helper process").is_empty());
        assert_eq!(messages("string_utils.rs", "").len(), 1);
    }

    #[test]
    fn without_a_glossary_there_are_no_words() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }
}
