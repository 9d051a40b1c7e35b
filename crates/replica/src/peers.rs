//! The other members, as they say that they are.

use std::collections::BTreeMap;

use crate::frame::Presence;
use crate::identity::{Level, Lineage, NodeId, Nonce, Slot};

/// A slot to which a link is up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    presence: Option<Presence>,
    heard_ms: u64,
    /// When it was last told what this member is.
    pub(crate) told_ms: Option<u64>,
}

/// All slots to which a link is up.
#[derive(Debug)]
pub(crate) struct Peers {
    peers: BTreeMap<Slot, Peer>,
    lost_ms: u64,
}

impl Peers {
    /// A member is present while it was heard of within `lost_ms`.
    pub(crate) fn new(lost_ms: u64) -> Self {
        Self { peers: BTreeMap::new(), lost_ms }
    }

    /// A new link: whatever was known came over an older one.
    pub(crate) fn up(&mut self, slot: Slot) {
        self.peers.insert(slot, Peer::default());
    }

    pub(crate) fn down(&mut self, slot: Slot) {
        self.peers.remove(&slot);
    }

    pub(crate) fn is_up(&self, slot: Slot) -> bool {
        self.peers.contains_key(&slot)
    }

    pub(crate) fn slots(&self) -> Vec<Slot> {
        self.peers.keys().copied().collect()
    }

    pub(crate) fn peer_mut(&mut self, slot: Slot) -> Option<&mut Peer> {
        self.peers.get_mut(&slot)
    }

    /// Takes a word of presence; false if it is older than the last one.
    pub(crate) fn hear(&mut self, slot: Slot, presence: Presence, now_ms: u64) -> bool {
        let Some(peer) = self.peers.get_mut(&slot) else { return false };
        let is_newer = peer.presence.as_ref().is_none_or(|last| last.revision < presence.revision);
        if is_newer {
            peer.presence = Some(presence);
            peer.heard_ms = now_ms;
        }
        is_newer
    }

    /// The last word of a slot whose link is up.
    pub(crate) fn presence(&self, slot: Slot) -> Option<&Presence> {
        self.peers.get(&slot)?.presence.as_ref()
    }

    /// The incarnation at the other end of the link.
    pub(crate) fn nonce(&self, slot: Slot) -> Option<Nonce> {
        self.presence(slot).map(|presence| presence.stance.nonce)
    }

    /// Members that were heard of lately.
    pub(crate) fn present(&self, now_ms: u64) -> impl Iterator<Item = (Slot, &Presence)> {
        self.peers.iter().filter_map(move |(slot, peer)| {
            let is_fresh = now_ms - peer.heard_ms <= self.lost_ms;
            peer.presence.as_ref().filter(|_| is_fresh).map(|presence| (*slot, presence))
        })
    }

    /// The slot of an id, if its incarnation is present.
    pub(crate) fn slot_of(&self, lineage: Lineage, node: NodeId) -> Option<Slot> {
        let is_it = |peer: &Peer| {
            let stance = peer.presence.as_ref().map(|presence| &presence.stance);
            stance.is_some_and(|stance| stance.lineage == lineage && stance.node == node)
        };
        self.peers.iter().find(|(_, peer)| is_it(peer)).map(|(slot, _)| *slot)
    }

    /// The largest lineage in which somebody hears a leader, and the slot of that leader if it is linked.
    pub(crate) fn working(&self, now_ms: u64) -> Option<Working> {
        let follows = |presence: &&Presence| presence.leader != NodeId::NONE;
        let lineage = self.present(now_ms).map(|(_, p)| p).filter(follows).map(|p| p.stance.lineage).max()?;
        let leader = self
            .present(now_ms)
            .find(|(_, p)| p.stance.lineage == lineage && p.leader == p.stance.node)
            .map(|(slot, _)| slot);
        let ranks = self.present(now_ms).filter_map(|(_, p)| p.stance.copy);
        let levels = ranks.filter(|rank| rank.lineage == lineage).map(|rank| rank.level);
        Some(Working { lineage, leader, level: levels.max().unwrap_or_default() })
    }
}

/// A lineage in which somebody hears a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Working {
    pub(crate) lineage: Lineage,
    pub(crate) leader: Option<Slot>,
    /// The highest of its copies; 0 if nobody is present who has one.
    pub(crate) level: Level,
}
