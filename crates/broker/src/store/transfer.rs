//! The state on its way out: read in parts while applying goes on, and cut into chunks wherever they end. Publishers
//! and batches are as they were at the beginning; each subject is as it is when it is read, with its last seq at the
//! beginning beside it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use sterna_model::{Record, Seq, SubjectId};

use super::Store;
use super::codec::{put_message, put_text};
use super::command::VERSION;
use super::dedup::Window;
use super::subject::SubjectState;

pub(super) mod item {
    pub(in super::super) const HEAD: u8 = 1;
    pub(in super::super) const PUBLISHER: u8 = 2;
    pub(in super::super) const SUBJECT: u8 = 3;
}

pub(super) mod flag {
    pub(in super::super) const BORN: u8 = 1;
    /// More messages of the subject follow in the next part.
    pub(in super::super) const MORE: u8 = 1 << 1;
    /// The snapshot follows behind the messages.
    pub(in super::super) const SNAPSHOT: u8 = 1 << 2;
    /// The snapshot is the message of that seq in history.
    pub(in super::super) const SNAPSHOT_IN_HISTORY: u8 = 1 << 3;
    /// The part goes on with a subject.
    pub(in super::super) const CONTINUED: u8 = 1 << 4;
}

/// Bytes of a part's length, and of a part with nothing in it.
pub(super) const LENGTH_BYTES: usize = size_of::<u32>();
const EMPTY_BYTES: usize = LENGTH_BYTES + size_of_val(&VERSION);
/// Bytes of a subject's part besides its name and messages, and more than those of a publisher's besides its window.
const PART_BYTES: usize = 128;
/// Bytes of a record's frame, and of a remembered publish.
const RECORD_BYTES: usize = 64;

/// One transfer.
#[derive(Debug)]
pub(super) struct Source {
    transfer: u64,
    head: Option<Bytes>,
    /// What is left of the part that was read last, and whether that was the last one.
    part: Bytes,
    is_read: bool,
    publishers: VecDeque<(Arc<str>, Arc<Window>, bool)>,
    /// Last seqs at the beginning, of subjects that have changed since.
    lasts: BTreeMap<SubjectId, Seq>,
    /// The next subject, and its next seq if it has begun.
    next: (SubjectId, Option<Seq>),
}

impl Source {
    /// The subject is about to change.
    pub(super) fn note(&mut self, subject: SubjectId, last: Seq) {
        self.lasts.entry(subject).or_insert(last);
    }

    /// The subject goes; another one may get its number.
    pub(super) fn forget(&mut self, subject: SubjectId) {
        self.lasts.remove(&subject);
        if self.next.0 == subject {
            self.next.1 = None;
        }
    }

    /// At most so many bytes of the part, and whether nothing follows.
    fn take_chunk(&mut self, bytes_max: usize) -> (Bytes, bool) {
        let chunk = self.part.split_to(self.part.len().min(bytes_max));
        (chunk, self.is_read && self.part.is_empty())
    }
}

impl Store {
    /// The next chunk of a transfer, and whether it is the last one. The first one marks the beginning.
    pub(crate) fn read_chunk(&mut self, transfer: u64, number: u64, bytes_max: usize) -> (Bytes, bool) {
        if number == 0 {
            self.end_transfer(transfer);
            let source = self.begin_transfer(transfer);
            self.sources.push(source);
        }
        let place = self.sources.iter().position(|source| source.transfer == transfer);
        let Some(place) = place else { return (Bytes::new(), true) };
        let mut source = self.sources.swap_remove(place);
        if source.part.is_empty() {
            self.fill(&mut source, bytes_max);
        }
        let chunk = source.take_chunk(bytes_max);
        self.sources.push(source);
        chunk
    }

    pub(crate) fn end_transfer(&mut self, transfer: u64) {
        self.sources.retain(|source| source.transfer != transfer);
    }

    /// Appends snapshots from this subject on, up to so many bytes; where to go on, if that was not all.
    pub(crate) fn put_snapshots(
        &self,
        from: SubjectId,
        bytes_max: usize,
        out: &mut BytesMut,
    ) -> Option<SubjectId> {
        let mut next = from;
        while let Some(id) = self.subjects.next_from(next) {
            let state = self.subjects.get(id).expect("just found");
            if let Some(snapshot) = &state.snapshot {
                if !out.is_empty() && out.len() + bytes_of(snapshot) > bytes_max {
                    return Some(id);
                }
                out.put_u64(snapshot.time_ms);
                put_message(out, &snapshot.message, None);
            }
            next = SubjectId(id.0 + 1);
        }
        None
    }

    fn begin_transfer(&self, transfer: u64) -> Source {
        let mut head = BytesMut::new();
        head.put_u8(item::HEAD);
        head.put_u64(self.time_ms);
        head.put_u64(self.publishers.rotated_at_ms);
        head.put_u64(self.floor.0);
        let origins = self.origins.iter();
        head.put_u32(u32::try_from(origins.len()).expect("origins are bounded"));
        for (origin, last) in origins {
            head.put_u128(origin);
            head.put_u64(last.number);
            head.put_u64(last.index);
        }
        let publishers = self.publishers.iter();
        Source {
            transfer,
            head: Some(head.freeze()),
            part: Bytes::new(),
            is_read: false,
            publishers: publishers
                .map(|(name, window, current)| (name.clone(), window.clone(), current))
                .collect(),
            lasts: BTreeMap::new(),
            next: (SubjectId(0), None),
        }
    }

    /// Reads the next part, with its length in front: about as much as a chunk, more if one thing is larger than that.
    fn fill(&self, source: &mut Source, bytes_max: usize) {
        let mut out = BytesMut::with_capacity(bytes_max.max(EMPTY_BYTES));
        out.put_u32(0);
        out.put_u8(VERSION);
        source.is_read = self.fill_publishers(source, &mut out, bytes_max)
            && self.fill_subjects(source, &mut out, bytes_max);
        let length = u32::try_from(out.len() - LENGTH_BYTES).expect("a part is a chunk or a message");
        out[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        source.part = out.freeze();
    }

    /// True if that was all.
    fn fill_publishers(&self, source: &mut Source, out: &mut BytesMut, bytes_max: usize) -> bool {
        if let Some(head) = source.head.take() {
            out.put_slice(&head);
        }
        while let Some((name, window, is_current)) = source.publishers.front() {
            let bytes = PART_BYTES + RECORD_BYTES * window.recent.len();
            if out.len() > EMPTY_BYTES && out.len() + bytes > bytes_max {
                return false;
            }
            put_publisher(out, name, window, *is_current);
            source.publishers.pop_front();
        }
        true
    }

    /// True if that was all.
    fn fill_subjects(&self, source: &mut Source, out: &mut BytesMut, bytes_max: usize) -> bool {
        while let Some(id) = self.subjects.next_from(source.next.0) {
            let from = source.next.1.take().filter(|_| id == source.next.0);
            source.next.0 = id;
            let state = self.subjects.get(id).expect("just found");
            if state.is_born || !state.is_empty() {
                if out.len() > EMPTY_BYTES && out.len() + PART_BYTES + state.name.as_str().len() > bytes_max {
                    source.next.1 = from;
                    return false;
                }
                // What is ahead of the log here is so at the receiver, too.
                let now = self.replays.get(&id).map_or(state.last, |replay| replay.last);
                let base = source.lasts.get(&id).copied().unwrap_or(now);
                if let Some(next) = self.put_subject(out, (id, state), base, from, bytes_max) {
                    source.next.1 = Some(next);
                    return false;
                }
            }
            source.next.0 = SubjectId(id.0 + 1);
        }
        true
    }

    /// As much of a subject as there is room for, at least one message if it is the first of a part; the seq to go on
    /// with, if that was not all.
    fn put_subject(
        &self,
        out: &mut BytesMut,
        (id, state): (SubjectId, &SubjectState),
        base: Seq,
        from: Option<Seq>,
        bytes_max: usize,
    ) -> Option<Seq> {
        let is_first = out.len() == EMPTY_BYTES;
        out.put_u8(item::SUBJECT);
        let flags_at = out.len();
        let continued = if from.is_some() { flag::CONTINUED } else { 0 };
        out.put_u8(if state.is_born { flag::BORN } else { 0 } | continued);
        put_text(out, state.name.as_str());
        let available = state.first_available();
        let as_of = self.replays.get(&id).map_or(0, |replay| replay.as_of).max(self.applied);
        for number in [as_of, base.0, available.0, state.last.0, state.floor.0, state.used_s] {
            out.put_u64(number);
        }
        let count_at = out.len();
        out.put_u32(0);
        let mut count = 0_u32;
        let has_room = |out: &BytesMut, record: &Record, count: u32| {
            out.len() + bytes_of(record) <= bytes_max || (is_first && count == 0)
        };
        let mut more = None;
        for record in state.history_from(from.unwrap_or(Seq(0)).max(available)) {
            if !has_room(out, record, count) {
                more = Some(record.position.seq);
                break;
            }
            put_record(out, record);
            count += 1;
        }
        if more.is_none()
            && let Some(snapshot) = &state.snapshot
        {
            if state.snapshot_is_in_history() {
                out[flags_at] |= flag::SNAPSHOT_IN_HISTORY;
                out.put_u64(snapshot.position.seq.0);
            } else if has_room(out, snapshot, count) {
                out[flags_at] |= flag::SNAPSHOT;
                put_record(out, snapshot);
            } else {
                more = Some(state.last.next());
            }
        }
        if more.is_some() {
            out[flags_at] |= flag::MORE;
        }
        out[count_at..count_at + 4].copy_from_slice(&count.to_be_bytes());
        more
    }
}

fn bytes_of(record: &Record) -> usize {
    let message = &record.message;
    let reply_to = message.reply_to.as_ref().map_or(0, |subject| subject.as_str().len());
    RECORD_BYTES + message.subject.as_str().len() + message.content.len() + message.closure.len() + reply_to
}

fn put_record(out: &mut BytesMut, record: &Record) {
    out.put_u64(record.position.epoch.0);
    out.put_u64(record.position.seq.0);
    out.put_u64(record.time_ms);
    put_message(out, &record.message, None);
}

fn put_publisher(out: &mut BytesMut, name: &str, window: &Window, is_current: bool) {
    out.put_u8(item::PUBLISHER);
    put_text(out, name);
    out.put_u8(u8::from(is_current) | u8::from(window.dropped.is_some()) << 1);
    out.put_u64(window.dropped.unwrap_or_default());
    out.put_u32(u32::try_from(window.recent.len()).expect("windows are bounded"));
    for (seq, position) in &window.recent {
        out.put_u64(*seq);
        out.put_u64(position.epoch.0);
        out.put_u64(position.seq.0);
    }
}
