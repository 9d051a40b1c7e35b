//! The raft of one lineage, driven step by step. Everything is stored in memory, so storing is done when it returns.

use bytes::Bytes;
use raft::eraftpb::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, Entry, EntryType, Message, Snapshot,
};
use raft::{Config, INVALID_ID, ProgressState, RawNode, SnapshotStatus, StateRole};
use sterna_model::Random;

use crate::codec::{decode_change, decode_membership, encode_change, encode_membership};
use crate::frame::RaftMessage;
use crate::guard::{self, Suspicion};
use crate::identity::{Level, Lineage, NodeId, Rank};
use crate::limit::{APPENDS_IN_FLIGHT_MAX, CAUGHT_UP_ENTRIES_MAX, ENTRY_OVERHEAD_BYTES, TAIL_DIVISOR};
use crate::membership::{Change, Membership};
#[cfg(test)]
use crate::sabotage::Sabotage;
use crate::settings::Settings;
use crate::storage::Log;
use crate::translate;

/// Ticks, at most, from the loss of the leader's link to an election.
const MISSED_LEADER_TICKS: u64 = 4;
/// The part of the log tail that is kept while nobody lags.
const IDLE_TAIL_DIVISOR: usize = 4;

/// A state that cannot be. The replica stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Impossible(pub(crate) String);

impl From<raft::Error> for Impossible {
    fn from(error: raft::Error) -> Self {
        Self(format!("raft: {error}"))
    }
}

/// What a step brought about, in order.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// To be sent.
    pub(crate) messages: Vec<(NodeId, u64, RaftMessage)>,
    /// Members that need a checkpoint.
    pub(crate) checkpoints: Vec<NodeId>,
    /// Commands that were committed and are now to be applied.
    pub(crate) applied: Vec<Command>,
    /// The own id was removed.
    pub(crate) is_dismissed: bool,
}

/// A committed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) index: u64,
    pub(crate) term: u64,
    /// How it is applied.
    pub(crate) level: Level,
    pub(crate) bytes: Bytes,
}

/// The head of a checkpoint; the state goes beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) term: u64,
    pub(crate) index: u64,
    pub(crate) log_term: u64,
    pub(crate) membership: Membership,
}

/// Where a proposed entry stands until it is overwritten or committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) index: u64,
    pub(crate) term: u64,
}

/// A raft node.
pub(crate) struct Engine {
    raft: RawNode<Log>,
    random: Random,
    election_ticks: (usize, usize),
    posture: (u64, StateRole, u64),
    log_tail_bytes_max: usize,
    /// Others need what comes after this index.
    needed_after: u64,
    /// Of all entries with commands that this node has appended as a leader.
    proposed_bytes: u64,
    #[cfg(test)]
    sabotage: Sabotage,
}

impl Engine {
    /// The node of a founder, with the state that it holds at `index`.
    pub(crate) fn founder(
        settings: &Settings,
        seed: u64,
        node: NodeId,
        index: u64,
        membership: Membership,
    ) -> Result<Self, Impossible> {
        Self::new(settings, seed, node, Log::founded(index, membership))
    }

    /// The node of a member that is still empty. It may vote, but not ask for votes.
    pub(crate) fn blank(settings: &Settings, seed: u64, node: NodeId) -> Result<Self, Impossible> {
        Self::new(settings, seed, node, Log::default())
    }

    fn new(settings: &Settings, seed: u64, node: NodeId, log: Log) -> Result<Self, Impossible> {
        let election_ticks = usize::from(settings.election_ticks);
        // Nobody else can ever need the log of a member that is alone. Of others, the tail has to hold what was committed
        // at once, or whoever is a little slower would need a state each time.
        let (log_tail_bytes_max, uncommitted_bytes_max) = match settings.members {
            1 => (0, settings.uncommitted_bytes_max),
            _ => {
                let tail = settings.log_tail_bytes_max;
                let part = (tail / TAIL_DIVISOR).max(settings.append_bytes_max);
                (tail, settings.uncommitted_bytes_max.min(part))
            }
        };
        let config = Config {
            id: node.0,
            election_tick: election_ticks,
            heartbeat_tick: usize::from(settings.heartbeat_ticks),
            min_election_tick: election_ticks,
            max_election_tick: 2 * election_ticks,
            applied: log.applied(),
            max_size_per_msg: settings.append_bytes_max as u64,
            max_inflight_msgs: APPENDS_IN_FLIGHT_MAX,
            max_uncommitted_size: uncommitted_bytes_max as u64,
            check_quorum: true,
            pre_vote: true,
            // Joining entries to an append that waits already would leave `append_bytes_max` behind.
            batch_append: false,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raft = RawNode::new(&config, log, &logger)?;
        let mut engine = Self {
            raft,
            random: Random::new(seed),
            election_ticks: (election_ticks, 2 * election_ticks),
            posture: (u64::MAX, StateRole::Follower, INVALID_ID),
            log_tail_bytes_max,
            needed_after: u64::MAX,
            proposed_bytes: 0,
            #[cfg(test)]
            sabotage: settings.sabotage,
        };
        engine.pin_election();
        Ok(engine)
    }

    fn posture(&self) -> (u64, StateRole, u64) {
        (self.raft.raft.term, self.raft.raft.state, self.raft.raft.leader_id)
    }

    /// The raft draws election time-outs from the thread's own random generator whenever it is reset, which is
    /// whenever term or role change. Ours replaces it, so that a run follows from its seed.
    fn pin_election(&mut self) {
        if self.posture() != self.posture {
            self.posture = self.posture();
            let (low, high) = self.election_ticks;
            let ticks = low + self.random.below((high - low) as u64) as usize;
            self.raft.raft.set_randomized_election_timeout(ticks);
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        NodeId(self.raft.raft.id)
    }

    pub(crate) fn term(&self) -> u64 {
        self.raft.raft.term
    }

    pub(crate) fn membership(&self) -> &Membership {
        self.raft.store().membership()
    }

    pub(crate) fn applied(&self) -> u64 {
        self.raft.store().applied()
    }

    pub(crate) fn committed(&self) -> u64 {
        self.raft.raft.raft_log.committed
    }

    pub(crate) fn is_installed(&self) -> bool {
        self.raft.store().is_installed()
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.raft.raft.state == StateRole::Leader
    }

    /// The leader as the raft believes, also long after it fell silent.
    pub(crate) fn leader(&self) -> NodeId {
        NodeId(self.raft.raft.leader_id)
    }

    pub(crate) fn rank(&self, lineage: Lineage) -> Rank {
        let (index, term) = self.raft.store().last();
        Rank { lineage, term, index, level: self.level_at_end() }
    }

    /// The level at the end of the log: a raise that is not applied yet will fit, because it was proposed when no other
    /// change was under way.
    fn level_at_end(&self) -> Level {
        self.raft.store().tail().filter_map(raised_by).fold(self.membership().level, Level::max)
    }

    /// The level of what is applied next.
    fn level(&self) -> Level {
        #[cfg(test)]
        if self.sabotage == Sabotage::SwitchEarly {
            return self.level_at_end();
        }
        self.membership().level
    }

    /// Entries that were not applied, commands only.
    pub(crate) fn tail(&self) -> Vec<Command> {
        let mut level = self.membership().level;
        let mut commands = Vec::new();
        for entry in self.raft.store().tail() {
            level = raised_by(entry).map_or(level, |raised| level.max(raised));
            commands.extend(command_of(entry, level));
        }
        commands
    }

    pub(crate) fn tick(&mut self) {
        self.raft.tick();
        self.pin_election();
    }

    /// What comes after this index has to be kept for others, as far as the tail may grow.
    pub(crate) fn keep_after(&mut self, index: u64) {
        self.needed_after = index;
    }

    /// All that this node leads, and how far the log of each is known to be.
    pub(crate) fn followers(&self) -> impl Iterator<Item = (NodeId, u64)> {
        let followers = self.is_leader().then(|| self.raft.raft.prs().iter()).into_iter().flatten();
        followers.map(|(node, progress)| (NodeId(*node), progress.matched))
    }

    /// The leader's process is gone, most likely: others may be voted for from now on, and this node asks for votes
    /// after a short time that is hardly the same as another node's. If the leader lives after all, its next heartbeat
    /// puts an end to that; its other followers would not vote against it.
    pub(crate) fn miss_leader(&mut self) {
        let raft = &mut self.raft.raft;
        if raft.state == StateRole::Follower && raft.leader_id != INVALID_ID {
            raft.become_follower(raft.term, INVALID_ID);
            self.pin_election();
            let ticks = 1 + self.random.below(MISSED_LEADER_TICKS) as usize;
            let raft = &mut self.raft.raft;
            raft.election_elapsed = raft.randomized_election_timeout().saturating_sub(ticks);
        }
    }

    pub(crate) fn campaign(&mut self) {
        // Refused only while a change of members waits to be applied; the next time-out tries again.
        let _ = self.raft.campaign();
        self.pin_election();
    }

    /// Takes a message of another member.
    pub(crate) fn step(&mut self, term: u64, said: RaftMessage, from: NodeId) -> Result<(), Suspicion> {
        let message = translate::into_raft(term, said, from, self.node());
        guard::check(&self.raft.raft, &message)?;
        self.step_unchecked(message);
        Ok(())
    }

    fn step_unchecked(&mut self, message: Message) {
        // The errors say that a proposal was dropped or that an answer comes from nobody we ask: both are normal.
        let _ = self.raft.step(message);
        self.pin_election();
    }

    /// Bytes of the entries that the log holds.
    pub(crate) fn log_bytes(&self) -> usize {
        self.raft.store().bytes()
    }

    /// Appends a command. None: too many wait for their commit, or leadership is being handed over.
    pub(crate) fn propose(&mut self, command: Bytes) -> Option<Place> {
        let before = self.raft.raft.raft_log.last_index();
        let bytes = (command.len() + ENTRY_OVERHEAD_BYTES) as u64;
        self.raft.raft.step(translate::proposal(command)).ok()?;
        self.proposed_bytes += bytes;
        self.proposed_after(before)
    }

    /// Bytes of all entries with commands that this node has appended as a leader.
    pub(crate) fn proposed_bytes(&self) -> u64 {
        self.proposed_bytes
    }

    fn proposed_after(&self, before: u64) -> Option<Place> {
        let index = self.raft.raft.raft_log.last_index();
        (index == before + 1).then(|| Place { index, term: self.term() })
    }

    /// Whether a change of members may be proposed now: one at a time.
    pub(crate) fn may_change(&self) -> bool {
        self.is_leader() && !self.raft.raft.has_pending_conf() && self.raft.raft.lead_transferee.is_none()
    }

    /// Appends a change of members. The raft looks only whether it ends a joint configuration; what it does is
    /// decided when it is applied.
    pub(crate) fn propose_change(&mut self, change: Change) -> Option<Place> {
        let before = self.raft.raft.raft_log.last_index();
        let shown = match change {
            Change::Settle => ConfChangeV2::default(),
            _ => conf_change(&[(ConfChangeType::AddLearnerNode, NodeId::admitted(before + 1))], false),
        };
        let context = encode_change(&change).to_vec();
        self.raft.propose_conf_change(context, shown).ok()?;
        self.proposed_after(before)
    }

    /// Hands leadership to a voter that has the whole log; false if there is none to hand it to.
    pub(crate) fn hand_over(&mut self, is_present: impl Fn(NodeId) -> bool) -> bool {
        let own = self.node();
        let matched = |node: NodeId| self.raft.raft.prs().get(node.0).map_or(0, |progress| progress.matched);
        let voters = self.membership().voters.iter().copied();
        let best = voters.filter(|node| *node != own && is_present(*node)).max_by_key(|node| matched(*node));
        if let Some(node) = best {
            self.raft.transfer_leader(node.0);
            self.pin_election();
        }
        best.is_some()
    }

    /// Whether a learner has what it needs to vote. After a checkpoint the raft probes until the next entry is appended,
    /// which in an idle cluster is never: so nothing more than this is asked.
    pub(crate) fn is_caught_up(&self, node: NodeId) -> bool {
        let last = self.raft.raft.raft_log.last_index();
        let changed_at = self.membership().changed_at;
        self.raft.raft.prs().get(node.0).is_some_and(|progress| {
            progress.state != ProgressState::Snapshot
                && progress.recent_active
                && progress.matched >= changed_at
                && progress.matched + CAUGHT_UP_ENTRIES_MAX >= last
        })
    }

    /// A checkpoint at the place up to which the log is applied.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let (index, log_term) = self.raft.store().applied_place();
        Checkpoint { term: self.term(), index, log_term, membership: self.membership().clone() }
    }

    /// A checkpoint has arrived whole, or was lost.
    pub(crate) fn report_checkpoint(&mut self, node: NodeId, arrived: bool) {
        let status = if arrived { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raft.report_snapshot(node.0, status);
    }

    /// Whether a checkpoint would bring anything that the log does not have.
    pub(crate) fn wants(&self, index: u64, log_term: u64) -> bool {
        let log = &self.raft.raft.raft_log;
        index > log.committed && !log.match_term(index, log_term)
    }

    /// The owner has installed the state that belongs to a checkpoint that `from` sent as the leader of
    /// `checkpoint.term`, which is not an older term.
    pub(crate) fn restore(&mut self, checkpoint: &Checkpoint, from: NodeId) {
        let mut snapshot = Snapshot::default();
        snapshot.set_data(encode_membership(&checkpoint.membership));
        let state = Log::founded(checkpoint.index, checkpoint.membership.clone()).conf_state();
        let head = snapshot.mut_metadata();
        head.index = checkpoint.index;
        head.term = checkpoint.log_term;
        head.set_conf_state(state);
        self.step_unchecked(translate::checkpoint(snapshot, checkpoint.term, from, self.node()));
    }

    /// Does what the raft has got ready, until there is nothing more.
    pub(crate) fn advance(&mut self) -> Result<Progress, Impossible> {
        let mut progress = Progress::default();
        while self.raft.has_ready() && !progress.is_dismissed {
            let mut ready = self.raft.ready();
            Self::collect(ready.take_messages(), &mut progress);
            if !ready.snapshot().is_empty() {
                self.restore_log(ready.snapshot())?;
            }
            self.apply(ready.take_committed_entries(), &mut progress)?;
            let log = self.raft.mut_store();
            log.append(ready.entries());
            if let Some(hard) = ready.hs() {
                log.set_hard(hard.clone());
            }
            Self::collect(ready.take_persisted_messages(), &mut progress);
            if progress.is_dismissed {
                break;
            }
            let mut light = self.raft.advance_append(ready);
            if let Some(commit) = light.commit_index() {
                self.raft.mut_store().set_commit(commit);
            }
            Self::collect(light.take_messages(), &mut progress);
            self.apply(light.take_committed_entries(), &mut progress)?;
            if !progress.is_dismissed {
                self.raft.advance_apply();
            }
            self.pin_election();
        }
        let bytes_max = self.log_tail_bytes_max;
        self.raft.mut_store().trim(bytes_max / IDLE_TAIL_DIVISOR, bytes_max, self.needed_after);
        Ok(progress)
    }

    fn collect(messages: Vec<Message>, progress: &mut Progress) {
        for message in messages {
            let to = NodeId(message.to);
            if translate::is_checkpoint(&message) {
                // What it says is older than what is applied by now: the replica makes a new one.
                progress.checkpoints.push(to);
            } else if let Some((term, said)) = translate::from_raft(message) {
                progress.messages.push((to, term, said));
            }
        }
    }

    fn restore_log(&mut self, snapshot: &Snapshot) -> Result<(), Impossible> {
        let membership = decode_membership(&snapshot.data).map_err(impossible)?;
        let head = snapshot.get_metadata();
        self.raft.mut_store().restore(head.index, head.term, membership);
        Ok(())
    }

    fn apply(&mut self, entries: Vec<Entry>, progress: &mut Progress) -> Result<(), Impossible> {
        for entry in entries {
            if progress.is_dismissed {
                break;
            }
            if entry.get_entry_type() == EntryType::EntryNormal {
                self.raft.mut_store().set_applied(entry.index, entry.term);
                progress.applied.extend(command_of(&entry, self.level()));
            } else {
                progress.is_dismissed = !self.apply_change(&entry)?;
            }
        }
        Ok(())
    }

    /// For a test: voters go without a joint configuration, or without a successor.
    #[cfg(test)]
    fn apply_sabotaged(&mut self, change: Change, entry: &Entry) -> Result<bool, Impossible> {
        let mut membership = self.membership().clone();
        let changes = match (self.sabotage, change) {
            (Sabotage::SkipJoint, Change::Replace { old, new }) => {
                membership.voters.remove(&old);
                membership.incarnations.remove(&old);
                membership.learners.remove(&new);
                membership.voters.insert(new);
                vec![(ConfChangeType::RemoveNode, old), (ConfChangeType::AddNode, new)]
            }
            (Sabotage::ExpelSilent, Change::Dismiss { node }) if membership.voters.remove(&node) => {
                membership.incarnations.remove(&node);
                vec![(ConfChangeType::RemoveNode, node)]
            }
            (Sabotage::RaiseUnknown, Change::Raise { level }) if !membership.is_joint() => {
                membership.level = level;
                vec![]
            }
            _ => return Ok(false),
        };
        membership.changed_at = entry.index;
        self.raft.mut_store().set_membership(membership, entry.index, entry.term);
        for one in changes {
            self.raft.apply_conf_change(&conf_change(&[one], false))?;
        }
        Ok(true)
    }

    /// Applies a change of members; false if it removed this node. The log knows the new membership before the raft
    /// does, because the raft may at once make a checkpoint of it.
    fn apply_change(&mut self, entry: &Entry) -> Result<bool, Impossible> {
        let change = decode_change(&entry.context).map_err(impossible)?;
        let mut membership = self.membership().clone();
        #[cfg(test)]
        if self.apply_sabotaged(change, entry)? {
            return Ok(true);
        }
        let fits = membership.apply(change, entry.index);
        let stays = membership.slot_of(self.node()).is_some();
        let was_joint = self.membership().is_joint();
        let gone = self.membership().learners.difference(&membership.learners);
        let gone: Vec<_> = gone.map(|node| (ConfChangeType::RemoveNode, *node)).collect();
        self.raft.mut_store().set_membership(membership, entry.index, entry.term);
        if !fits || !stays {
            return Ok(stays);
        }
        let translated = match change {
            // One by one, because the raft makes several changes at once a joint configuration.
            Change::Raise { .. } => gone.iter().map(|one| conf_change(&[*one], false)).collect(),
            Change::Admit { .. } => {
                let admitted = (ConfChangeType::AddLearnerNode, NodeId::admitted(entry.index));
                vec![conf_change(&[admitted], false)]
            }
            Change::Dismiss { node } => vec![conf_change(&[(ConfChangeType::RemoveNode, node)], false)],
            Change::Replace { old, new } => {
                let both = [(ConfChangeType::RemoveNode, old), (ConfChangeType::AddNode, new)];
                vec![conf_change(&both, true)]
            }
            Change::Settle => vec![ConfChangeV2::default()],
        };
        let mut changed = None;
        for one in &translated {
            changed = Some(self.raft.apply_conf_change(one)?);
        }
        let Some(state) = changed else { return Ok(true) };
        let ours = self.raft.store().conf_state();
        let same = |raft: &[u64], ours: &[u64]| {
            let mut raft = raft.to_vec();
            raft.sort_unstable();
            raft == ours
        };
        let agree = same(state.get_voters(), ours.get_voters())
            && same(state.get_voters_outgoing(), ours.get_voters_outgoing())
            && same(state.get_learners(), ours.get_learners());
        if agree {
            Ok(true)
        } else {
            Err(Impossible(format!("{change:?} (joint before: {was_joint}) gave {state:?} and {ours:?}")))
        }
    }
}

fn impossible(error: impl std::fmt::Display) -> Impossible {
    Impossible(format!("what this member wrote itself cannot be read: {error}"))
}

/// The level that an entry raises to, if it is one that does.
fn raised_by(entry: &Entry) -> Option<Level> {
    let is_change = entry.get_entry_type() != EntryType::EntryNormal;
    match is_change.then(|| decode_change(&entry.context))? {
        Ok(Change::Raise { level }) => Some(level),
        _ => None,
    }
}

fn command_of(entry: &Entry, level: Level) -> Option<Command> {
    let is_command = entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty();
    is_command.then(|| Command { index: entry.index, term: entry.term, level, bytes: entry.data.clone() })
}

/// Joint configurations are left by our own entry: the raft's automatic one is forgotten when the leader changes
/// before it has applied the first.
fn conf_change(changes: &[(ConfChangeType, NodeId)], is_joint: bool) -> ConfChangeV2 {
    let mut change = ConfChangeV2::default();
    if is_joint {
        change.set_transition(ConfChangeTransition::Explicit);
    }
    for (kind, node) in changes {
        let mut single = ConfChangeSingle::default();
        single.set_change_type(*kind);
        single.node_id = node.0;
        change.mut_changes().push(single);
    }
    change
}
