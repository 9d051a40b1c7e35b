//! Whether the page about migration tells the truth: what it says of each parameter is what the declarations say.

use std::collections::BTreeSet;

use sterna_config::{Parameter, Standing, parameters};

/// Where the page is, from the root of the project.
pub(super) const PAGE: &str = "docs/deploy/migration.md";

/// What is wrong in the page, a sentence each.
pub(super) fn mistakes(page: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut told = BTreeSet::new();
    for (names, word) in page.lines().filter_map(row) {
        for name in names {
            match parameters().iter().find(|parameter| is_called(parameter, name)) {
                None => mistakes.push(format!("{PAGE}: {name} is no parameter")),
                Some(parameter) if !fits(word, parameter.standing) => {
                    mistakes.push(format!("{PAGE}: {name} is not {word}: {:?}", parameter.standing));
                }
                Some(parameter) => drop(told.insert(parameter.name)),
            }
        }
    }
    let is_of_the_original = |parameter: &&Parameter| parameter.standing != Standing::Used;
    let missing = parameters().iter().filter(is_of_the_original).filter(|p| !told.contains(p.name));
    mistakes.extend(missing.map(|parameter| format!("{PAGE}: {} is missing", parameter.name)));
    mistakes
}

/// From ``| `Name`, `Other` | word | ... |``: the names and the word.
fn row(line: &str) -> Option<(Vec<&str>, &str)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let (names, word) = (cells.next()?, cells.next()?);
    let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
    let is_about_parameters = ["honoured", "different", "later", "ignored"].contains(&word)
        && !names.iter().any(|name| name.starts_with("MIGRATORYDATA_"));
    is_about_parameters.then_some((names, word))
}

fn is_called(parameter: &Parameter, name: &str) -> bool {
    parameter.name == name || parameter.aliases.contains(&name)
}

fn fits(word: &str, standing: Standing) -> bool {
    match standing {
        Standing::Used => ["honoured", "different"].contains(&word),
        Standing::Later => word == "later",
        Standing::Ignored => word == "ignored",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_not_true_are_found() {
        let told = |row: &str| mistakes(row).into_iter().filter(|mistake| !mistake.ends_with("missing"));
        assert_eq!(told("| `Memory`, `Workgroups` | different | why |").count(), 0);
        assert_eq!(told("| `Memory` | ignored | |").count(), 1);
        assert_eq!(told("| `LicenseKey` | honoured | |").count(), 1);
        assert_eq!(told("| `Memori` | honoured | |").count(), 1);
        assert_eq!(told("| `MIGRATORYDATA_EXTRA_OPTS` | honoured |").count(), 0);
    }

    #[test]
    fn what_is_not_obeyed_must_be_told() {
        assert!(mistakes("").iter().any(|mistake| mistake.contains("LicenseKey is missing")));
    }
}
