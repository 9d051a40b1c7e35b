//! The listed exceptions: each names a rule, a place, a bound and a reason, and goes when it is not needed.

use super::finding::Finding;
use crate::tree::Tree;

/// Where they are listed, one a line: `rule | place | at most | reason`.
const PATH: &str = "crates/xtask/exceptions.txt";

const RULE: &str = "exception";

struct Exception<'a> {
    rule: &'a str,
    place: &'a str,
    at_most: usize,
    line: usize,
}

/// Takes out what is excepted, adds what is wrong with the exceptions, and counts those in use.
pub(super) fn apply(tree: &Tree, mut findings: Vec<Finding>) -> (Vec<Finding>, usize) {
    let Some(file) = tree.file(PATH) else { return (findings, 0) };
    let mut problems = Vec::new();
    let mut in_use = 0;
    for (line, text) in file.lines().filter(|(_, text)| !text.trim().is_empty() && !text.starts_with('#')) {
        let Some(exception) = parse(line, text) else {
            problems.push(Finding::new(RULE, PATH, line, "write `rule | place | at most | reason`"));
            continue;
        };
        let is_meant = |f: &Finding| f.rule == exception.rule && f.place == exception.place;
        match findings.iter().filter(|f| is_meant(f)).map(|f| f.amount).sum::<usize>() {
            0 => problems.push(Finding::new(RULE, PATH, exception.line, "no longer needed; take it out")),
            amount if amount <= exception.at_most => {
                in_use += 1;
                findings.retain(|f| !is_meant(f));
            }
            // Grown beyond its bound: the findings stay and speak for themselves.
            _ => in_use += 1,
        }
    }
    findings.extend(problems);
    (findings, in_use)
}

fn parse(line: usize, text: &str) -> Option<Exception<'_>> {
    let fields: Vec<&str> = text.split('|').map(str::trim).collect();
    match fields[..] {
        [rule, place, at_most, reason] if !reason.is_empty() => {
            Some(Exception { rule, place, at_most: at_most.parse().ok()?, line })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_file(amount: usize) -> Finding {
        Finding { amount, ..Finding::new("file-length", "a.rs", 0, "split it") }
    }

    fn apply_list(list: &str, findings: Vec<Finding>) -> (Vec<Finding>, usize) {
        apply(&Tree::of(&[(PATH, list)]), findings)
    }

    #[test]
    fn an_exception_covers_up_to_its_bound() {
        let list = "# why\nfile-length | a.rs | 700 | one table\n";
        assert_eq!(apply_list(list, vec![long_file(700)]), (vec![], 1));
        assert_eq!(apply_list(list, vec![long_file(701)]), (vec![long_file(701)], 1));
    }

    #[test]
    fn an_exception_that_is_not_needed_is_a_finding() {
        let (findings, in_use) = apply_list("file-length | a.rs | 700 | one table", vec![]);
        assert_eq!((findings.len(), in_use), (1, 0));
        assert_eq!(findings[0].to_string(), format!("{PATH}:1: no longer needed; take it out [exception]"));
    }

    #[test]
    fn an_exception_without_a_reason_excuses_nothing() {
        let (findings, _) = apply_list("file-length | a.rs | 700 |", vec![long_file(650)]);
        assert_eq!(findings.len(), 2);
    }
}
