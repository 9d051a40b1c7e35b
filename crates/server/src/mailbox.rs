//! The bounded ways between threads: shards to the core, the core and the acceptor to the shards.

use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mio::Waker;
use sterna_broker::core::{Effect, Event};

use crate::delivery::Delivery;
use crate::settings::Settings;

/// Batches that may wait for the core, and for each shard.
const BATCHES_MAX: usize = 32;
/// Events of one batch.
pub(crate) const BATCH_EVENTS_MAX: usize = 128;
/// Bytes of the contents in one batch after which it is sent.
pub(crate) const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Orders, above all sockets, that may wait for a shard.
const ORDERS_MAX: usize = 1024;

/// What a shard is told besides the core's effects.
#[derive(Debug)]
pub(crate) enum ToShard {
    /// A socket was accepted.
    Accepted(Accepted),
    /// New settings are in force.
    Reload(Arc<Settings>),
    /// Tell the clients to go, within this time, then end.
    Drain {
        /// Milliseconds.
        window_ms: u64,
    },
}

/// A socket for a shard.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: mio::net::TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) encrypted: bool,
}

/// An effect as it travels to a shard: a delivery is shared with its encoded forms.
#[derive(Debug)]
pub(crate) enum ShardEffect {
    /// Everything but deliveries.
    Effect(Effect),
    /// Deliver to the audience on this shard.
    Deliver(Arc<Delivery>),
}

/// The core's end: what shards send.
pub(crate) struct CoreInbox {
    pub(crate) batches: Receiver<Vec<Event>>,
}

/// A shard's way to the core.
#[derive(Clone)]
pub(crate) struct ToCore {
    sender: Sender<Vec<Event>>,
}

impl ToCore {
    /// Sends a batch, or gives it back if the core is behind.
    pub(crate) fn try_send(&self, batch: Vec<Event>) -> Result<(), Vec<Event>> {
        self.sender.try_send(batch).map_err(|error| match error {
            // Without a core the member is stopping; the shard finds out from its mailbox.
            TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
        })
    }
}

/// The way to the core.
pub(crate) fn core_queue() -> (ToCore, CoreInbox) {
    let (sender, batches) = bounded(BATCHES_MAX);
    (ToCore { sender }, CoreInbox { batches })
}

/// A shard's end of its mailboxes.
pub(crate) struct ShardInbox {
    pub(crate) effects: Receiver<Vec<ShardEffect>>,
    pub(crate) orders: Receiver<ToShard>,
}

/// The way to one shard.
#[derive(Clone)]
pub(crate) struct ShardMailbox {
    effects: Sender<Vec<ShardEffect>>,
    /// Apart from the effects, so that a shard that is behind with them is still told to drain.
    orders: Sender<ToShard>,
    waker: Arc<Waker>,
}

impl ShardMailbox {
    /// Sends what the core wants done, in its order. Waits if the shard is behind: shards never wait for the core,
    /// so this ends.
    pub(crate) fn send_effects(&self, effects: Vec<ShardEffect>) {
        // A shard that has ended needs nothing any more.
        let _ = self.effects.send(effects);
        self.wake();
    }

    /// Sends an order; the shard follows it before it takes further effects.
    pub(crate) fn send(&self, order: ToShard) {
        let _ = self.orders.send(order);
        self.wake();
    }

    /// Sends a socket, or gives it back if too many wait.
    pub(crate) fn try_send_socket(&self, accepted: Accepted) -> Result<(), Accepted> {
        let sent = self.orders.try_send(ToShard::Accepted(accepted));
        self.wake();
        sent.map_err(|error| match error.into_inner() {
            ToShard::Accepted(accepted) => accepted,
            _ => unreachable!("gives back what was sent"),
        })
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a shard; it goes on at its next timer");
        }
    }
}

/// The way to a shard whose poll the waker wakes.
pub(crate) fn shard_mailbox(waker: Arc<Waker>) -> (ShardMailbox, ShardInbox) {
    let (effects_sender, effects) = bounded(BATCHES_MAX);
    let (orders_sender, orders) = bounded(ORDERS_MAX);
    let mailbox = ShardMailbox { effects: effects_sender, orders: orders_sender, waker };
    (mailbox, ShardInbox { effects, orders })
}
