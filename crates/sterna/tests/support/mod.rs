//! Real members for end-to-end tests: the binary with a port of its own, watched, and ended with the test.
//!
//! ```ignore
//! mod support;
//! let member = support::Member::start(&["-DMaxMessageSize=1KB"]);
//! let mut client = member.client(); // may publish: it shows TOKEN
//! ```

#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test binary uses a part of it")]

mod binary;
mod folder;
mod log;
mod member;

pub use binary::{Finished, Running, sterna};
pub use folder::Folder;
pub use log::Log;
pub use member::{Member, TOKEN};

use std::time::{Duration, Instant};

/// How long anything may take that must happen; only a failing test waits so long.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks again and again until there is an answer.
///
/// # Panics
/// There is none in time; `what` says what was waited for.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
