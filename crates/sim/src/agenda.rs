//! Virtual time: what happens when, one thing after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sterna_replica::Level;

use crate::client::ClientId;
use crate::links::LinkId;
use crate::member::MemberId;
use crate::network::SocketId;

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Happening {
    /// The core of a member looks at its queue.
    CoreTurn(MemberId),
    /// A shard of a member looks at its sockets and its mailbox.
    ShardTurn(MemberId, u16),
    /// A client looks at its socket and does what is due.
    ClientTurn(ClientId),
    /// A new connection reaches the member.
    Dialled(SocketId),
    /// A member that was stopped starts.
    Start(MemberId),
    /// A member that was told to stop does so, whoever still needs it, if it is still that process.
    Quit(MemberId, u64),
    /// Two members try to link up.
    Dial(MemberId, MemberId),
    /// A link breaks, if nothing came through on it since this was planned.
    Starve(MemberId, MemberId, LinkId),
    /// What goes from the first member to the second one gets through again.
    Unblock(MemberId, MemberId),
    /// A link that was slow is quick again.
    Quicken(MemberId, MemberId),
    /// A member gets software that knows the levels up to this one.
    Install(MemberId, Level),
    /// Somebody looks whether a member is to be restarted with other software.
    Update,
    /// Something goes wrong.
    Fault,
    /// From here on nothing goes wrong any more.
    Calm,
    /// Is everything as it should be at last?
    Look,
}

/// What happens when. Of things at the same time, what was planned first happens first.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// The present, microseconds since the beginning.
    pub(crate) now_us: u64,
    planned: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    count: u64,
    /// A number that differs between two runs if they differ.
    digest: u64,
}

impl Agenda {
    pub(crate) fn at(&mut self, at_us: u64, happening: Happening) {
        self.count += 1;
        self.planned.push(Reverse((at_us.max(self.now_us), self.count, happening)));
    }

    pub(crate) fn after(&mut self, us: u64, happening: Happening) {
        self.at(self.now_us + us, happening);
    }

    /// Goes on to the next thing that happens.
    pub(crate) fn next(&mut self) -> Option<Happening> {
        let Reverse((at_us, count, happening)) = self.planned.pop()?;
        self.now_us = at_us;
        self.mix(at_us);
        self.mix(count);
        Some(happening)
    }

    /// Makes the digest depend on something that happened.
    pub(crate) fn mix(&mut self, number: u64) {
        self.digest = (self.digest.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Things that have happened or are planned.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}

/// When an actor has its next turn. Set again for an earlier time, the later one no longer counts.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<u64>);

impl Alarm {
    pub(crate) fn set(&mut self, agenda: &mut Agenda, at_us: u64, turn: Happening) {
        let at_us = at_us.max(agenda.now_us);
        if self.0.is_none_or(|set_us| at_us < set_us) {
            self.0 = Some(at_us);
            agenda.at(at_us, turn);
        }
    }

    /// Whether it is set for now; then it is set no longer.
    pub(crate) fn ring(&mut self, now_us: u64) -> bool {
        self.0.take_if(|set_us| *set_us == now_us).is_some()
    }
}
