//! The replica: one dispatcher, and the state that the other files share.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use sterna_model::Random;

use crate::codec::{decode, encode};
use crate::engine::{Engine, Impossible, Place, Progress};
use crate::form::Formation;
use crate::frame::{Body, Frame, RaftMessage};
use crate::identity::{Level, Lineage, NodeId, Nonce, Rank, Slot};
use crate::input::Input;
use crate::install::Incoming;
use crate::limit::COMMAND_BYTES_MAX;
use crate::output::{Channel, Output, Refusal};
use crate::peers::Peers;
use crate::pledge::Pledge;
use crate::sabotage::Sabotage;
use crate::settings::{Settings, SettingsError};
use crate::status::{Phase, Role, Status};
use crate::transfer::Outgoing;
use crate::translate;

/// A member's part in a lineage.
pub(crate) struct Seat {
    pub(crate) lineage: Lineage,
    pub(crate) engine: Engine,
    /// When the leader was heard last.
    pub(crate) leader_heard_ms: u64,
}

/// The agreement of one member: takes inputs, gives outputs, does nothing by itself.
pub struct Replica {
    pub(crate) settings: Settings,
    pub(crate) nonce: Nonce,
    pub(crate) random: Random,
    pub(crate) now_ms: u64,
    /// What the wall clock was ahead of `now_ms` at the start.
    wall_ahead_ms: u64,
    /// It votes in no lineage below this one.
    pub(crate) floor: Lineage,
    /// The largest lineage that was heard of.
    pub(crate) seen: Lineage,
    pub(crate) seat: Option<Seat>,
    /// The state that the owner holds, if it is that of a lineage that this member does not act in.
    pub(crate) salvage: Option<Rank>,
    pub(crate) peers: Peers,
    pub(crate) pledge: Option<Pledge>,
    pub(crate) formation: Option<Formation>,
    /// No formation is begun before.
    pub(crate) next_formation_ms: u64,
    /// When a leader was heard last, or when the member started.
    pub(crate) quorum_seen_ms: u64,
    /// Since when a lineage works that this member cannot take part in.
    pub(crate) excluded_since_ms: Option<u64>,
    /// The level of the others, if this member does not know it.
    pub(crate) outdated: Option<Level>,
    pub(crate) revision: u64,
    pub(crate) next_presence_ms: u64,
    pub(crate) outgoing: Option<Outgoing>,
    pub(crate) next_transfer: u64,
    pub(crate) transfer_budget_bytes: usize,
    pub(crate) incoming: Option<Incoming>,
    pub(crate) leaving: bool,
    has_left: bool,
    is_broken: bool,
    pub(crate) outputs: Vec<Output>,
}

impl Replica {
    /// An empty member at its start. `now_ms` is any clock that never goes back; `wall_ms` is the time since 1970.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(settings: Settings, now_ms: u64, wall_ms: u64) -> Result<Self, SettingsError> {
        settings.check()?;
        let random = Random::new(settings.seed);
        Ok(Self {
            nonce: settings.nonce,
            random,
            now_ms,
            wall_ahead_ms: wall_ms.saturating_sub(now_ms),
            floor: Lineage::NONE,
            seen: settings.seen,
            seat: None,
            salvage: None,
            peers: Peers::new(settings.presence_lost_ms),
            pledge: None,
            formation: None,
            next_formation_ms: now_ms,
            quorum_seen_ms: now_ms,
            excluded_since_ms: None,
            outdated: None,
            revision: 0,
            next_presence_ms: now_ms,
            outgoing: None,
            next_transfer: 1,
            transfer_budget_bytes: 0,
            incoming: None,
            leaving: false,
            has_left: false,
            is_broken: false,
            outputs: Vec::new(),
            settings,
        })
    }

    /// Takes what happened at `now_ms` and says what to do. After `Output::Broken` nothing happens any more.
    pub fn handle(&mut self, now_ms: u64, input: Input, outputs: &mut Vec<Output>) {
        if self.is_broken {
            if let Input::Propose { ticket, .. } = input {
                outputs.push(Output::Refused { ticket, refusal: Refusal::Stopped });
            }
            return;
        }
        self.now_ms = self.now_ms.max(now_ms);
        // The raft crate panics where it finds itself betrayed. The guard stops what is known to lead there; this
        // stops the member, and not the process with its clients, if the guard has a hole.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.dispatch(input)));
        let why = match outcome {
            Ok(Ok(())) => None,
            Ok(Err(Impossible(why))) => Some(why),
            Err(panic) => Some(panic_text(panic.as_ref())),
        };
        outputs.append(&mut self.outputs);
        if let Some(why) = why {
            self.is_broken = true;
            outputs.push(Output::Broken { why });
        }
    }

    fn dispatch(&mut self, input: Input) -> Result<(), Impossible> {
        match input {
            Input::Tick => self.on_tick()?,
            Input::Propose { ticket, command } => self.on_propose(ticket, command),
            Input::LinkUp { slot } => self.on_link_up(slot),
            Input::LinkDown { slot } => self.on_link_down(slot),
            Input::Frame { slot, bytes } => self.on_frame(slot, &bytes)?,
            Input::Chunk { transfer, number, last, bytes } => {
                self.on_chunk_read(transfer, number, last, bytes);
            }
            Input::HandOver => {
                self.hand_over();
            }
            Input::Leave => {
                self.leaving = true;
                self.tell_all();
                self.watch_leave();
            }
        }
        self.settle()
    }

    fn on_tick(&mut self) -> Result<(), Impossible> {
        if !self.is_frozen()
            && let Some(seat) = &mut self.seat
        {
            seat.engine.tick();
            if seat.engine.is_leader() {
                seat.leader_heard_ms = self.now_ms;
            }
        }
        self.keep_log();
        self.settle()?;
        self.watch_others();
        self.watch_level();
        self.watch_pledge();
        self.watch_formation()?;
        self.lead();
        self.watch_transfers();
        self.watch_leave();
        self.tell_all_when_due();
        Ok(())
    }

    /// Members that are linked get from the log what they lack, as far as its tail reaches.
    fn keep_log(&mut self) {
        let followers = self.seat.iter().flat_map(|seat| seat.engine.followers());
        let matched = followers.filter(|(node, _)| self.slot_of(*node).is_some()).map(|(_, matched)| matched);
        let least = matched.min().unwrap_or(u64::MAX);
        if let Some(seat) = &mut self.seat {
            seat.engine.keep_after(least);
        }
    }

    fn on_propose(&mut self, ticket: u64, command: Bytes) {
        let proposed_bytes = self.seat.as_ref().map_or(0, |seat| seat.engine.proposed_bytes());
        let refusal = if command.is_empty() || command.len() > COMMAND_BYTES_MAX {
            Refusal::Size
        } else if self.outruns_transfer(proposed_bytes) {
            Refusal::Busy
        } else {
            match &mut self.seat {
                Some(seat) if seat.engine.is_leader() => match seat.engine.propose(command.clone()) {
                    Some(Place { index, term }) => {
                        self.outputs.push(Output::Proposed { ticket, index, term });
                        if self.settings.breaks(Sabotage::ApplyEarly) {
                            let level = seat.engine.membership().level;
                            self.outputs.push(Output::Apply { index, term, level, command });
                        }
                        return;
                    }
                    None => Refusal::Busy,
                },
                _ => Refusal::NotLeader { leader: self.leader_slot() },
            }
        };
        self.outputs.push(Output::Refused { ticket, refusal });
    }

    fn on_link_up(&mut self, slot: Slot) {
        if slot == self.settings.slot || slot.0 >= self.settings.members {
            return;
        }
        self.on_link_down(slot);
        self.peers.up(slot);
        self.tell(slot);
    }

    /// A process that dies closes its links: nobody need wait for the leader's silence.
    fn on_link_down(&mut self, slot: Slot) {
        let led = self.leader_slot() == Some(slot);
        self.peers.down(slot);
        self.end_transfers_with(slot);
        if let Some(seat) = self.seat.as_mut().filter(|_| led) {
            seat.engine.miss_leader();
        }
    }

    fn on_frame(&mut self, slot: Slot, bytes: &Bytes) -> Result<(), Impossible> {
        if !self.peers.is_up(slot) {
            return Ok(());
        }
        let frame = match decode(bytes) {
            Ok(frame) => frame,
            Err(error) => {
                self.suspect(slot, error.to_string());
                return Ok(());
            }
        };
        let address = Address { slot, lineage: frame.lineage, from: frame.from, to: frame.to };
        match frame.body {
            Body::Presence(presence) => self.on_presence(slot, presence),
            Body::Raft { term, message } => self.on_raft(address, term, message),
            Body::Admit { nonce } => self.on_admit(address, nonce)?,
            Body::Dismiss { nonce } => self.on_dismiss(nonce),
            Body::Ask { round, number, nonce } => self.on_ask(slot, round, number, nonce),
            Body::Answer { round, number, stance } => self.on_answer(slot, round, number, stance)?,
            Body::Decline { number, seen } => self.on_decline(slot, number, seen),
            Body::Fetch { number, nonce } => self.on_fetch(slot, number, nonce),
            Body::Offer { transfer, cargo } => self.on_offer(address, transfer, cargo)?,
            Body::Chunk { transfer, number, last, bytes } => {
                self.on_chunk(slot, transfer, number, last, bytes)?;
            }
            Body::Taken { transfer, next } => self.on_taken(slot, transfer, next),
            Body::Abandon { transfer, by_sender } => self.on_abandon(slot, transfer, by_sender),
        }
        Ok(())
    }

    fn on_raft(&mut self, address: Address, term: u64, message: RaftMessage) {
        if !self.is_addressed(address) {
            self.tell_soon(address.slot);
            return;
        }
        let is_of_leader = translate::is_of_leader(&message);
        let Some(seat) = &mut self.seat else { return };
        let leads = is_of_leader && term >= seat.engine.term();
        if leads {
            self.thaw();
        } else if self.is_frozen() {
            return;
        }
        let Some(seat) = &mut self.seat else { return };
        match seat.engine.step(term, message, address.from) {
            Ok(()) if leads => seat.leader_heard_ms = self.now_ms,
            Ok(()) => {}
            Err(suspicion) => self.suspect(address.slot, suspicion.to_string()),
        }
    }

    /// Whether a frame is for this member's part in its lineage, from the incarnation that it says.
    pub(crate) fn is_addressed(&self, address: Address) -> bool {
        let Some(seat) = &self.seat else { return false };
        if self.settings.breaks(Sabotage::IgnoreAddress) {
            return true;
        }
        let stance = self.peers.presence(address.slot).map(|presence| &presence.stance);
        address.lineage == seat.lineage
            && address.to == seat.engine.node()
            && stance.is_some_and(|stance| stance.lineage == seat.lineage && stance.node == address.from)
    }

    /// Does what the raft has got ready.
    pub(crate) fn settle(&mut self) -> Result<(), Impossible> {
        while let Some(seat) = &mut self.seat {
            let progress = seat.engine.advance()?;
            let has_more = !progress.checkpoints.is_empty();
            self.carry_out(progress)?;
            if !has_more {
                break;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, progress: Progress) -> Result<(), Impossible> {
        let is_early = self.settings.breaks(Sabotage::ApplyEarly);
        let leads = self.seat.as_ref().is_some_and(|seat| seat.engine.is_leader());
        for command in progress.applied.into_iter().filter(|_| !is_early || !leads) {
            let (index, term, level) = (command.index, command.term, command.level);
            self.outputs.push(Output::Apply { index, term, level, command: command.bytes });
        }
        for (to, term, message) in progress.messages {
            self.send_to_node(to, Body::Raft { term, message });
        }
        for to in progress.checkpoints {
            self.offer_checkpoint(to);
        }
        if progress.is_dismissed {
            let level = self.seat.take().map(|seat| seat.engine.membership().level);
            if self.leaving {
                self.has_left_now();
            } else if level > Some(self.settings.level_max) {
                self.be_reborn();
            } else {
                return Err(Impossible("another process has taken the slot of this member".into()));
            }
        }
        Ok(())
    }

    /// The slot of another node, if its incarnation is linked. By the membership, so that a founder reaches those who do
    /// not know yet that they belong to it; a blank member, which has no membership, knows the others by their presence.
    pub(crate) fn slot_of(&self, node: NodeId) -> Option<Slot> {
        let seat = self.seat.as_ref()?;
        match seat.engine.membership().incarnations.get(&node) {
            Some(one) => Some(one.slot).filter(|slot| self.peers.nonce(*slot) == one.nonce),
            None => self.peers.slot_of(seat.lineage, node),
        }
    }

    fn send_to_node(&mut self, to: NodeId, body: Body) {
        let (lineage, from) = self.place();
        if let Some(slot) = self.slot_of(to) {
            self.send_frame(slot, Channel::Log, &Frame { lineage, from, to, body });
        }
    }

    pub(crate) fn send(&mut self, to: Slot, body: Body) {
        let channel = match &body {
            Body::Offer { .. } | Body::Chunk { .. } | Body::Taken { .. } | Body::Abandon { .. } => {
                Channel::Transfer
            }
            _ => Channel::Log,
        };
        let (lineage, from) = self.place();
        let stance = self.peers.presence(to).map(|presence| &presence.stance);
        let node =
            stance.filter(|stance| stance.lineage == lineage).map_or(NodeId::NONE, |stance| stance.node);
        self.send_frame(to, channel, &Frame { lineage, from, to: node, body });
    }

    pub(crate) fn send_frame(&mut self, to: Slot, channel: Channel, frame: &Frame) {
        self.outputs.push(Output::Send { to, channel, frame: encode(frame) });
    }

    /// Lineage and id that this member acts with.
    pub(crate) fn place(&self) -> (Lineage, NodeId) {
        self.seat.as_ref().map_or((Lineage::NONE, NodeId::NONE), |seat| (seat.lineage, seat.engine.node()))
    }

    pub(crate) fn suspect(&mut self, slot: Slot, why: String) {
        self.outputs.push(Output::Suspicious { slot, why });
    }

    pub(crate) fn has_left_now(&mut self) {
        if !self.has_left {
            self.has_left = true;
            self.outputs.push(Output::Left);
        }
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        self.now_ms.saturating_add(self.wall_ahead_ms)
    }

    /// Whether the leader of the own lineage was heard within so long.
    pub(crate) fn hears_leader(&self, within_ms: u64) -> bool {
        self.seat.as_ref().is_some_and(|seat| {
            seat.engine.leader() != NodeId::NONE && self.now_ms - seat.leader_heard_ms <= within_ms
        })
    }

    /// The longest time that a leader is silent before it is replaced.
    pub(crate) fn election_ms(&self) -> u64 {
        2 * u64::from(self.settings.election_ticks) * self.settings.tick_ms
    }

    fn leader_slot(&self) -> Option<Slot> {
        let seat = self.seat.as_ref().filter(|_| self.hears_leader(self.election_ms()))?;
        let leader = seat.engine.leader();
        let own = (leader == seat.engine.node()).then_some(self.settings.slot);
        own.or_else(|| seat.engine.membership().slot_of(leader))
            .or_else(|| self.peers.slot_of(seat.lineage, leader))
    }

    /// The slot of the leader, if one is heard, and the term in which it leads.
    #[must_use]
    pub fn leader(&self) -> Option<(Slot, u64)> {
        let leader = self.leader_slot()?;
        self.seat.as_ref().map(|seat| (leader, seat.engine.term()))
    }

    /// What this member is at the moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let (lineage, node) = self.place();
        let engine = self.seat.as_ref().map(|seat| &seat.engine);
        let role = match engine {
            None => Role::Apart,
            Some(engine) if engine.is_leader() => Role::Leader,
            Some(engine) if !engine.is_installed() => Role::Blank,
            Some(engine) if engine.membership().voters.contains(&node) => Role::Follower,
            Some(_) => Role::Learner,
        };
        let phase = match (&self.formation, &self.pledge) {
            (Some(_), _) => Phase::Forming,
            (None, Some(_)) => Phase::Pledged,
            (None, None) if self.outdated.is_some() => Phase::Outdated,
            (None, None) if self.joins() != Lineage::NONE => Phase::Joining,
            (None, None) => Phase::Usual,
        };
        Status {
            nonce: self.nonce,
            lineage,
            node,
            floor: self.floor,
            copy: self.copy(),
            role,
            leader: self.leader_slot(),
            term: engine.map_or(0, Engine::term),
            committed: engine.map_or(0, Engine::committed),
            applied: engine.map_or(0, Engine::applied),
            log_bytes: engine.map_or(0, Engine::log_bytes),
            membership: engine.map(|engine| engine.membership().clone()).unwrap_or_default(),
            is_settled: self.is_settled(),
            phase,
        }
    }
}

/// Where a frame comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) slot: Slot,
    pub(crate) lineage: Lineage,
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("without a text"))
}
