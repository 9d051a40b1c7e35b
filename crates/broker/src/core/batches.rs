//! A member's batches on their way into the log: numbered, and kept until they are applied here.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::store::command::Origin;
use crate::store::{Waiter, Waiters};

/// A batch of this member that is not applied yet.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) ops: Bytes,
    pub(super) waiters: Vec<Option<Waiter>>,
    pub(super) cost_bytes: usize,
}

/// Batches on their way into the log.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// Names the batches; changes when a state takes over that has not seen them.
    pub(super) origin: Origin,
    /// Number of the batch that is being collected.
    pub(super) next_number: u64,
    pub(super) waiting: VecDeque<Pending>,
    pub(super) waiting_bytes: usize,
    pub(super) cost_bytes: usize,
    /// How many of those that wait the leader has been given.
    pub(super) sent: usize,
    pub(super) sent_bytes: usize,
    /// Highest number that anybody has been given.
    pub(super) given: u64,
}

impl Waiters for Batches {
    fn of(&mut self, origin: Origin, number: u64) -> Vec<Option<Waiter>> {
        if origin != self.origin || self.waiting.front().is_none_or(|first| first.number != number) {
            return Vec::new();
        }
        self.pop().map_or_else(Vec::new, |pending| pending.waiters)
    }
}

impl Batches {
    pub(super) fn push(&mut self, ops: Bytes, waiters: Vec<Option<Waiter>>, cost_bytes: usize) {
        self.waiting_bytes += ops.len();
        self.cost_bytes += cost_bytes;
        let number = self.next_number;
        self.next_number += 1;
        self.waiting.push_back(Pending { number, ops, waiters, cost_bytes });
    }

    /// Takes the oldest out.
    pub(super) fn pop(&mut self) -> Option<Pending> {
        let pending = self.waiting.pop_front()?;
        self.waiting_bytes -= pending.ops.len();
        self.cost_bytes -= pending.cost_bytes;
        if self.sent > 0 {
            self.sent -= 1;
            self.sent_bytes -= pending.ops.len();
        }
        Some(pending)
    }

    /// Takes those out that nobody was ever given.
    pub(super) fn take_unsent(&mut self) -> Vec<Pending> {
        let kept = self.waiting.iter().take_while(|pending| pending.number <= self.given).count();
        let unsent: Vec<Pending> = self.waiting.split_off(kept).into();
        for pending in &unsent {
            self.waiting_bytes -= pending.ops.len();
            self.cost_bytes -= pending.cost_bytes;
        }
        self.next_number -= unsent.len() as u64;
        unsent
    }

    /// The leader has none of them.
    pub(super) fn unsend(&mut self) {
        (self.sent, self.sent_bytes) = (0, 0);
    }

    /// The next one for the leader, if it may have more.
    pub(super) fn send(&mut self, bytes_max: usize) -> Option<(u64, Bytes)> {
        let pending = self.waiting.get(self.sent)?;
        if self.sent > 0 && self.sent_bytes + pending.ops.len() > bytes_max {
            return None;
        }
        self.sent += 1;
        self.sent_bytes += pending.ops.len();
        self.given = self.given.max(pending.number);
        Some((pending.number, pending.ops.clone()))
    }

    /// Begins to count from 1 under another name.
    pub(super) fn rename(&mut self, origin: Origin) {
        self.origin = origin;
        self.unsend();
        for (number, pending) in (1..).zip(&mut self.waiting) {
            pending.number = number;
        }
        self.next_number = self.waiting.len() as u64 + 1;
        self.given = 0;
    }
}
