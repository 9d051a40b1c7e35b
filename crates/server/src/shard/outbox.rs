//! Out-queues of all connections of a shard: chains of nodes in one arena, so that an idle connection has none.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::sync::Arc;

/// Slices in one system call.
const SLICES_MAX: usize = 128;
/// No node.
const NONE: u32 = u32::MAX;

/// Bytes that wait for one or many connections.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: Bytes,
    /// How many queues hold it, so that its bytes are accounted once.
    queued: Cell<u32>,
}

#[derive(Debug)]
enum Bytes {
    Shared(Arc<[u8]>),
    Own(Box<[u8]>),
    Static(&'static [u8]),
}

/// A frame that several queues of one shard may hold.
pub(super) type FrameRef = Rc<Frame>;

impl Frame {
    pub(super) fn shared(bytes: Arc<[u8]>) -> FrameRef {
        Self::new(Bytes::Shared(bytes))
    }

    pub(super) fn own(bytes: &[u8]) -> FrameRef {
        Self::new(Bytes::Own(bytes.into()))
    }

    pub(super) fn constant(bytes: &'static [u8]) -> FrameRef {
        Self::new(Bytes::Static(bytes))
    }

    fn new(bytes: Bytes) -> FrameRef {
        Rc::new(Self { bytes, queued: Cell::new(0) })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Shared(bytes) => bytes,
            Bytes::Own(bytes) => bytes,
            Bytes::Static(bytes) => bytes,
        }
    }
}

/// One connection's queue: a chain in the arena.
#[derive(Debug)]
pub(super) struct Queue {
    head: u32,
    tail: u32,
    bytes: u32,
    /// Bytes of the first frame that are written already.
    written: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, bytes: 0, written: 0 }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes as usize
    }
}

#[derive(Debug)]
struct Node {
    frame: Option<FrameRef>,
    next: u32,
}

/// The nodes of all queues of a shard.
#[derive(Debug)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    free: u32,
    used: usize,
    /// Bytes of the frames that are in at least one queue.
    frame_bytes: usize,
}

impl Arena {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), free: NONE, used: 0, frame_bytes: 0 }
    }

    /// Bytes accounted: frames once each, and the nodes.
    pub(super) fn held_bytes(&self) -> usize {
        self.frame_bytes + self.nodes.capacity() * size_of::<Node>()
    }

    /// Appends a frame to a queue.
    pub(super) fn push(&mut self, queue: &mut Queue, frame: FrameRef) {
        let len = u32::try_from(frame.bytes().len()).expect("frames are bounded far below 4 GiB");
        if frame.queued.get() == 0 {
            self.frame_bytes += frame.bytes().len();
        }
        frame.queued.set(frame.queued.get() + 1);
        let node = Node { frame: Some(frame), next: NONE };
        let at = if self.free == NONE {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("memory ends before the numbers do")
        } else {
            let at = self.free;
            self.free = self.nodes[at as usize].next;
            self.nodes[at as usize] = node;
            at
        };
        self.used += 1;
        if queue.tail == NONE {
            queue.head = at;
        } else {
            self.nodes[queue.tail as usize].next = at;
        }
        queue.tail = at;
        queue.bytes = queue.bytes.saturating_add(len);
    }

    /// Writes as much of a queue as `write` takes. Ends with `Ok(true)` when the queue is empty, `Ok(false)`
    /// when the socket is full. `writes` counts the system calls.
    pub(super) fn write(
        &mut self,
        queue: &mut Queue,
        writes: &mut u64,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        while !queue.is_empty() {
            *writes += 1;
            let written = if queue.head == queue.tail {
                // The common case, without the cost of a long array of slices.
                write(&[IoSlice::new(&self.bytes(queue.head)[queue.written as usize..])])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let mut count = 0;
                let mut at = queue.head;
                let mut skip = queue.written as usize;
                while at != NONE && count < SLICES_MAX {
                    slices[count] = IoSlice::new(&self.bytes(at)[skip..]);
                    skip = 0;
                    count += 1;
                    at = self.nodes[at as usize].next;
                }
                write(&slices[..count])
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(queue, written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Bytes of the queue from its head, without taking them out, up to `max`.
    pub(super) fn copy(&self, queue: &Queue, max: usize, out: &mut Vec<u8>) {
        let mut at = queue.head;
        let mut skip = queue.written as usize;
        while at != NONE && out.len() < max {
            let bytes = &self.bytes(at)[skip..];
            out.extend_from_slice(&bytes[..bytes.len().min(max - out.len())]);
            skip = 0;
            at = self.nodes[at as usize].next;
        }
    }

    /// Takes `count` bytes off the queue's head.
    pub(super) fn advance(&mut self, queue: &mut Queue, mut count: usize) {
        while count > 0 {
            let left = self.bytes(queue.head).len() - queue.written as usize;
            if count < left {
                queue.written += count as u32;
                queue.bytes -= count as u32;
                return;
            }
            count -= left;
            queue.bytes -= left as u32;
            self.pop(queue);
        }
    }

    /// Drops everything that waits, but keeps a frame of which a part is written already.
    pub(super) fn drop_unsent(&mut self, queue: &mut Queue) {
        if queue.written == 0 {
            self.clear(queue);
            return;
        }
        let mut begun = Queue { head: self.nodes[queue.head as usize].next, ..Queue::default() };
        begun.bytes = queue.bytes;
        queue.bytes = self.bytes(queue.head).len() as u32 - queue.written;
        queue.tail = queue.head;
        self.nodes[queue.head as usize].next = NONE;
        self.clear(&mut begun);
    }

    /// Drops everything that waits.
    pub(super) fn clear(&mut self, queue: &mut Queue) {
        while !queue.is_empty() {
            self.pop(queue);
        }
        *queue = Queue::default();
    }

    /// Gives memory back after a burst.
    pub(super) fn shrink(&mut self) {
        if self.used == 0 && self.nodes.capacity() > 4096 {
            self.nodes = Vec::new();
            self.free = NONE;
        }
    }

    /// Bytes of a chained node's frame.
    fn bytes(&self, at: u32) -> &[u8] {
        self.nodes[at as usize].frame.as_ref().expect("a chained node has a frame").bytes()
    }

    fn pop(&mut self, queue: &mut Queue) {
        let at = queue.head;
        let node = &mut self.nodes[at as usize];
        let frame = node.frame.take().expect("a chained node has a frame");
        queue.head = node.next;
        queue.written = 0;
        if queue.head == NONE {
            queue.tail = NONE;
        }
        node.next = self.free;
        self.free = at;
        self.used -= 1;
        frame.queued.set(frame.queued.get() - 1);
        if frame.queued.get() == 0 {
            self.frame_bytes -= frame.bytes().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(arena: &mut Arena, queue: &mut Queue, chunk: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writes = 0;
        let done = arena.write(queue, &mut writes, |slices| {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            let count = all.len().min(chunk);
            out.extend_from_slice(&all[..count]);
            Ok(count)
        });
        assert!(done.unwrap());
        out
    }

    #[test]
    fn frames_leave_in_order_however_the_socket_cuts_them() {
        for chunk in 1..12 {
            let mut arena = Arena::new();
            let mut queue = Queue::default();
            for text in ["hello ", "wide ", "world"] {
                arena.push(&mut queue, Frame::own(text.as_bytes()));
            }
            assert_eq!(queue.bytes(), 16);
            assert_eq!(written(&mut arena, &mut queue, chunk), b"hello wide world");
            assert!(queue.is_empty() && queue.bytes() == 0);
            assert_eq!(arena.frame_bytes, 0);
        }
    }

    #[test]
    fn a_shared_frame_is_accounted_once() {
        let mut arena = Arena::new();
        let (mut a, mut b) = (Queue::default(), Queue::default());
        let frame = Frame::shared(Arc::from(vec![7; 1000]));
        arena.push(&mut a, frame.clone());
        arena.push(&mut b, frame);
        assert_eq!(arena.frame_bytes, 1000);
        arena.clear(&mut a);
        assert_eq!(arena.frame_bytes, 1000);
        arena.clear(&mut b);
        assert_eq!(arena.frame_bytes, 0);
    }

    #[test]
    fn dropping_keeps_a_begun_frame() {
        let mut arena = Arena::new();
        let mut queue = Queue::default();
        arena.push(&mut queue, Frame::own(b"abcdef"));
        arena.push(&mut queue, Frame::own(b"ghi"));
        arena.advance(&mut queue, 2);
        arena.drop_unsent(&mut queue);
        assert_eq!(queue.bytes(), 4);
        arena.push(&mut queue, Frame::own(b"!"));
        assert_eq!(written(&mut arena, &mut queue, 100), b"cdef!");
        assert_eq!(arena.used, 0);
    }
}
