//! Lines that a process writes, as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use super::SOON;

/// The lines of one stream, collected by a thread until the stream ends.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    /// Collects the lines of a stream.
    pub fn collect(stream: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let shared = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                shared.change(|lines| lines.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            shared.change(|lines| lines.ended = true);
        });
        log
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    /// The first line, also a later one, that contains `text`; none if the stream ends without it.
    ///
    /// # Panics
    /// Neither happens in time.
    pub fn find(&self, text: &str) -> Option<String> {
        let end = Instant::now() + SOON;
        let (lock, changed) = &*self.0;
        let mut lines = lock.lock().unwrap();
        loop {
            if let Some(line) = lines.lines.iter().find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if lines.ended {
                return None;
            }
            assert!(!left.is_zero(), "no line with {text:?} within {SOON:?}, but {:#?}", lines.lines);
            lines = changed.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// All lines, once the stream has ended.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn all(&self) -> Vec<String> {
        let (lock, changed) = &*self.0;
        let lines = lock.lock().unwrap();
        let (lines, waited) = changed.wait_timeout_while(lines, SOON, |lines| !lines.ended).unwrap();
        assert!(!waited.timed_out(), "the stream did not end within {SOON:?}: {:#?}", lines.lines);
        lines.lines.clone()
    }
}
