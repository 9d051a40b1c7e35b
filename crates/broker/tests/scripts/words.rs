//! One command line: its verb, its plain words, and its `name=value` pairs.

use std::str::FromStr;

/// A command line, taken apart. Every word must be asked for: [`Words::end`] finds slips of the pen.
pub(crate) struct Words<'a> {
    line: &'a str,
    plain: Vec<&'a str>,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(line: &'a str) -> (&'a str, Self) {
        let mut words = line.split_whitespace();
        let verb = words.next().expect("an empty line is no command");
        let (pairs, plain) =
            words.partition::<Vec<_>, _>(|word| word.contains('=') && !word.starts_with('/'));
        let pairs = pairs.into_iter().map(|pair| pair.split_once('=').expect("chosen by its `=`"));
        (verb, Self { line, plain, pairs: pairs.collect() })
    }

    /// The next plain word.
    pub(crate) fn word(&mut self) -> &'a str {
        assert!(!self.plain.is_empty(), "a word is missing: {}", self.line);
        self.plain.remove(0)
    }

    /// Whether the plain word is there.
    pub(crate) fn flag(&mut self, flag: &str) -> bool {
        let at = self.plain.iter().position(|word| *word == flag);
        at.map(|at| self.plain.remove(at)).is_some()
    }

    /// All plain words that are left.
    pub(crate) fn rest(&mut self) -> Vec<&'a str> {
        std::mem::take(&mut self.plain)
    }

    /// The text of a pair, if it is there.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        let at = self.pairs.iter().position(|(known, _)| *known == name)?;
        Some(self.pairs.remove(at).1)
    }

    /// The number of a pair, if it is there.
    pub(crate) fn number<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number: {}", self.line)))
    }

    pub(crate) fn end(self) {
        assert!(self.plain.is_empty(), "what is {:?}? {}", self.plain, self.line);
        assert!(self.pairs.is_empty(), "what is {:?}? {}", self.pairs, self.line);
    }
}
