//! How a Rust file begins, and how long it and its functions are.

use super::finding::Finding;
use crate::tree::{File, Tree};

/// Lines of a file, its own tests apart.
const FILE_LINES_MAX: usize = 600;
/// Lines of a function, from its name to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Every file says in its first line what lives in it; rooms and functions have a size.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.files.iter().filter(|file| file.is_rust()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !file.text.starts_with("//! ") {
        findings.push(Finding::new("first-line", &file.path, 1, "begin with `//! ` and what lives here"));
    }
    let length = file.text.lines().count() - test_lines(&file.text);
    if length > FILE_LINES_MAX {
        let message = format!("{length} lines, of {FILE_LINES_MAX}; split it by verb");
        findings.push(Finding { amount: length, ..Finding::new("file-length", &file.path, 0, message) });
    }
    for function in functions(&file.text).into_iter().filter(|function| function.length > FUNCTION_LINES_MAX)
    {
        let Function { name, line, length } = function;
        let message = format!("{name} has {length} lines, of {FUNCTION_LINES_MAX}; name its steps");
        let place = format!("{}#{name}", file.path);
        findings.push(Finding { amount: length, ..Finding::new("function-length", &place, line, message) });
    }
    findings
}

struct Function<'a> {
    name: &'a str,
    line: usize,
    length: usize,
}

/// Reads what rustfmt wrote, so indentation tells where a function ends.
fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let body = lines[start..].iter().position(|line| line.ends_with(['{', ';', '}']));
        let Some(body) = body.map(|offset| start + offset).filter(|at| lines[*at].ends_with('{')) else {
            continue;
        };
        let length = block_length(&lines[body..], indent(line)) + body - start;
        functions.push(Function { name, line: start + 1, length });
    }
    functions
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_modifier = |word: &str| {
        matches!(word, "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\"" | "default")
            || word.starts_with("pub(")
    };
    let end = after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len());
    (before.split_whitespace().all(is_modifier) && end > 0).then(|| &after[..end])
}

/// Lines of the modules behind `#[cfg(test)]`.
fn test_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_test = |at: &usize| {
        lines[*at].trim() == "#[cfg(test)]" && lines.get(at + 1).is_some_and(|l| l.ends_with('{'))
    };
    (0..lines.len()).filter(is_test).map(|at| 1 + block_length(&lines[at + 1..], indent(lines[at]))).sum()
}

/// Lines up to the closing brace that stands as far in as the opening line.
fn block_length(lines: &[&str], indent: usize) -> usize {
    let is_end = |line: &&str| line.trim() == "}" && line.len() == indent + 1;
    lines.iter().position(is_end).map_or(lines.len(), |at| at + 1)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        check(&Tree::of(&[("a.rs", text)])).iter().map(|finding| finding.rule).collect()
    }

    fn function_of(lines: usize) -> String {
        format!(
            "    pub(crate) async fn long(\n        a: u8,\n    ) {{\n{}    }}\n",
            "        a;\n".repeat(lines - 4)
        )
    }

    #[test]
    fn a_file_begins_with_its_purpose() {
        assert_eq!(rules("//! What lives here.\n"), [""; 0]);
        assert_eq!(rules("// not a doc comment\n"), ["first-line"]);
    }

    #[test]
    fn a_functions_length_counts_from_its_name_to_its_brace() {
        let file = |lines| format!("//! A.\nimpl X {{\n{}}}\n", function_of(lines));
        assert_eq!(rules(&file(FUNCTION_LINES_MAX)), [""; 0]);
        assert_eq!(rules(&file(FUNCTION_LINES_MAX + 1)), ["function-length"]);
    }

    #[test]
    fn functions_without_a_long_body_are_passed_over() {
        assert!(functions("fn a() {}\nfn b(&self);\n// fn c() {\nlet fn_like = 1;\n").is_empty());
        let found: Vec<_> = functions("fn a() {\n}\nfn b()\nwhere\n    T: X,\n{\n    1\n}\n")
            .iter()
            .map(|function| (function.name.to_owned(), function.length))
            .collect();
        assert_eq!(found, [("a".into(), 2), ("b".into(), 6)]);
    }

    #[test]
    fn a_files_own_tests_do_not_count() {
        let body = "const A: u8 = 1;\n".repeat(FILE_LINES_MAX - 1);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    const B: u8 = 1;\n".repeat(50));
        assert_eq!(rules(&format!("//! A.\n{body}{tests}")), [""; 0]);
        assert_eq!(rules(&format!("//! A.\n{body}const C: u8 = 1;\n{tests}")), ["file-length"]);
    }
}
