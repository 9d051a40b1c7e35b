//! Between our words and those of the raft crate. Only what members may say to each other has a translation: what the
//! raft would forward (proposals, reads, hand-over requests) never travels, and checkpoints travel as transfers.

use bytes::Bytes;
use raft::eraftpb::{EntryType, Message, MessageType};

use crate::frame::{Entry, EntryKind, RaftMessage, VoteRequest};
use crate::identity::NodeId;

/// What a hand-over's vote request carries.
const HANDED_OVER: &[u8] = b"CampaignTransfer";

/// Term and content of a message that the raft wants to send; none if it does not travel.
pub(crate) fn from_raft(mut message: Message) -> Option<(u64, RaftMessage)> {
    let (index, commit) = (message.index, message.commit);
    let trial = matches!(
        message.get_msg_type(),
        MessageType::MsgRequestPreVote | MessageType::MsgRequestPreVoteResponse
    );
    let translated = match message.get_msg_type() {
        MessageType::MsgAppend => RaftMessage::Append {
            log_term: message.log_term,
            index,
            commit,
            entries: message.take_entries().into_iter().map(from_raft_entry).collect(),
        },
        MessageType::MsgAppendResponse if message.reject => {
            RaftMessage::NotAppended { index, commit, hint: message.reject_hint, hint_term: message.log_term }
        }
        MessageType::MsgAppendResponse => RaftMessage::Appended { index, commit },
        MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => RaftMessage::AskVote(VoteRequest {
            trial,
            handed_over: message.context == HANDED_OVER,
            log_term: message.log_term,
            index,
            commit,
            commit_term: message.commit_term,
        }),
        MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse => {
            RaftMessage::Vote { trial, granted: !message.reject, commit, commit_term: message.commit_term }
        }
        MessageType::MsgHeartbeat => RaftMessage::Heartbeat { commit },
        MessageType::MsgHeartbeatResponse => RaftMessage::HeartbeatSeen { commit },
        MessageType::MsgTimeoutNow => RaftMessage::TimeoutNow,
        _ => return None,
    };
    Some((message.term, translated))
}

/// A message for the raft.
pub(crate) fn into_raft(term: u64, said: RaftMessage, from: NodeId, to: NodeId) -> Message {
    let mut message = Message::default();
    message.term = term;
    message.from = from.0;
    message.to = to.0;
    match said {
        RaftMessage::Append { log_term, index, commit, entries } => {
            message.set_msg_type(MessageType::MsgAppend);
            message.log_term = log_term;
            message.index = index;
            message.commit = commit;
            let entries = entries.into_iter().zip(index + 1..);
            message.set_entries(entries.map(|(entry, index)| into_raft_entry(entry, index)).collect());
        }
        RaftMessage::Appended { index, commit } => {
            message.set_msg_type(MessageType::MsgAppendResponse);
            message.index = index;
            message.commit = commit;
        }
        RaftMessage::NotAppended { index, commit, hint, hint_term } => {
            message.set_msg_type(MessageType::MsgAppendResponse);
            message.reject = true;
            message.index = index;
            message.commit = commit;
            message.reject_hint = hint;
            message.log_term = hint_term;
        }
        RaftMessage::AskVote(request) => {
            message.set_msg_type(match request.trial {
                true => MessageType::MsgRequestPreVote,
                false => MessageType::MsgRequestVote,
            });
            if request.handed_over {
                message.context = Bytes::from_static(HANDED_OVER);
            }
            message.log_term = request.log_term;
            message.index = request.index;
            message.commit = request.commit;
            message.commit_term = request.commit_term;
        }
        RaftMessage::Vote { trial, granted, commit, commit_term } => {
            message.set_msg_type(match trial {
                true => MessageType::MsgRequestPreVoteResponse,
                false => MessageType::MsgRequestVoteResponse,
            });
            message.reject = !granted;
            message.commit = commit;
            message.commit_term = commit_term;
        }
        RaftMessage::Heartbeat { commit } => {
            message.set_msg_type(MessageType::MsgHeartbeat);
            message.commit = commit;
        }
        RaftMessage::HeartbeatSeen { commit } => {
            message.set_msg_type(MessageType::MsgHeartbeatResponse);
            message.commit = commit;
        }
        RaftMessage::TimeoutNow => message.set_msg_type(MessageType::MsgTimeoutNow),
    }
    message
}

/// A change of members travels as its own bytes; the form that the raft crate parses stays with the leader who made it.
fn from_raft_entry(entry: raft::eraftpb::Entry) -> Entry {
    let (kind, bytes) = match entry.get_entry_type() {
        EntryType::EntryNormal => (EntryKind::Command, entry.data),
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => (EntryKind::Change, entry.context),
    };
    Entry { term: entry.term, kind, bytes }
}

fn into_raft_entry(entry: Entry, index: u64) -> raft::eraftpb::Entry {
    let mut translated = raft::eraftpb::Entry::default();
    translated.term = entry.term;
    translated.index = index;
    match entry.kind {
        EntryKind::Command => translated.data = entry.bytes,
        EntryKind::Change => {
            translated.set_entry_type(EntryType::EntryConfChangeV2);
            translated.context = entry.bytes;
        }
    }
    translated
}

/// A checkpoint that has arrived, as the raft wants to be told of it.
pub(crate) fn checkpoint(snapshot: raft::eraftpb::Snapshot, term: u64, from: NodeId, to: NodeId) -> Message {
    let mut message = Message::default();
    message.set_msg_type(MessageType::MsgSnapshot);
    message.term = term;
    message.from = from.0;
    message.to = to.0;
    message.set_snapshot(snapshot);
    message
}

/// Whether the raft wants to send a checkpoint, and whether it comes from a leader.
pub(crate) fn is_checkpoint(message: &Message) -> bool {
    message.get_msg_type() == MessageType::MsgSnapshot
}

/// Whether only a leader sends such a message.
pub(crate) fn is_of_leader(said: &RaftMessage) -> bool {
    matches!(said, RaftMessage::Append { .. } | RaftMessage::Heartbeat { .. })
}

/// A proposal, as the raft wants to be told of it.
pub(crate) fn proposal(command: Bytes) -> Message {
    let mut entry = raft::eraftpb::Entry::default();
    entry.data = command;
    let mut message = Message::default();
    message.set_msg_type(MessageType::MsgPropose);
    message.set_entries(vec![entry].into());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_the_same_after_two_translations() {
        let entry = |kind| Entry { term: 3, kind, bytes: Bytes::from_static(b"x") };
        let entries = vec![entry(EntryKind::Command), entry(EntryKind::Change)];
        let request = |trial, handed_over| {
            RaftMessage::AskVote(VoteRequest {
                trial,
                handed_over,
                log_term: 2,
                index: 9,
                commit: 8,
                commit_term: 2,
            })
        };
        let vote = |trial, granted| RaftMessage::Vote { trial, granted, commit: 8, commit_term: 2 };
        let messages = [
            RaftMessage::Append { log_term: 2, index: 9, commit: 8, entries },
            RaftMessage::Appended { index: 9, commit: 8 },
            RaftMessage::NotAppended { index: 9, commit: 8, hint: 5, hint_term: 1 },
            request(true, false),
            request(false, true),
            vote(true, true),
            vote(false, false),
            RaftMessage::Heartbeat { commit: 8 },
            RaftMessage::HeartbeatSeen { commit: 8 },
            RaftMessage::TimeoutNow,
        ];
        for said in messages {
            let message = into_raft(3, said.clone(), NodeId(1), NodeId(2));
            assert_eq!((message.from, message.to), (1, 2));
            assert_eq!(from_raft(message), Some((3, said)));
        }
    }

    #[test]
    fn what_the_raft_would_forward_does_not_travel() {
        assert_eq!(from_raft(proposal(Bytes::from_static(b"x"))), None);
        assert_eq!(from_raft(checkpoint(Default::default(), 1, NodeId(1), NodeId(2))), None);
    }
}
