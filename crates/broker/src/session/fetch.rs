//! What a session still wants from the core. Asked for piece by piece, while the client reads what it got.

use std::collections::VecDeque;

use sterna_model::limit::FETCHES_IN_FLIGHT_MAX;
use sterna_model::{ConnectionId, Start, Subject, SubjectId};

use super::{Output, Session};
use crate::core::{Cursor, Event, SubscribeEvent};

/// With this many wishes waiting the shard stops reading from the client.
const WAITING_HIGH: usize = 10_000;

/// One wish. Each leads to exactly one effect of the core, in order.
#[derive(Debug)]
pub(super) enum Wish {
    Subscribe { id: Option<u64>, name: Subject, start: Start, conflation_ms: u32 },
    Continue { subject: SubjectId, cursor: Cursor },
    Unsubscribe { id: Option<u64>, name: Subject },
}

/// The wishes of a session.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    pub(super) waiting: VecDeque<Wish>,
    /// Wishes that the core has not answered yet.
    pub(super) in_flight: u8,
    /// Subscriptions whose subscribe is waiting or on its way.
    pub(super) subscribing: usize,
    /// Subscriptions that have begun but have not caught up with the live flow.
    pub(super) catching_up: Vec<CatchUp>,
}

/// A subscription that has begun but has not caught up.
#[derive(Debug)]
pub(super) struct CatchUp {
    pub(super) joining: Joining,
    /// Where it goes on; the answer to an older question has another one.
    pub(super) cursor: Cursor,
}

/// What a session needs to know of a subject to join its audience.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) subject: SubjectId,
    pub(super) name: Subject,
    pub(super) conflation_ms: u32,
}

impl Fetch {
    /// Names of all subscriptions that are waiting, on their way or catching up.
    pub(super) fn names(&self) -> impl Iterator<Item = &Subject> {
        let waiting = self.waiting.iter().filter_map(|wish| match wish {
            Wish::Subscribe { name, .. } => Some(name),
            Wish::Continue { .. } | Wish::Unsubscribe { .. } => None,
        });
        waiting.chain(self.catching_up.iter().map(|catch_up| &catch_up.joining.name))
    }

    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.waiting.capacity() * size_of::<Wish>()
            + self.catching_up.capacity() * size_of::<CatchUp>()
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight == 0 && self.catching_up.is_empty()
    }
}

impl Session {
    /// Whether the shard should stop reading from the client until [`Session::fetch_more`] has caught up.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.fetch.as_ref().is_some_and(|fetch| fetch.waiting.len() >= WAITING_HIGH)
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
            let Some(wish) = fetch.waiting.pop_front() else { break };
            fetch.in_flight += 1;
            out.push(Output::Core(match wish {
                Wish::Subscribe { id, name, start, conflation_ms } => {
                    Event::Subscribe(SubscribeEvent { from, id, name, start, conflation_ms })
                }
                Wish::Continue { subject, cursor } => Event::Continue { to: from, subject, cursor },
                Wish::Unsubscribe { id, name } => Event::Unsubscribe { to: from, id, name },
            }));
        }
        self.drop_idle_fetch();
    }

    pub(super) fn wish(&mut self, wish: Wish) {
        self.fetch.get_or_insert_default().waiting.push_back(wish);
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
