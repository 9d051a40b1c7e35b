//! The core: one deterministic state machine per member, made of the agreement, the store and what lies between them.
//! Events, frames of other members and the time go in; effects, frames and notices come out.

mod batches;
mod event;
mod frame;
mod limits;
mod log;
mod obey;
mod output;
mod parked;
mod publish;
mod report;
mod share;

use std::collections::BTreeMap;

use sterna_model::{DeliveryMode, Epoch};
use sterna_replica::{Replica, Settings, SettingsError, Slot};

#[cfg(any(test, feature = "rehearsal"))]
pub use crate::store::REHEARSAL;
pub use crate::store::{Cursor, LEVEL_MAX};
pub use event::{Cut, Effect, Event, Page, PublishEvent, Reading, ShardSet, SubscribeEvent};
pub use frame::Load;
pub use limits::{CoreCounters, CoreLimits, CoreSizes};
pub use output::{Channel, Notice, Outputs, PeerEvent, PeerFrame};
pub use report::CoreStatus;

use crate::session::Now;
use crate::store::Store;
use crate::store::command::Ops;
use log::Log;
use parked::Parked;
use share::Shares;

/// How a core begins.
#[derive(Clone, Debug)]
pub struct CoreSettings {
    /// The bounds.
    pub limits: CoreLimits,
    /// Slot, members and times of the agreement. In `Standard` mode only slot and members count.
    pub replica: Settings,
    /// Randomises the hash tables against chosen names.
    pub seed: u64,
}

/// The state machine. Every call appends its effects in the order in which they happened; each shard must receive its
/// effects in that order, because a subscription's cut is only consistent with the deliveries before and after it.
pub struct Core {
    store: Store,
    slot: Slot,
    members: u16,
    /// None in `Standard` mode.
    log: Option<Log>,
    /// Standard messages for the other members, and their time.
    relays: Ops,
    relays_time_ms: u64,
    parked: Parked,
    shares: Shares,
    /// What the members to which there is a link said last of their clients.
    loads: BTreeMap<Slot, Load>,
}

impl Core {
    /// A core without memory.
    ///
    /// # Errors
    /// The settings of the agreement cannot be used.
    pub fn new(settings: CoreSettings, now: Now) -> Result<Self, SettingsError> {
        let CoreSettings { limits, replica, seed } = settings;
        assert!(limits.shards > 0 && limits.shards <= ShardSet::SHARDS_MAX, "1 to 64 shards");
        let (slot, members) = (replica.slot, replica.members);
        let (epoch, log) = match limits.mode {
            DeliveryMode::Standard => (Epoch(now.unix_ms / 1000), None),
            DeliveryMode::Guaranteed => {
                let origin = replica.nonce.0;
                let replica = Replica::new(replica, now.monotonic_us / 1000, now.unix_ms)?;
                (Epoch(0), Some(Log::new(replica, slot, origin, now)))
            }
        };
        let store = Store::new(epoch, limits, seed);
        let (relays, parked) = (Ops::default(), Parked::default());
        let (shares, loads) = (Shares::default(), BTreeMap::new());
        Ok(Self { store, slot, members, log, relays, relays_time_ms: 0, parked, shares, loads })
    }

    /// Takes one event in. What it leads to may wait for [`Core::flush`].
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Outputs) {
        if let Event::Publish(publish) = event {
            self.publish(now, *publish, out);
            return;
        }
        // What the connection published before comes first.
        self.flush(now, out);
        self.parked.start_overtaken(&event, &mut self.store, self.log.as_mut(), out);
        match event {
            Event::Publish(_) => unreachable!("handled above"),
            Event::Subscribe(_) | Event::Read { .. } => self.ask(now, event, out),
            Event::Continue { to, subject, cursor } => {
                self.store.go_on(to, subject, cursor, &mut out.effects);
            }
            Event::Unsubscribe { to, id, name } => self.store.unsubscribe(to, id, name, &mut out.effects),
            Event::Release { shard, subjects } => self.store.release(shard, &subjects),
        }
    }

    /// A subscribe or a read: answered, refused, or parked until this member has caught up with its position.
    fn ask(&mut self, now: Now, event: Event, out: &mut Outputs) {
        match &mut self.log {
            Some(log) if self.members > 1 && log.has_state() && parked::is_behind(&event, &self.store) => {
                self.parked.park(now, log.time_ms(now, &self.store), event, out);
            }
            log => parked::start(event, &mut self.store, log.as_mut(), out),
        }
    }

    /// Ends a turn: what was collected goes into the log and to other members.
    pub fn flush(&mut self, now: Now, out: &mut Outputs) {
        self.send_relays(out);
        if let Some(log) = &mut self.log {
            log.flush(now, &mut self.store, out);
        }
    }

    /// Takes in what another member, or the link to it, says.
    pub fn on_peer(&mut self, now: Now, event: PeerEvent, out: &mut Outputs) {
        if let PeerEvent::Down { slot } = event {
            self.loads.remove(&slot);
        }
        match (&mut self.log, event) {
            (_, PeerEvent::Frame { slot, channel: Channel::Forward, bytes })
            | (None, PeerEvent::Frame { slot, bytes, .. }) => self.on_forward(now, slot, &bytes, out),
            (Some(log), event) => log.on_peer(now, event, &mut self.store, out),
            (None, PeerEvent::Up { slot }) => self.shares.begin(slot, &self.store, out),
            (None, PeerEvent::Down { slot }) => self.shares.end(slot),
        }
    }

    /// Lets time pass; to be called every `tick_ms` of the replica's settings.
    pub fn on_tick(&mut self, now: Now, out: &mut Outputs) {
        let Some(log) = &mut self.log else {
            self.store.pass(now.unix_ms);
            return;
        };
        log.on_tick(now, &mut self.store, out);
        self.parked.watch(now, &mut self.store, log, out);
        self.flush(now, out);
    }

    /// The member will stop: it hands over and says [`Notice::Left`] when nothing waits for it.
    pub fn leave(&mut self, now: Now, out: &mut Outputs) {
        match &mut self.log {
            Some(log) => log.leave(now, &mut self.store, out),
            None => out.notices.push(Notice::Left),
        }
    }

    /// Breaks a rule for a simulation: from now on this member applies at the rehearsed level, wherever the log is.
    #[cfg(feature = "rehearsal")]
    pub fn switch_early(&mut self) {
        self.store.switch_early();
    }

    /// Lineage of this core.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    /// What other members said of their clients.
    #[must_use]
    pub fn loads(&self) -> &BTreeMap<Slot, Load> {
        &self.loads
    }

    /// Counters since start.
    #[must_use]
    pub fn counters(&self) -> CoreCounters {
        self.store.counters()
    }

    /// Sizes now.
    #[must_use]
    pub fn sizes(&self) -> CoreSizes {
        self.store.sizes()
    }
}
