//! What is known of the other members, for metrics and the command line.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::event::Channel;

/// One other member.
#[derive(Clone, Debug)]
pub struct RemoteStatus {
    /// Its slot.
    pub slot: u16,
    /// Its entry in `ClusterMembers`.
    pub member: String,
    /// The link to it, while it is up.
    pub link: Option<LinkStatus>,
    /// What went over all links to it since the start, in the order of `Channel::ALL`.
    pub traffic: [Traffic; 3],
}

/// How a member stands with another one.
#[derive(Clone, Debug, Default)]
pub(crate) enum Contact {
    /// It is looked for; perhaps it is there.
    #[default]
    Sought,
    /// Its name, or its machine, said that it is not there.
    Absent,
    Linked(LinkStatus),
}

/// A link that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Since when.
    pub since: SystemTime,
    /// The other end of its log connection.
    pub address: SocketAddr,
    /// Whether this member dialled.
    pub dialled: bool,
    /// The process at the other end.
    pub nonce: u128,
    /// Name and version of its software.
    pub version: String,
}

/// What went over a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames that arrived.
    pub frames_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Frames that were written.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
}

/// The counters behind [`Traffic`].
#[derive(Debug, Default)]
pub(crate) struct Counters([ChannelCounters; 3]);

#[derive(Debug, Default)]
struct ChannelCounters {
    frames_in: AtomicU64,
    bytes_in: AtomicU64,
    frames_out: AtomicU64,
    bytes_out: AtomicU64,
}

impl Counters {
    pub(crate) fn count_in(&self, channel: Channel, bytes: usize) {
        let counters = &self.0[channel as usize];
        counters.frames_in.fetch_add(1, Ordering::Relaxed);
        counters.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_out(&self, channel: Channel, bytes: usize) {
        let counters = &self.0[channel as usize];
        counters.frames_out.fetch_add(1, Ordering::Relaxed);
        counters.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> [Traffic; 3] {
        self.0.each_ref().map(|counters| Traffic {
            frames_in: counters.frames_in.load(Ordering::Relaxed),
            bytes_in: counters.bytes_in.load(Ordering::Relaxed),
            frames_out: counters.frames_out.load(Ordering::Relaxed),
            bytes_out: counters.bytes_out.load(Ordering::Relaxed),
        })
    }
}
