//! A pause that a busy server asks for, shared by all requests of a kind, so that they keep their order.

use sterna_model::Random;

use crate::reconnect::busy_pause_ms;

/// Whether and how long requests wait.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until_ms: Option<u64>,
    refusals: u32,
}

impl Pause {
    /// A request was refused. Those refused while the pause is on were sent before it began.
    pub(super) fn begin(&mut self, now_ms: u64, random: &mut Random) {
        if self.is_over(now_ms) {
            self.refusals = self.refusals.saturating_add(1);
            self.until_ms = Some(now_ms + busy_pause_ms(self.refusals, random));
        }
    }

    /// A request was accepted: the next pause is a short one again.
    pub(super) fn succeed(&mut self) {
        self.refusals = 0;
    }

    /// Another server is asked.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether requests need not wait (any more).
    pub(super) fn is_over(&mut self, now_ms: u64) -> bool {
        self.until_ms.take_if(|until_ms| *until_ms <= now_ms);
        self.until_ms.is_none()
    }

    pub(super) fn until_ms(&self) -> Option<u64> {
        self.until_ms
    }
}
