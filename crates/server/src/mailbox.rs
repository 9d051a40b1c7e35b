//! The bounded ways between threads: shards to the core, the core and the acceptor to the shards.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, unbounded};
use mio::Waker;
use sterna_broker::core::{Effect, Event};
use sterna_link::LinkEvent;

use crate::delivery::Delivery;
use crate::elsewhere::Elsewhere;
use crate::settings::Settings;
use crate::sleep::Sleep;

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
    /// Where clients can go instead of here.
    Elsewhere(Elsewhere),
    /// Ask so many clients to move to another member.
    Offload {
        /// Clients.
        clients: u64,
    },
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

/// What the core is told besides the shards' events.
#[derive(Debug)]
pub(crate) enum ToCoreThread {
    /// By the links. Their own receipts bound what waits.
    Link(LinkEvent),
    /// The member will stop: hand over, and say so here when nothing waits for it.
    Leave(Sender<()>),
}

/// The core's end: what shards and links send.
pub(crate) struct CoreInbox {
    batches: Receiver<Vec<Event>>,
    orders: Receiver<ToCoreThread>,
    bed: Arc<CoreBed>,
}

/// Where the core sleeps. The channel's own way to sleep yields the processor several times first, and holds a lock
/// while it wakes; both cost most where core and shard share a processor.
#[derive(Default)]
struct CoreBed {
    thread: OnceLock<Thread>,
    sleep: Sleep,
}

/// All shards have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended;

impl CoreInbox {
    /// Sleeps up to `timeout`, or until something is here.
    pub(crate) fn sleep(&self, timeout: Duration) {
        if !self.is_empty() {
            return;
        }
        self.bed.thread.get_or_init(thread::current);
        self.bed.sleep.lie_down();
        if self.is_empty() {
            thread::park_timeout(timeout);
        }
        self.bed.sleep.get_up();
    }

    fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.orders.is_empty()
    }

    /// The next batch of a shard, if there is one.
    pub(crate) fn try_batch(&self) -> Result<Option<Vec<Event>>, Ended> {
        match self.batches.try_recv() {
            Ok(batch) => Ok(Some(batch)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Ended),
        }
    }

    /// The next order, if there is one.
    pub(crate) fn try_order(&self) -> Option<ToCoreThread> {
        self.orders.try_recv().ok()
    }
}

impl CoreBed {
    /// To be called behind what was sent.
    fn wake(&self) {
        if self.sleep.ends() {
            self.thread.get().expect("set before the core lies down for the first time").unpark();
        }
    }
}

/// The way to the core of links and of the member's life.
#[derive(Clone)]
pub(crate) struct CoreOrders {
    orders: Sender<ToCoreThread>,
    bed: Arc<CoreBed>,
}

impl CoreOrders {
    pub(crate) fn send(&self, order: ToCoreThread) {
        // A core that has ended needs nothing any more.
        let _ = self.orders.send(order);
        self.bed.wake();
    }
}

/// A shard's way to the core.
#[derive(Clone)]
pub(crate) struct ToCore {
    batches: Sender<Vec<Event>>,
    bed: Arc<CoreBed>,
}

impl ToCore {
    /// Sends a batch, or gives it back if the core is behind.
    pub(crate) fn try_send(&self, batch: Vec<Event>) -> Result<(), Vec<Event>> {
        self.batches.try_send(batch).map_err(|error| match error {
            // Without a core the member is stopping; the shard finds out from its mailbox.
            TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
        })?;
        self.bed.wake();
        Ok(())
    }
}

/// The ways to the core: of the shards, and of everybody else.
pub(crate) fn core_queue() -> (ToCore, CoreOrders, CoreInbox) {
    let (batches_sender, batches) = bounded(BATCHES_MAX);
    let (orders_sender, orders) = unbounded();
    let bed = Arc::new(CoreBed::default());
    let to_core = ToCore { batches: batches_sender, bed: bed.clone() };
    let core_orders = CoreOrders { orders: orders_sender, bed: bed.clone() };
    (to_core, core_orders, CoreInbox { batches, orders, bed })
}

/// A shard's end of its mailboxes.
pub(crate) struct ShardInbox {
    pub(crate) effects: Receiver<Vec<ShardEffect>>,
    pub(crate) orders: Receiver<ToShard>,
    bed: Arc<ShardBed>,
}

impl ShardInbox {
    /// Says that the shard goes to sleep: from here on, whoever sends something wakes it. False if something is here
    /// already, and the shard must not sleep.
    pub(crate) fn lie_down(&self) -> bool {
        self.bed.sleep.lie_down();
        self.effects.is_empty() && self.orders.is_empty()
    }

    /// Says that the shard is awake, and will look into its mailboxes by itself.
    pub(crate) fn get_up(&self) {
        self.bed.sleep.get_up();
    }
}

/// Where a shard sleeps: in its poll.
struct ShardBed {
    waker: Waker,
    sleep: Sleep,
}

impl ShardBed {
    /// To be called behind what was sent.
    fn wake(&self) {
        if self.sleep.ends()
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "cannot wake a shard; it goes on at its next timer");
        }
    }
}

/// The way to one shard.
#[derive(Clone)]
pub(crate) struct ShardMailbox {
    effects: Sender<Vec<ShardEffect>>,
    /// Apart from the effects, so that a shard that is behind with them is still told to drain.
    orders: Sender<ToShard>,
    bed: Arc<ShardBed>,
}

impl ShardMailbox {
    /// Sends what the core wants done, in its order. Waits if the shard is behind: shards never wait for the core,
    /// so this ends.
    pub(crate) fn send_effects(&self, effects: Vec<ShardEffect>) {
        // A shard that has ended needs nothing any more.
        let _ = self.effects.send(effects);
        self.bed.wake();
    }

    /// Sends an order; the shard follows it before it takes further effects.
    pub(crate) fn send(&self, order: ToShard) {
        let _ = self.orders.send(order);
        self.bed.wake();
    }

    /// Sends a socket, or gives it back if too many wait.
    pub(crate) fn try_send_socket(&self, accepted: Accepted) -> Result<(), Accepted> {
        let sent = self.orders.try_send(ToShard::Accepted(accepted));
        self.bed.wake();
        sent.map_err(|error| match error.into_inner() {
            ToShard::Accepted(accepted) => accepted,
            _ => unreachable!("gives back what was sent"),
        })
    }
}

/// The way to a shard whose poll the waker wakes.
pub(crate) fn shard_mailbox(waker: Waker) -> (ShardMailbox, ShardInbox) {
    let (effects_sender, effects) = bounded(BATCHES_MAX);
    let (orders_sender, orders) = bounded(ORDERS_MAX);
    let bed = Arc::new(ShardBed { waker, sleep: Sleep::default() });
    let mailbox = ShardMailbox { effects: effects_sender, orders: orders_sender, bed: bed.clone() };
    (mailbox, ShardInbox { effects, orders, bed })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use mio::{Events, Poll, Token};

    use super::*;

    const ROUNDS: u64 = 20_000;
    /// Far above what a busy machine takes to wake a thread.
    const LOST: Duration = Duration::from_secs(20);

    /// Two threads pass a number back and forth, so that each lies down at every moment of the other's sending. A lost
    /// wake-up would leave both asleep.
    #[test]
    fn no_order_is_slept_through() {
        let mut polls = [Poll::new().unwrap(), Poll::new().unwrap()];
        let [(to_one, one), (to_two, two)] =
            polls.each_ref().map(|poll| shard_mailbox(Waker::new(poll.registry(), Token(0)).unwrap()));
        let play = |poll: &mut Poll, inbox: &ShardInbox, other: &ShardMailbox| {
            let mut events = Events::with_capacity(1);
            let mut heard = 0;
            while heard < ROUNDS {
                if inbox.lie_down() {
                    let start = Instant::now();
                    poll.poll(&mut events, Some(LOST)).unwrap();
                    assert!(start.elapsed() < LOST, "slept through order {heard}");
                }
                inbox.get_up();
                while inbox.orders.try_recv().is_ok() {
                    heard += 1;
                    other.send(ToShard::Drain { window_ms: heard });
                }
            }
        };
        let [poll_one, poll_two] = &mut polls;
        thread::scope(|scope| {
            scope.spawn(|| play(poll_two, &two, &to_one));
            to_one.send(ToShard::Drain { window_ms: 0 });
            play(poll_one, &one, &to_two);
        });
    }

    /// The same with the core: a shard sends, and the core's answer makes it send again.
    #[test]
    fn no_batch_is_slept_through() {
        let (to_core, _orders, inbox) = core_queue();
        let (answer, answers) = bounded(1);
        let core = thread::spawn(move || {
            for round in 0..ROUNDS {
                let start = Instant::now();
                let batch = loop {
                    match inbox.try_batch() {
                        Ok(None) if start.elapsed() < LOST => inbox.sleep(LOST),
                        result => break result,
                    }
                };
                assert_eq!(
                    batch.map(|batch| batch.map(|it| it.len())),
                    Ok(Some(0)),
                    "slept through batch {round}"
                );
                answer.send(()).unwrap();
            }
            while let Ok(None) = inbox.try_batch() {
                inbox.sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..ROUNDS {
            to_core.try_send(Vec::new()).unwrap();
            answers.recv().unwrap();
        }
        drop(to_core);
        core.join().unwrap();
    }

    #[test]
    fn a_shard_that_is_awake_is_not_woken() {
        let mut poll = Poll::new().unwrap();
        let (mailbox, inbox) = shard_mailbox(Waker::new(poll.registry(), Token(0)).unwrap());
        let mut wakes = |send: bool| {
            if send {
                mailbox.send_effects(Vec::new());
            }
            let mut events = Events::with_capacity(4);
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            events.iter().count()
        };
        assert_eq!(wakes(true), 0, "it is awake");
        assert!(!inbox.lie_down(), "something is here");
        inbox.get_up();
        inbox.effects.try_recv().unwrap();
        assert!(inbox.lie_down());
        assert_eq!(wakes(true), 1);
        assert_eq!(wakes(true), 0, "it was woken already");
    }
}
