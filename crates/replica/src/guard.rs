//! What the raft crate would panic on, or believe too easily, is stopped before it.

use raft::eraftpb::{Message, MessageType};
use raft::{Raft, StateRole, Storage};

use crate::storage::Log;

/// Terms that a message may be ahead: far beyond every election that can have happened meanwhile, and far below the
/// number where terms run out.
const TERM_JUMP_MAX: u64 = 1 << 32;

/// Why a message was not given to the raft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Suspicion {
    /// Local messages have no term; those of members do.
    #[error("the term is 0 or beyond belief")]
    Term,
    /// A leader knows at most what this member has confirmed. The raft crate panics.
    #[error("more is said to be committed than this member has")]
    CommitBeyondLog,
    /// Committed entries never change. The raft crate panics.
    #[error("an entry differs from a committed one")]
    CommittedDiffers,
    /// Terms only grow within a log, and not beyond that of its leader.
    #[error("the terms of the entries are out of order")]
    EntryTerms,
    /// Nobody can have more of a leader's log than the leader.
    #[error("more is confirmed than there is")]
    ConfirmedBeyondLog,
    /// Only the leader hands over.
    #[error("a hand-over by somebody who does not lead")]
    HandOver,
}

/// Judges a message that is about to be stepped.
pub(crate) fn check(raft: &Raft<Log>, message: &Message) -> Result<(), Suspicion> {
    if message.term == 0 || message.term > raft.term + TERM_JUMP_MAX {
        return Err(Suspicion::Term);
    }
    if message.term < raft.term {
        // Answered by its term alone.
        return Ok(());
    }
    match message.get_msg_type() {
        MessageType::MsgHeartbeat if message.commit > raft.raft_log.last_index() => {
            Err(Suspicion::CommitBeyondLog)
        }
        MessageType::MsgAppend => check_entries(raft, message),
        MessageType::MsgAppendResponse => {
            let confirms = !message.reject && raft.state == StateRole::Leader;
            if confirms && message.index > raft.raft_log.last_index() {
                return Err(Suspicion::ConfirmedBeyondLog);
            }
            Ok(())
        }
        MessageType::MsgTimeoutNow if message.term > raft.term || message.from != raft.leader_id => {
            Err(Suspicion::HandOver)
        }
        _ => Ok(()),
    }
}

fn check_entries(raft: &Raft<Log>, message: &Message) -> Result<(), Suspicion> {
    let mut term = message.log_term;
    for entry in &message.entries {
        if entry.term < term || entry.term > message.term {
            return Err(Suspicion::EntryTerms);
        }
        term = entry.term;
    }
    let committed = raft.raft_log.committed;
    let store = raft.store();
    let differs =
        |index: u64, term: u64| index <= committed && store.term(index).is_ok_and(|known| known != term);
    let mut places = message.entries.iter().map(|entry| (entry.index, entry.term));
    if differs(message.index, message.log_term) && message.index > 0
        || places.any(|(index, term)| differs(index, term))
    {
        return Err(Suspicion::CommittedDiffers);
    }
    Ok(())
}
