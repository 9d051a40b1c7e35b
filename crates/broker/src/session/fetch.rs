//! What a session still wants from the core. Asked for piece by piece, while the client reads what it got.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sterna_model::limit::FETCHES_IN_FLIGHT_MAX;
use sterna_model::{ConnectionId, Start, Subject, SubjectId};

use super::{Output, Session};
use crate::core::{Cursor, Event, SubscribeEvent};

/// With this much waiting the shard stops reading from the client. (One request may go beyond it.)
const WAITING_BYTES_HIGH: usize = 256 * 1024;

/// One wish. Each leads to exactly one effect of the core, in order.
#[derive(Debug)]
pub(super) enum Wish {
    Subscribe { id: Option<u64>, name: Subject, start: Start, conflation_ms: u32 },
    Continue { subject: SubjectId, cursor: Cursor },
    Unsubscribe { id: Option<u64>, name: Subject },
}

impl Wish {
    /// Bytes of the name with its reference counts.
    fn name_bytes(&self) -> usize {
        match self {
            Self::Subscribe { name, .. } | Self::Unsubscribe { name, .. } => name.as_str().len() + 16,
            Self::Continue { .. } => 0,
        }
    }
}

/// The wishes of a session.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    waiting: VecDeque<Wish>,
    /// Bytes of the names in `waiting`.
    name_bytes: usize,
    /// Wishes that the core has not answered yet.
    in_flight: u8,
    /// Subscriptions whose subscribe is waiting or on its way.
    pub(super) subscribing: usize,
    /// Subscriptions that have begun but have not caught up with the live flow. Keyed by our own numbers: no
    /// need of a seed.
    pub(super) catching_up: HashMap<SubjectId, CatchUp, FixedState>,
}

/// A subscription that has begun but has not caught up.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) name: Subject,
    pub(super) conflation_ms: u32,
    /// Where it goes on; the answer to an older question has another one.
    pub(super) cursor: Cursor,
}

impl Fetch {
    /// Takes out the catch-up of the subject, if it goes on at this cursor.
    pub(super) fn take(&mut self, subject: SubjectId, cursor: Cursor) -> Option<CatchUp> {
        if self.awaits(subject, cursor) { self.catching_up.remove(&subject) } else { None }
    }

    fn awaits(&self, subject: SubjectId, cursor: Cursor) -> bool {
        self.catching_up.get(&subject).is_some_and(|catch_up| catch_up.cursor == cursor)
    }

    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.waiting.capacity() * size_of::<Wish>()
            + self.name_bytes
            + self.catching_up.allocation_size()
    }

    fn pop(&mut self) -> Option<Wish> {
        let wish = self.waiting.pop_front()?;
        self.name_bytes -= wish.name_bytes();
        Some(wish)
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight == 0 && self.catching_up.is_empty()
    }
}

impl Session {
    /// Whether the shard should stop reading from the client until [`Session::fetch_more`] has caught up.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.fetch.as_ref().is_some_and(|fetch| {
            fetch.waiting.len() * size_of::<Wish>() + fetch.name_bytes >= WAITING_BYTES_HIGH
        })
    }

    /// Whether [`Session::fetch_more`] would ask for something.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        let ready = |fetch: &Fetch| fetch.in_flight < FETCHES_IN_FLIGHT_MAX && !fetch.waiting.is_empty();
        self.fetch.as_deref().is_some_and(ready)
    }

    /// Asks the core for more. To be called when the client's out-queue has room.
    pub fn fetch_more(&mut self, from: ConnectionId, out: &mut Vec<Output>) {
        let Some(fetch) = &mut self.fetch else { return };
        while fetch.in_flight < FETCHES_IN_FLIGHT_MAX {
            let Some(wish) = fetch.pop() else { break };
            let event = match wish {
                Wish::Subscribe { id, name, start, conflation_ms } => {
                    Event::Subscribe(SubscribeEvent { from, id, name, start, conflation_ms })
                }
                Wish::Continue { subject, cursor } if fetch.awaits(subject, cursor) => {
                    Event::Continue { to: from, subject, cursor }
                }
                // Unsubscribed, or begun anew, meanwhile.
                Wish::Continue { .. } => continue,
                Wish::Unsubscribe { id, name } => Event::Unsubscribe { to: from, id, name },
            };
            fetch.in_flight += 1;
            out.push(Output::Core(event));
        }
        self.drop_idle_fetch();
    }

    pub(super) fn wish(&mut self, wish: Wish) -> &mut Fetch {
        let fetch = self.fetch.get_or_insert_default();
        fetch.name_bytes += wish.name_bytes();
        fetch.waiting.push_back(wish);
        fetch
    }

    /// The core has answered one wish.
    pub(super) fn fetched(&mut self) -> &mut Fetch {
        let fetch = self.fetch.as_mut().expect("an answer follows a wish");
        fetch.in_flight -= 1;
        fetch
    }

    /// An idle session keeps no trace of what it once fetched.
    pub(super) fn drop_idle_fetch(&mut self) {
        self.fetch.take_if(|fetch| fetch.is_idle());
    }
}
