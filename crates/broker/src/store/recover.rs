//! What a position is worth: complete, gap or reset, and which messages follow.
//!
//! The snapshot is sent first, unless it is among the messages that follow anyway. A standard message has no
//! seq of its own, so a standard snapshot is sent in its place: after the guaranteed message it followed.

use std::sync::Arc;

use sterna_model::limit::READ_BYTES_MAX;
use sterna_model::{Epoch, Kind, Position, Qos, Record, Recovery, Seq, Start};

use super::Cursor;
use super::subject::SubjectState;
use crate::core::{Cut, Page};

/// Where the messages of a cut begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// First seq to send.
    from: Seq,
    /// Last seq before the cut.
    pub(super) cut: Seq,
    /// Kind of what is sent from history.
    pub(super) kind: Kind,
    /// Whether a snapshot that lies before `from` goes first.
    snapshot_first: bool,
}

/// Judges a start against a subject. Without continuity, as in `Standard` mode, nobody can tell what was missed.
pub(super) fn judge(state: &SubjectState, epoch: Epoch, start: Start, is_continuous: bool) -> (Cut, Origin) {
    let last = state.last;
    let position = Position { epoch, seq: last };
    let cut = |recovery, missed| Cut { recovery, position, missed };
    let fresh = || {
        let count = u64::from(start.history).min(state.history.len() as u64);
        let from = Seq(last.0 + 1 - count);
        Origin { from, cut: last, kind: Kind::Historical, snapshot_first: true }
    };
    let Some(resume) = start.resume else { return (cut(Recovery::Fresh, None), fresh()) };
    if resume.epoch != epoch || resume.seq > last {
        return (cut(Recovery::Reset, None), fresh());
    }
    if !is_continuous {
        return (cut(Recovery::Gap, None), fresh());
    }
    if resume.seq.next() >= first_recoverable(state) {
        let origin =
            Origin { from: resume.seq.next(), cut: last, kind: Kind::Recovered, snapshot_first: false };
        return (cut(Recovery::Complete, None), origin);
    }
    let origin = fresh();
    // Of the seqs up to the floor nobody knows which there were.
    let missed = missed(state, resume.seq.next(), origin.from).filter(|_| resume.seq >= state.floor);
    (cut(Recovery::Gap, missed), origin)
}

/// Judges a start against a subject that is not known. If it ever had messages, the last one had a seq of at
/// most `floor`: so nothing follows the floor itself, and of earlier positions nobody can tell.
pub(super) fn judge_unknown(epoch: Epoch, floor: Seq, start: Start, is_continuous: bool) -> Cut {
    let recovery = match start.resume {
        None => Recovery::Fresh,
        Some(resume) if resume.epoch != epoch || resume.seq > floor => Recovery::Reset,
        Some(resume) if resume.seq == floor && is_continuous => Recovery::Complete,
        Some(_) => Recovery::Gap,
    };
    Cut { recovery, position: Position { epoch, seq: floor }, missed: None }
}

/// First seq from which on every message can be sent: those in history or, once that has expired, the last
/// message alone if it is the snapshot.
fn first_recoverable(state: &SubjectState) -> Seq {
    let alone = state.history.is_empty()
        && state.snapshot.as_ref().is_some_and(|snapshot| {
            snapshot.message.qos == Qos::Guaranteed && snapshot.position.seq == state.last
        });
    if alone { state.last } else { state.first_available() }
}

/// First and last seq from `from` on that will not follow, given that history follows from `history_from`.
fn missed(state: &SubjectState, from: Seq, history_from: Seq) -> Option<(Seq, Seq)> {
    let snapshot_is_last = state.snapshot.as_ref().is_some_and(|snapshot| {
        snapshot.message.qos == Qos::Guaranteed && snapshot.position.seq.next() == history_from
    });
    let to = Seq(history_from.0 - 1 - u64::from(snapshot_is_last));
    (from <= to).then_some((from, to))
}

/// The first page of a cut.
pub(super) fn first_page(state: &SubjectState, origin: Origin, bytes_max: usize) -> Page {
    let mut page = Page::default();
    if let Some(snapshot) = &state.snapshot {
        let seq = snapshot.position.seq;
        let guaranteed = snapshot.message.qos == Qos::Guaranteed;
        if origin.snapshot_first && seq < origin.from && (guaranteed || seq.next() < origin.from) {
            page.messages.push((Kind::Snapshot, snapshot.clone()));
        }
        // The history has expired, the last message is left as the snapshot.
        if state.history.is_empty() && guaranteed && seq == origin.from {
            page.messages.push((origin.kind, snapshot.clone()));
        }
    }
    fill(state, Cursor::of(origin, origin.from), bytes_max, &mut page);
    page
}

/// A further page; the cursor must not lie before the first available seq.
pub(super) fn next_page(state: &SubjectState, cursor: Cursor, bytes_max: usize) -> Page {
    let mut page = Page::default();
    fill(state, cursor, bytes_max, &mut page);
    page
}

/// All of a cut at once, bounded: the newest if it is history, the oldest if it is a recovery.
pub(super) fn read(state: &SubjectState, mut origin: Origin) -> Page {
    if origin.kind == Kind::Historical {
        let mut bytes = 0;
        let newest = state.history_from(origin.from).collect::<Vec<_>>().into_iter().rev();
        let kept = newest.take_while(|record| {
            let first = bytes == 0;
            bytes += record.cost_bytes();
            first || bytes <= READ_BYTES_MAX
        });
        origin.from = Seq(state.last.0 + 1 - kept.count() as u64);
    }
    first_page(state, origin, READ_BYTES_MAX)
}

/// Appends history from the cursor on, at least one message, with a standard snapshot in its place.
fn fill(state: &SubjectState, cursor: Cursor, bytes_max: usize, page: &mut Page) {
    let mut standard = state.snapshot.as_ref().filter(|snapshot| {
        snapshot.message.qos == Qos::Standard && snapshot.position.seq.next() >= cursor.next
    });
    let mut bytes = 0;
    for record in state.history_from(cursor.next) {
        let seq = record.position.seq;
        if bytes > 0 && bytes + record.cost_bytes() > bytes_max {
            page.next = Some(Cursor { next: seq, ..cursor });
            return;
        }
        if let Some(snapshot) = standard.take_if(|snapshot| snapshot.position.seq < seq) {
            page.messages.push((Kind::Snapshot, snapshot.clone()));
        }
        bytes += record.cost_bytes();
        page.messages.push((kind_at(cursor, record), record.clone()));
    }
    if let Some(snapshot) = standard {
        page.messages.push((Kind::Snapshot, snapshot.clone()));
    }
}

fn kind_at(cursor: Cursor, record: &Arc<Record>) -> Kind {
    if record.position.seq <= cursor.cut { cursor.kind } else { Kind::Update }
}
