//! Links between members, as TCP makes them: three channels, each in order; nothing is lost, doubled or overtaken
//! within a channel, unless the link breaks and takes the end of what is under way with it. Across channels and links
//! everything may overtake.

use std::collections::BTreeMap;

use bytes::Bytes;
use sterna_broker::core::{Channel, PeerEvent};
use sterna_model::Random;
use sterna_replica::Slot;

use crate::member::MemberId;

/// One link. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(u32);

/// What arrives at a member.
#[derive(Debug)]
struct Arrival {
    from: MemberId,
    link: LinkId,
    what: What,
}

#[derive(Debug)]
enum What {
    Up,
    Down,
    Frame(Channel, Bytes),
}

/// One end of a pair of members, with the way from it to the other one.
#[derive(Debug, Default)]
struct End {
    /// The link that this end knows to be up.
    knows: Option<LinkId>,
    /// Reasons for which nothing gets through from here.
    blocks: u32,
    /// What waits until it gets through.
    held: Vec<(Channel, Bytes)>,
    /// When the last frame of each channel arrives.
    last_us: [u64; 3],
}

/// Two members, the lower one first.
#[derive(Debug)]
struct Pair {
    link: Option<LinkId>,
    /// Most a frame takes, microseconds.
    latency_us: u64,
    /// While it is slow, microseconds.
    slow_us: u64,
    ends: [End; 2],
}

/// All links of a run.
#[derive(Debug)]
pub(crate) struct Links {
    pairs: BTreeMap<(MemberId, MemberId), Pair>,
    /// What is under way to each member, by the time at which it arrives.
    inboxes: Vec<BTreeMap<(u64, u64), Arrival>>,
    count: u64,
    next_link: u32,
    random: Random,
}

/// The pair of two members, and which end of it the first one is.
fn pair_of(a: MemberId, b: MemberId) -> ((MemberId, MemberId), usize) {
    if a < b { ((a, b), 0) } else { ((b, a), 1) }
}

impl Links {
    pub(crate) fn new(mut random: Random, members: u16) -> Self {
        let mut pairs = BTreeMap::new();
        for low in 0..members {
            for high in low + 1..members {
                let latency_us = random.pick(&[100, 300, 300, 2_000, 15_000]);
                let pair = Pair { link: None, latency_us, slow_us: 0, ends: Default::default() };
                pairs.insert((MemberId(low), MemberId(high)), pair);
            }
        }
        let inboxes = (0..members).map(|_| BTreeMap::new()).collect();
        Self { pairs, inboxes, count: 0, next_link: 0, random }
    }

    fn pair(&mut self, a: MemberId, b: MemberId) -> (&mut Pair, usize) {
        let (key, end) = pair_of(a, b);
        (self.pairs.get_mut(&key).expect("both are members"), end)
    }

    /// The link between two members, if there is one.
    pub(crate) fn link(&mut self, a: MemberId, b: MemberId) -> Option<LinkId> {
        self.pair(a, b).0.link
    }

    fn arrive(&mut self, to: MemberId, at_us: u64, arrival: Arrival) {
        self.count += 1;
        self.inboxes[usize::from(to.0)].insert((at_us, self.count), arrival);
    }

    fn delay_us(&mut self, a: MemberId, b: MemberId) -> u64 {
        let (pair, _) = self.pair(a, b);
        let most_us = pair.latency_us + pair.slow_us;
        self.random.between(most_us / 4, most_us)
    }

    /// Makes a link between two members that have none; false if nothing gets through. An end that has not yet
    /// noticed that the last one broke does so now.
    pub(crate) fn connect(&mut self, a: MemberId, b: MemberId, now_us: u64) -> bool {
        let (pair, _) = self.pair(a, b);
        if pair.link.is_some() || pair.ends.iter().any(|end| end.blocks > 0) {
            return pair.link.is_some();
        }
        self.next_link += 1;
        let link = LinkId(self.next_link);
        self.pair(a, b).0.link = Some(link);
        for (own, other) in [(a, b), (b, a)] {
            let at_us = now_us + self.delay_us(a, b);
            let inbox = &mut self.inboxes[usize::from(own.0)];
            inbox
                .retain(|_, arrival| arrival.from != other || !matches!(arrival.what, What::Up | What::Down));
            let (pair, end) = self.pair(own, other);
            // Nothing arrives over a link before the end knows that it is up.
            pair.ends[1 - end].last_us = [at_us; 3];
            if let Some(link) = pair.ends[end].knows {
                self.arrive(own, at_us, Arrival { from: other, link, what: What::Down });
            }
            self.arrive(own, at_us, Arrival { from: other, link, what: What::Up });
        }
        true
    }

    /// Breaks the link: in each direction and channel an end of what is under way is lost, and each end notices in its
    /// own time, at most so much later.
    pub(crate) fn sever(&mut self, a: MemberId, b: MemberId, now_us: u64, notice_us: [u64; 2]) -> bool {
        let Some(link) = self.pair(a, b).0.link.take() else { return false };
        for ((from, to), notice_us) in [(b, a), (a, b)].into_iter().zip(notice_us) {
            self.pair(from, to).0.ends.iter_mut().for_each(|end| end.held.clear());
            let kept_us = [(); 3].map(|()| now_us + self.delay_us(a, b));
            let inbox = &mut self.inboxes[usize::from(to.0)];
            let is_lost = |at_us: u64, arrival: &Arrival| match arrival.what {
                What::Frame(channel, _) => arrival.link == link && at_us > kept_us[channel as usize],
                What::Up | What::Down => false,
            };
            inbox.retain(|(at_us, _), arrival| !is_lost(*at_us, arrival));
            let up_us =
                inbox.iter().filter(|(_, arrival)| arrival.link == link && matches!(arrival.what, What::Up));
            let up_us = up_us.map(|((at_us, _), _)| *at_us).max().unwrap_or(0);
            let at_us = (now_us + self.random.between(0, notice_us)).max(up_us);
            self.arrive(to, at_us, Arrival { from, link, what: What::Down });
        }
        true
    }

    /// The member has died: nothing that was on its way to it arrives.
    pub(crate) fn forget(&mut self, member: MemberId) {
        self.inboxes[usize::from(member.0)].clear();
        for other in (0..self.inboxes.len() as u16).map(MemberId).filter(|other| *other != member) {
            let (pair, end) = self.pair(member, other);
            pair.ends[end].knows = None;
        }
    }

    /// Sends a frame; returns when it arrives, if it does.
    pub(crate) fn send(
        &mut self,
        from: MemberId,
        to: MemberId,
        (channel, bytes): (Channel, Bytes),
        now_us: u64,
    ) -> Option<u64> {
        let delay_us = self.delay_us(from, to);
        let (pair, end) = self.pair(from, to);
        let link = pair.link.filter(|link| pair.ends[end].knows == Some(*link))?;
        let end = &mut pair.ends[end];
        if end.blocks > 0 {
            end.held.push((channel, bytes));
            return None;
        }
        let last_us = &mut end.last_us[channel as usize];
        *last_us = (*last_us).max(now_us + delay_us);
        let at_us = *last_us;
        self.arrive(to, at_us, Arrival { from, link, what: What::Frame(channel, bytes) });
        Some(at_us)
    }

    /// Nothing gets through from one member to the other, until it is unblocked as often, or all is.
    pub(crate) fn block(&mut self, from: MemberId, to: MemberId) {
        let (pair, end) = self.pair(from, to);
        pair.ends[end].blocks += 1;
    }

    pub(crate) fn unblock(&mut self, from: MemberId, to: MemberId, now_us: u64) {
        let (pair, end) = self.pair(from, to);
        pair.ends[end].blocks = pair.ends[end].blocks.saturating_sub(1);
        if pair.ends[end].blocks == 0 {
            for frame in std::mem::take(&mut pair.ends[end].held) {
                self.send(from, to, frame, now_us);
            }
        }
    }

    /// Whether nothing gets through in one direction.
    pub(crate) fn is_blocked(&mut self, a: MemberId, b: MemberId) -> bool {
        self.pair(a, b).0.ends.iter().any(|end| end.blocks > 0)
    }

    /// Makes a link slower by so much; as quick as it was at first, by 0.
    pub(crate) fn slow(&mut self, a: MemberId, b: MemberId, by_us: u64) {
        self.pair(a, b).0.slow_us = by_us;
    }

    /// Everything gets through again, and quickly.
    pub(crate) fn heal(&mut self, now_us: u64) {
        let pairs: Vec<_> = self.pairs.keys().copied().collect();
        for (a, b) in pairs {
            self.slow(a, b, 0);
            for (from, to) in [(a, b), (b, a)] {
                let (pair, end) = self.pair(from, to);
                pair.ends[end].blocks = pair.ends[end].blocks.min(1);
                self.unblock(from, to, now_us);
            }
        }
    }

    /// When something arrives next at the member.
    pub(crate) fn next_us(&self, member: MemberId) -> Option<u64> {
        self.inboxes[usize::from(member.0)].first_key_value().map(|((at_us, _), _)| *at_us)
    }

    /// What has arrived at the member.
    pub(crate) fn receive(&mut self, member: MemberId, now_us: u64) -> Option<PeerEvent> {
        loop {
            let inbox = &mut self.inboxes[usize::from(member.0)];
            let first = inbox.first_entry().filter(|first| first.key().0 <= now_us)?;
            let Arrival { from, link, what } = first.remove();
            let slot = Slot(from.0);
            let (pair, end) = self.pair(member, from);
            let knows = &mut pair.ends[end].knows;
            match what {
                What::Up => {
                    *knows = Some(link);
                    return Some(PeerEvent::Up { slot });
                }
                What::Down if knows.take_if(|known| *known == link).is_some() => {
                    return Some(PeerEvent::Down { slot });
                }
                What::Frame(channel, bytes) if *knows == Some(link) => {
                    return Some(PeerEvent::Frame { slot, channel, bytes });
                }
                What::Down | What::Frame(..) => {}
            }
        }
    }

    /// Whether the pair is linked, and both ends know it.
    pub(crate) fn is_whole(&mut self, a: MemberId, b: MemberId) -> bool {
        let (pair, _) = self.pair(a, b);
        pair.link.is_some() && pair.ends.iter().all(|end| end.knows == pair.link)
    }
}
