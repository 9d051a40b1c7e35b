//! The state on its way in: staged beside the present one, then put into its place. Subjects keep their numbers, and
//! subscriptions stay known, so that what shards say of them afterwards finds them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use sterna_model::limit::{PUBLISHER_ID_BYTES_MAX, PUBLISHER_WINDOW};
use sterna_model::{Epoch, GroupId, Position, Record, Seq, Subject, SubjectId};

use super::Store;
use super::apply::Replay;
use super::codec::{Malformed, Reader};
use super::command::{Origin, VERSION};
use super::dedup::Window;
use super::origin::Last;
use super::transfer::{LENGTH_BYTES, flag, item};
use crate::core::Effect;

/// Bytes of a part: a chunk, or the largest message with what goes with it.
const PART_BYTES_MAX: usize = 128 << 20;

/// What has arrived.
#[derive(Debug, Default)]
pub(super) struct Staged {
    time_ms: u64,
    rotated_at_ms: u64,
    floor: Seq,
    /// What has arrived of a part that is not whole yet.
    part: BytesMut,
    origins: Vec<(Origin, Last)>,
    publishers: Vec<(Box<str>, Window, bool)>,
    subjects: BTreeMap<Subject, StagedSubject>,
}

#[derive(Debug, Default)]
struct StagedSubject {
    is_born: bool,
    as_of: u64,
    base: Seq,
    last: Seq,
    floor: Seq,
    used_s: u64,
    history: VecDeque<Arc<Record>>,
    snapshot: Option<Arc<Record>>,
}

impl StagedSubject {
    /// The seq that follows its history, if that begins at `available`.
    fn end(&self, available: Seq) -> Seq {
        self.history.back().map_or(available, |last| last.position.seq.next())
    }
}

impl Store {
    /// A state begins to arrive.
    pub(crate) fn begin_install(&mut self) {
        self.staged = Some(Box::default());
    }

    /// It does not come.
    pub(crate) fn drop_install(&mut self) {
        self.staged = None;
    }

    /// Takes the next chunk of it.
    ///
    /// # Errors
    /// It is not of this version, or broken.
    pub(crate) fn install_chunk(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        let group = self.group;
        let staged = self.staged.get_or_insert_default();
        staged.part.extend_from_slice(chunk);
        while let Some(length) = staged.part.first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > PART_BYTES_MAX {
                return Err(Malformed::Value("length"));
            }
            if staged.part.len() < LENGTH_BYTES + length {
                break;
            }
            staged.part.advance(LENGTH_BYTES);
            let part = staged.part.split_to(length);
            staged.read_part(&part, group)?;
        }
        Ok(())
    }

    /// What was staged takes the place of the state; all subscriptions are interrupted, because what they have may
    /// not go on here.
    pub(crate) fn finish_install(&mut self, epoch: Epoch, index: u64, effects: &mut Vec<Effect>) {
        let staged = self.staged.take().map_or_else(Staged::default, |staged| *staged);
        self.empty();
        (self.epoch, self.applied) = (epoch, index);
        (self.time_ms, self.floor) = (staged.time_ms, staged.floor);
        self.publishers.rotated_at_ms = staged.rotated_at_ms;
        for (origin, last) in staged.origins {
            self.origins.put(origin, last);
        }
        for (name, window, is_current) in staged.publishers {
            self.publishers.put(&name, window, is_current);
        }
        self.budget.add(self.publishers.bytes());
        for (name, subject) in staged.subjects {
            self.install_subject(&name, subject, index);
        }
        self.remove_unused();
        effects.push(Effect::Interrupted { shards: self.all_shards(), subject: None });
    }

    /// The state begins another lineage at `index`: its own, or none at all.
    pub(crate) fn found(&mut self, epoch: Epoch, index: u64, is_salvaged: bool, effects: &mut Vec<Effect>) {
        if !is_salvaged {
            self.empty();
            self.remove_unused();
        }
        self.roll_back();
        let had_epoch = self.epoch;
        (self.epoch, self.applied) = (epoch, index);
        if had_epoch != Epoch(0) {
            effects.push(Effect::Interrupted { shards: self.all_shards(), subject: None });
        }
    }

    /// Subjects that are ahead of the log lose what it will not bring any more: batches and publishers do not know of it,
    /// so it may be published again.
    fn roll_back(&mut self) {
        for (subject, Replay { last, .. }) in std::mem::take(&mut self.replays) {
            let state = self.subjects.get_mut(subject).expect("a forgotten subject has no replay");
            let mut freed = 0;
            if state.snapshot.as_ref().is_some_and(|snapshot| snapshot.position.seq > last) {
                freed += state.set_snapshot(None);
            }
            while let Some(record) = state.history.pop_back_if(|record| record.position.seq > last) {
                freed += record.cost_bytes();
            }
            state.last = last;
            if state.snapshot.is_none() {
                let retained = state.history.iter().rfind(|record| record.message.retained).cloned();
                state.set_snapshot(retained);
            }
            self.budget.remove(freed);
        }
    }

    /// The member begins anew, without a memory.
    pub(crate) fn forget_all(&mut self, effects: &mut Vec<Effect>) {
        self.staged = None;
        self.found(Epoch(0), 0, false, effects);
    }

    /// Takes everything out that the log has put in.
    fn empty(&mut self) {
        let mut next = SubjectId(0);
        while let Some(id) = self.subjects.next_from(next) {
            let state = self.subjects.get_mut(id).expect("just found");
            let freed = state.clear();
            state.is_born = false;
            (state.floor, state.last, state.used_s) = (Seq(0), Seq(0), 0);
            self.budget.remove(freed);
            next = SubjectId(id.0 + 1);
        }
        self.budget.remove(self.publishers.bytes());
        self.publishers.clear();
        self.origins = Default::default();
        self.sources.clear();
        self.replays.clear();
        self.floor = Seq(0);
    }

    /// Takes subjects out that neither the log nor a subscription knows; those that the log does not know begin at
    /// the floor.
    fn remove_unused(&mut self) {
        let mut next = SubjectId(0);
        while let Some(id) = self.subjects.next_from(next) {
            let state = self.subjects.get_mut(id).expect("just found");
            if !state.is_born && !state.has_interest() && state.is_empty() {
                self.remove_subject(id);
            } else if !state.is_born {
                (state.floor, state.last) = (self.floor, self.floor);
            }
            next = SubjectId(id.0 + 1);
        }
    }

    fn install_subject(&mut self, name: &Subject, staged: StagedSubject, index: u64) {
        let id = self.subject_id(name.as_str());
        let state = self.subjects.get_mut(id).expect("just looked up");
        state.is_born = staged.is_born;
        (state.last, state.floor, state.used_s) = (staged.last, staged.floor, staged.used_s);
        for record in staged.history {
            self.budget.add(record.cost_bytes());
            state.history.push_back(record);
        }
        if let Some(snapshot) = staged.snapshot {
            state.set_snapshot(Some(snapshot.clone()));
            if !state.snapshot_is_in_history() {
                self.budget.add(snapshot.cost_bytes());
            }
        }
        if staged.as_of > index && staged.is_born {
            self.replays.insert(id, Replay { as_of: staged.as_of, last: staged.base });
        }
        self.schedule_subject(id);
    }
}

impl Staged {
    fn read_part(&mut self, part: &[u8], group: GroupId) -> Result<(), Malformed> {
        let mut reader = Reader(part);
        match reader.u8("version")? {
            VERSION => {}
            other => return Err(Malformed::Version(other)),
        }
        while !reader.is_empty() {
            match reader.u8("item")? {
                item::HEAD => self.read_head(&mut reader)?,
                item::PUBLISHER => self.read_publisher(&mut reader)?,
                item::SUBJECT => self.read_subject(&mut reader, group)?,
                _ => return Err(Malformed::Value("item")),
            }
        }
        Ok(())
    }

    fn read_head(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        self.time_ms = reader.u64("time")?;
        self.rotated_at_ms = reader.u64("rotation")?;
        self.floor = read_seq(reader)?;
        for _ in 0..reader.u32("origins")? {
            let origin = reader.u128("origin")?;
            let last = Last { number: reader.u64("number")?, index: reader.u64("index")? };
            self.origins.push((origin, last));
        }
        Ok(())
    }

    fn read_publisher(&mut self, reader: &mut Reader<'_>) -> Result<(), Malformed> {
        let name = reader.text(PUBLISHER_ID_BYTES_MAX, "publisher")?;
        let flags = reader.u8("flags")?;
        let dropped = Some(reader.u64("dropped")?).filter(|_| flags & 2 != 0);
        let count = reader.u32("count")?;
        if count as usize > PUBLISHER_WINDOW {
            return Err(Malformed::Value("count"));
        }
        let mut window = Window { dropped, ..Window::default() };
        for _ in 0..count {
            let seq = reader.u64("publisher seq")?;
            window.recent.push_back((seq, read_position(reader)?));
        }
        self.publishers.push((name.into(), window, flags & 1 != 0));
        Ok(())
    }

    fn read_subject(&mut self, reader: &mut Reader<'_>, group: GroupId) -> Result<(), Malformed> {
        let flags = reader.u8("flags")?;
        let name = reader.subject()?;
        let name = Subject::parse(name).map_err(|_| Malformed::Value("subject"))?;
        let staged = self.subjects.entry(name.clone()).or_default();
        if flags & flag::CONTINUED == 0 {
            *staged = StagedSubject::default();
        }
        staged.is_born = flags & flag::BORN != 0;
        staged.as_of = reader.u64("index")?;
        staged.base = read_seq(reader)?;
        let available = read_seq(reader)?;
        staged.last = read_seq(reader)?;
        staged.floor = read_seq(reader)?;
        staged.used_s = reader.u64("time")?;
        // Since the part before, the oldest may have left the history.
        while staged.history.front().is_some_and(|first| first.position.seq < available) {
            staged.history.pop_front();
        }
        for _ in 0..reader.u32("count")? {
            let record = read_record(reader, group, &name)?;
            let expected = staged.end(available);
            if record.position.seq != expected {
                return Err(Malformed::Value("seq"));
            }
            staged.history.push_back(record);
        }
        if flags & flag::MORE == 0 && staged.end(available) != staged.last.next() {
            return Err(Malformed::Value("seq"));
        }
        if flags & flag::SNAPSHOT_IN_HISTORY != 0 {
            let seq = reader.u64("seq")?;
            let place = usize::try_from(seq.wrapping_sub(available.0)).unwrap_or(usize::MAX);
            staged.snapshot = Some(staged.history.get(place).ok_or(Malformed::Value("seq"))?.clone());
        } else if flags & flag::SNAPSHOT != 0 {
            staged.snapshot = Some(read_record(reader, group, &name)?);
        }
        Ok(())
    }
}

fn read_position(reader: &mut Reader<'_>) -> Result<Position, Malformed> {
    Ok(Position { epoch: Epoch(reader.u64("epoch")?), seq: read_seq(reader)? })
}

/// A seq that others can follow.
fn read_seq(reader: &mut Reader<'_>) -> Result<Seq, Malformed> {
    let seq = reader.u64("seq")?;
    if seq < u64::MAX / 2 { Ok(Seq(seq)) } else { Err(Malformed::Value("seq")) }
}

fn read_record(reader: &mut Reader<'_>, group: GroupId, name: &Subject) -> Result<Arc<Record>, Malformed> {
    let position = read_position(reader)?;
    let time_ms = reader.u64("time")?;
    let message = reader.message()?.to_message(name.clone());
    Ok(Arc::new(Record { group, position, time_ms, message }))
}

#[cfg(test)]
pub(super) mod tests {
    use sterna_model::{DeliveryMode, Message, PublisherStamp};

    use super::super::LEVEL_MAX;
    use super::super::codec::RawStamp;
    use super::*;
    use crate::core::CoreLimits;
    use crate::store::apply::Nobody;
    use crate::store::command::{CommandBuilder, Ops};

    pub(in crate::store) fn empty() -> Store {
        let limits = CoreLimits {
            mode: DeliveryMode::Guaranteed,
            history_messages_max: 10,
            history_expire_ms: 1_000_000,
            snapshot_expire_ms: None,
            cache_bytes_max: 1 << 20,
            shards: 1,
        };
        Store::new(Epoch(7), limits, 1)
    }

    fn publish(store: &mut Store, index: u64, subject: &str, content: &[u8]) {
        let mut ops = Ops::default();
        let message = Message {
            retained: !index.is_multiple_of(3),
            ..Message::new(Subject::parse(subject).unwrap(), content)
        };
        ops.publish(&message, Some(&PublisherStamp { publisher: "p".into(), seq: index }));
        let mut command = CommandBuilder::new(1_000 * index, 0);
        command.batch(5, index, &ops.take());
        store.apply(index, LEVEL_MAX, &command.finish(), 0, &mut Nobody, &mut Vec::new()).unwrap();
    }

    /// What two stores must have in common.
    fn told(store: &Store) -> Vec<String> {
        let mut all = vec![format!("{} {:?} {:?}", store.time_ms, store.floor, store.sizes())];
        let names = ["/a", "/b", "/c"].map(|name| store.subjects.find(name));
        for state in names.into_iter().flatten().filter_map(|id| store.subjects.get(id)) {
            let (last, floor) = (state.last, state.floor);
            all.push(format!("{last:?} {floor:?} {:?} {:?}", state.history, state.snapshot));
        }
        all.push(format!("{:?}", store.publishers.find(RawStamp { publisher: "p", seq: 3 })));
        all
    }

    proptest::proptest! {
        /// In whatever pieces the state is read, and whatever is published between them.
        #[test]
        fn a_state_arrives_whole_while_applying_goes_on(bytes_max in 20..400_usize, pause in 1..30_u64, large: bool) {
            let mut source = empty();
            let content = vec![b'x'; if large { 700 } else { 5 }];
            let mut index = 0;
            let mut next = |store: &mut Store| {
                index += 1;
                publish(store, index, ["/a", "/b", "/c"][index as usize % 3], &content);
                index
            };
            (0..20).for_each(|_| { next(&mut source); });
            let mut target = empty();
            target.begin_install();
            let mut begun = None;
            for number in 0.. {
                let (chunk, is_last) = source.read_chunk(1, number, bytes_max);
                assert!(chunk.len() <= bytes_max);
                begun.get_or_insert(source.applied);
                target.install_chunk(&chunk).unwrap();
                if is_last {
                    break;
                }
                if number % pause == 0 && number < 40 * pause {
                    next(&mut source);
                }
            }
            let begun = begun.unwrap();
            target.finish_install(Epoch(7), begun, &mut Vec::new());
            let last = next(&mut source);
            for index in begun + 1..=last {
                publish(&mut target, index, ["/a", "/b", "/c"][index as usize % 3], &content);
            }
            assert_eq!(told(&target), told(&source));
        }

        #[test]
        fn strange_parts_are_refused_and_nothing_else_happens(at: u16, value: u8, end: u16, bytes: Vec<u8>) {
            let mut source = empty();
            for index in 1..8 {
                publish(&mut source, index, ["/a", "/b"][index as usize % 2], b"x");
            }
            let mut chunk = source.read_chunk(1, 0, 1 << 20).0.to_vec();
            assert_eq!(empty().install_chunk(&chunk), Ok(()));
            let _ = empty().install_chunk(&bytes);
            let place = usize::from(at) % chunk.len();
            chunk[place] = value;
            chunk.truncate(usize::from(end) % (2 * chunk.len()));
            let mut target = empty();
            if target.install_chunk(&chunk).is_ok() {
                target.finish_install(Epoch(7), 8, &mut Vec::new());
                publish(&mut target, 9, "/a", b"y");
            }
        }
    }
}
