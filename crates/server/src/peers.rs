//! The links to the other members, as the core sees them.

use std::collections::BTreeMap;

use sterna_broker::core::{Channel, Load, PeerEvent, PeerFrame};
use sterna_link::{Link, LinkEvent};
use sterna_replica::Slot;

use crate::elsewhere::Elsewhere;

/// The links that are up.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    links: BTreeMap<u16, Peer>,
}

/// A member with a link.
#[derive(Debug)]
struct Peer {
    link: Link,
    /// Where clients reach it.
    advertised: Vec<Box<str>>,
}

impl Peers {
    /// Takes in what a link says; what the core is to hear of it. An administrator's request is given back.
    pub(crate) fn take(
        &mut self,
        event: LinkEvent,
    ) -> Result<(PeerEvent, Option<sterna_link::Receipt>), LinkEvent> {
        match event {
            LinkEvent::Up { slot, link, advertised, .. } => {
                let advertised = advertised.into_iter().map(Into::into).collect();
                self.links.insert(slot, Peer { link, advertised });
                Ok((PeerEvent::Up { slot: Slot(slot) }, None))
            }
            LinkEvent::Down { slot } => {
                self.links.remove(&slot);
                Ok((PeerEvent::Down { slot: Slot(slot) }, None))
            }
            LinkEvent::Frame { slot, channel, bytes, receipt } => {
                let event = PeerEvent::Frame { slot: Slot(slot), channel: from_link(channel), bytes };
                Ok((event, Some(receipt)))
            }
            LinkEvent::Admin { .. } => Err(event),
        }
    }

    /// Sends a frame, if there is a link.
    pub(crate) fn send(&self, frame: PeerFrame) {
        if let Some(Peer { link, .. }) = self.links.get(&frame.to.0) {
            link.send(to_link(frame.channel), frame.bytes);
        }
    }

    /// Where clients can go instead of here.
    pub(crate) fn elsewhere(&self, loads: &BTreeMap<Slot, Load>) -> Elsewhere {
        let linked = self.links.iter().map(|(slot, peer)| (Slot(*slot), &*peer.advertised));
        Elsewhere::new(linked, loads)
    }

    /// Links that are up.
    pub(crate) fn len(&self) -> usize {
        self.links.len()
    }

    /// Those of them that go to one of the first `seeds` slots.
    pub(crate) fn seeds(&self, seeds: u16) -> usize {
        self.links.range(..seeds).count()
    }
}

fn from_link(channel: sterna_link::Channel) -> Channel {
    match channel {
        sterna_link::Channel::Log => Channel::Log,
        sterna_link::Channel::Forward => Channel::Forward,
        sterna_link::Channel::Transfer => Channel::Transfer,
    }
}

fn to_link(channel: Channel) -> sterna_link::Channel {
    match channel {
        Channel::Log => sterna_link::Channel::Log,
        Channel::Forward => sterna_link::Channel::Forward,
        Channel::Transfer => sterna_link::Channel::Transfer,
    }
}
