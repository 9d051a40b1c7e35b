//! Lines of an input, read by a thread so that a slow input does not keep a connection waiting.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Longest line, bytes: the largest content that a server can be configured to take, as JSON may write it.
const LINE_BYTES_MAX: u64 = 6 * (64 << 20);
/// Lines that are read ahead.
const LINES_AHEAD: usize = 64;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What came of waiting for a line.
#[derive(Debug)]
pub(crate) enum Next {
    Line(Line),
    NotYet,
    End,
    Failed(io::Error),
}

/// The lines of an input; empty ones are passed over.
pub(crate) struct Lines(Receiver<io::Result<Line>>);

impl Lines {
    /// Begins to read.
    pub(crate) fn of(input: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(LINES_AHEAD);
        thread::spawn(move || {
            for line in read(BufReader::new(input)) {
                if sender.send(line).is_err() {
                    return; // nobody wants more
                }
            }
        });
        Self(receiver)
    }

    /// The next line, waited for.
    pub(crate) fn next(&self, wait: Duration) -> Next {
        match self.0.recv_timeout(wait) {
            Ok(Ok(line)) => Next::Line(line),
            Ok(Err(error)) => Next::Failed(error),
            Err(RecvTimeoutError::Timeout) => Next::NotYet,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }
}

/// The lines of an input; empty ones are passed over. Nothing comes after an error.
pub(crate) fn read(mut input: impl BufRead) -> impl Iterator<Item = io::Result<Line>> {
    let mut number = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        while !failed {
            let mut bytes = Vec::new();
            number += 1;
            match (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(read) if read as u64 == LINE_BYTES_MAX => {
                    failed = true;
                    return Some(Err(io::Error::other(format!("line {number} is too long"))));
                }
                Ok(_) => {}
                Err(error) => {
                    failed = true;
                    return Some(Err(error));
                }
            }
            while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                bytes.pop();
            }
            if !bytes.is_empty() {
                return Some(Ok(Line { number, bytes }));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_numbers_and_no_ends() {
        let lines: Vec<Line> = read(&b"one\n\ntwo\r\n \nlast"[..]).map(Result::unwrap).collect();
        let expected = [(1, "one"), (3, "two"), (4, " "), (5, "last")];
        assert_eq!(lines, expected.map(|(number, text)| Line { number, bytes: text.into() }));
    }

    #[test]
    fn an_input_that_fails_ends_with_its_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let mut lines = read(BufReader::new(b"one\n".chain(Broken)));
        assert_eq!(lines.next().unwrap().unwrap().bytes, b"one");
        assert!(lines.next().unwrap().is_err());
        assert!(lines.next().is_none());
    }
}
