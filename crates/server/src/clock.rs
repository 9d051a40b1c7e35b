//! The one place where the server reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sterna_broker::session::Now;

/// A clock with the start of the process as its monotonic zero. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    start_unix_ms: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), start_unix_ms: Self::unix_ms() }
    }

    /// Unix time of the start, milliseconds.
    pub(crate) fn start_unix_ms(self) -> u64 {
        self.start_unix_ms
    }

    /// Microseconds since the start.
    pub(crate) fn monotonic_us(self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).expect("a process does not run for 500,000 years")
    }

    /// Milliseconds since the start.
    pub(crate) fn monotonic_ms(self) -> u64 {
        self.monotonic_us() / 1000
    }

    /// Unix time, milliseconds.
    pub(crate) fn unix_ms() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).expect("the year is not beyond 500,000,000")
    }

    /// Both.
    pub(crate) fn now(self) -> Now {
        Now { unix_ms: Self::unix_ms(), monotonic_us: self.monotonic_us() }
    }
}
