//! When a thread has to be woken: only if it sleeps or is about to, because a wake-up is a system call.

use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Whether the reader of some queues sleeps. Its writers wake it, each behind what it has written.
#[derive(Debug, Default)]
pub(crate) struct Sleep {
    asleep: AtomicBool,
}

impl Sleep {
    /// The reader is about to sleep; it has to look at its queues once more before it does.
    pub(crate) fn lie_down(&self) {
        self.asleep.store(true, Ordering::Release);
        // The reader writes `asleep` and then looks at a queue; a writer writes the queue and then looks at `asleep`.
        // The two fences have an order, so at least one of them sees what the other has written: either the reader
        // stays awake, or the writer wakes it. The queues themselves publish what is in them.
        fence(Ordering::SeqCst);
    }

    /// The reader is awake, and will look at its queues before it lies down again.
    pub(crate) fn get_up(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Whether the caller, who has written something, is the one to wake the reader.
    pub(crate) fn ends(&self) -> bool {
        fence(Ordering::SeqCst);
        // One wake-up is enough, so the first one to see the reader asleep says that it is not. It also sees what the
        // reader has set up for its sleep.
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Acquire)
    }
}
