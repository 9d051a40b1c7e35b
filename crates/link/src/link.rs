//! The owner's end of a link: sends frames, never waits.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::carry::End;
use crate::event::Channel;
use crate::limit::{FRAME_BYTES_MAX, FRAME_OVERHEAD_BYTES};
use crate::remote::Input;

/// A link that came up. It stands for this link alone: what is sent after it went down is lost with it, and never
/// arrives by a later link.
#[derive(Clone)]
pub struct Link(Arc<Shared>);

struct Shared {
    number: u64,
    queues: [Queue; 3],
    queue_bytes_max: usize,
    /// A frame was lost: nothing that comes after it may arrive.
    broken: AtomicBool,
    remote: UnboundedSender<Input>,
}

struct Queue {
    sender: UnboundedSender<Outgoing>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// What a connection is to write.
pub(crate) enum Outgoing {
    Frame(Bytes),
    /// Nothing more comes.
    Close,
}

/// What the task that writes a connection takes from.
pub(crate) struct Waiting {
    pub(crate) frames: UnboundedReceiver<Outgoing>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Waiting {
    /// A frame has been taken out and written.
    pub(crate) fn written(&self, frame: &Bytes) {
        self.waiting_bytes.fetch_sub(frame.len() + FRAME_OVERHEAD_BYTES, Ordering::Relaxed);
    }
}

impl Link {
    pub(crate) fn new(
        number: u64,
        queue_bytes_max: usize,
        remote: UnboundedSender<Input>,
    ) -> (Self, [Waiting; 3]) {
        let (queues, waiting): (Vec<_>, Vec<_>) = Channel::ALL.iter().map(|_| queue()).unzip();
        let queues = queues.try_into().ok().expect("one for each of three channels");
        let waiting = waiting.try_into().ok().expect("one for each of three channels");
        let broken = AtomicBool::new(false);
        (Self(Arc::new(Shared { number, queues, queue_bytes_max, broken, remote })), waiting)
    }

    pub(crate) fn number(&self) -> u64 {
        self.0.number
    }

    /// Sends a frame, which must not be empty and at most `limit::FRAME_BYTES_MAX` bytes long. Never waits: if too many
    /// bytes wait already, the link ends, because a frame that is lost must be seen to be lost.
    pub fn send(&self, channel: Channel, frame: Bytes) {
        let shared = &*self.0;
        if frame.is_empty() || shared.broken.load(Ordering::Relaxed) {
            return;
        }
        if frame.len() > FRAME_BYTES_MAX {
            return self.break_off(End::Oversized(channel));
        }
        let queue = &shared.queues[channel as usize];
        let cost = frame.len() + FRAME_OVERHEAD_BYTES;
        let waiting_bytes = queue.waiting_bytes.fetch_add(cost, Ordering::Relaxed) + cost;
        if waiting_bytes > shared.queue_bytes_max {
            return self.break_off(End::Overflow(channel));
        }
        // A link that is down takes nothing any more.
        let _ = queue.sender.send(Outgoing::Frame(frame));
    }

    /// Ends the link after what has been sent so far.
    pub(crate) fn close(&self) {
        self.0.broken.store(true, Ordering::Relaxed);
        for queue in &self.0.queues {
            let _ = queue.sender.send(Outgoing::Close);
        }
    }

    fn break_off(&self, end: End) {
        self.0.broken.store(true, Ordering::Relaxed);
        let _ = self.0.remote.send(Input::Ended { link: self.0.number, end });
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.0.number).finish()
    }
}

fn queue() -> (Queue, Waiting) {
    let (sender, frames) = unbounded_channel();
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    (Queue { sender, waiting_bytes: waiting_bytes.clone() }, Waiting { frames, waiting_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(queue_bytes_max: usize) -> (Link, [Waiting; 3], UnboundedReceiver<Input>) {
        let (sender, inbox) = unbounded_channel();
        let (link, waiting) = Link::new(7, queue_bytes_max, sender);
        (link, waiting, inbox)
    }

    #[test]
    fn overflow_ends_the_link_once_and_lets_nothing_follow() {
        let (link, [mut log, ..], mut inbox) = link(3 * FRAME_OVERHEAD_BYTES);
        for number in [b"1", b"2", b"3", b"4"] {
            link.send(Channel::Log, Bytes::from_static(number));
        }
        assert!(matches!(inbox.try_recv(), Ok(Input::Ended { link: 7, end: End::Overflow(Channel::Log) })));
        assert!(inbox.try_recv().is_err());
        for number in [&b"1"[..], b"2"] {
            assert!(matches!(log.frames.try_recv(), Ok(Outgoing::Frame(frame)) if frame == number));
        }
        assert!(log.frames.try_recv().is_err());
    }

    #[test]
    fn what_is_written_waits_no_longer() {
        let (link, [mut log, ..], mut inbox) = link(2 * FRAME_OVERHEAD_BYTES);
        for _ in 0..100 {
            link.send(Channel::Log, Bytes::from_static(b"1"));
            let Ok(Outgoing::Frame(frame)) = log.frames.try_recv() else { panic!("a frame") };
            log.written(&frame);
        }
        assert!(inbox.try_recv().is_err());
    }
}
