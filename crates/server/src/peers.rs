//! The links to the other members, as the core sees them.

use std::collections::BTreeMap;

use sterna_broker::core::{Channel, PeerEvent, PeerFrame};
use sterna_link::{Link, LinkEvent};
use sterna_replica::Slot;

/// The links that are up.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    links: BTreeMap<u16, Link>,
}

impl Peers {
    /// Takes in what a link says; what the core is to hear of it. An administrator's request is given back.
    pub(crate) fn take(
        &mut self,
        event: LinkEvent,
    ) -> Result<(PeerEvent, Option<sterna_link::Receipt>), LinkEvent> {
        match event {
            LinkEvent::Up { slot, link, .. } => {
                self.links.insert(slot, link);
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
        if let Some(link) = self.links.get(&frame.to.0) {
            link.send(to_link(frame.channel), frame.bytes);
        }
    }

    /// Links that are up.
    pub(crate) fn len(&self) -> usize {
        self.links.len()
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
