//! In `Standard` mode: a member that comes, or comes back, gets everybody's snapshots, in chunks that it confirms. The
//! newer of two snapshots wins, so it does not matter who sends first, or twice.

use std::collections::BTreeMap;

use bytes::BytesMut;
use sterna_model::SubjectId;
use sterna_replica::Slot;

use super::{Channel, Outputs, PeerFrame, frame};
use crate::store::Store;

/// Bytes of a chunk, unless one message is larger.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that may be on their way to a member.
const IN_FLIGHT_MAX: u8 = 4;

/// What goes to one member.
#[derive(Debug)]
struct Share {
    /// Where to go on; none when all was sent.
    next: Option<SubjectId>,
    in_flight: u8,
}

/// What goes to the members whose link came up.
#[derive(Debug, Default)]
pub(super) struct Shares(BTreeMap<Slot, Share>);

impl Shares {
    /// A link is up: everything goes there.
    pub(super) fn begin(&mut self, to: Slot, store: &Store, out: &mut Outputs) {
        self.0.insert(to, Share { next: Some(SubjectId(0)), in_flight: 0 });
        self.go_on(to, store, out);
    }

    /// The link is down.
    pub(super) fn end(&mut self, to: Slot) {
        self.0.remove(&to);
    }

    /// The member has taken a chunk.
    pub(super) fn confirm(&mut self, to: Slot, store: &Store, out: &mut Outputs) {
        if let Some(share) = self.0.get_mut(&to) {
            share.in_flight = share.in_flight.saturating_sub(1);
            self.go_on(to, store, out);
        }
    }

    fn go_on(&mut self, to: Slot, store: &Store, out: &mut Outputs) {
        let Some(share) = self.0.get_mut(&to) else { return };
        while share.in_flight < IN_FLIGHT_MAX
            && let Some(from) = share.next
        {
            let mut chunk = BytesMut::new();
            share.next = store.put_snapshots(from, CHUNK_BYTES, &mut chunk);
            if !chunk.is_empty() {
                share.in_flight += 1;
                out.frames.push(PeerFrame {
                    to,
                    channel: Channel::Transfer,
                    bytes: frame::snapshots(&chunk),
                });
            }
        }
        if share.next.is_none() && share.in_flight == 0 {
            self.0.remove(&to);
        }
    }
}
