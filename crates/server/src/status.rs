//! Whether this member lives, and whether it wants clients.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use sterna_wire::http::Response;

/// State of the member as load balancers and people see it.
#[derive(Debug, Default)]
pub(crate) struct MemberStatus {
    draining: AtomicBool,
}

impl MemberStatus {
    pub(crate) fn begin_drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// The answer to a health request: `/health/live` is about the process, the others about taking clients.
    pub(crate) fn health(&self, path: &str) -> Response {
        if path == "/health/live" || !self.draining.load(Relaxed) {
            Response::json(200, br#"{"status":"ok"}"#.to_vec())
        } else {
            Response::json(503, br#"{"status":"draining"}"#.to_vec()).header("Retry-After", "1")
        }
    }
}
