//! The owner of the state: some lists that commands add numbers to, read and installed in chunks while they change.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::identity::TransferId;

/// Lists of the state.
const LISTS: u64 = 4;
/// Items in a chunk.
const ITEMS_PER_CHUNK: usize = 16;

/// A number that a command has added, with the index of its entry.
type Item = (u64, u64);

/// The lists, each with its own last index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    lists: BTreeMap<u64, Vec<Item>>,
}

impl State {
    /// Adds the number, unless the list has the entry already.
    fn apply(&mut self, index: u64, number: u64) -> bool {
        let list = self.lists.entry(number % LISTS).or_default();
        let is_new = list.last().is_none_or(|(last, _)| *last < index);
        if is_new {
            list.push((index, number));
        }
        is_new
    }

    pub(super) fn numbers(&self) -> BTreeSet<u64> {
        self.lists.values().flatten().map(|(_, number)| *number).collect()
    }
}

/// One member's state, with what arrives beside it and who reads it.
#[derive(Debug, Default)]
pub(super) struct Owner {
    pub(super) state: State,
    staged: Option<State>,
    readers: BTreeMap<TransferId, (u64, usize)>,
    /// Whether transfers read the state as it was at their beginning, and not as it is.
    is_marking: bool,
    marks: BTreeMap<TransferId, State>,
}

pub(super) fn command(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

pub(super) fn number_of(command: &Bytes) -> u64 {
    u64::from_be_bytes(command.as_ref().try_into().expect("the simulator made it"))
}

impl Owner {
    pub(super) fn new(is_marking: bool) -> Self {
        Self { is_marking, ..Self::default() }
    }

    pub(super) fn apply(&mut self, index: u64, number: u64) -> Result<(), String> {
        if self.state.apply(index, number) || !self.is_marking {
            Ok(())
        } else {
            Err(format!("a marked state has {index} already"))
        }
    }

    pub(super) fn begin_read(&mut self, transfer: TransferId) -> Result<(), String> {
        if self.is_marking {
            self.marks.insert(transfer, self.state.clone());
        }
        match self.readers.insert(transfer, (0, 0)).is_none() && self.readers.len() == 1 {
            true => Ok(()),
            false => Err("a second transfer at the same time".into()),
        }
    }

    /// The next part for a reader, from the state as it is now; whether it is the last one.
    pub(super) fn read(&mut self, transfer: TransferId) -> (Bytes, bool) {
        let (list, at) = self.readers.get(&transfer).copied().unwrap_or_default();
        let state = self.marks.get(&transfer).unwrap_or(&self.state);
        let items = state.lists.get(&list).map_or(&[][..], |items| &items[at.min(items.len())..]);
        let mut out = BytesMut::new();
        out.put_u64(list);
        for (index, number) in items.iter().take(ITEMS_PER_CHUNK) {
            out.put_u64(*index);
            out.put_u64(*number);
        }
        let (list, at) =
            if items.len() > ITEMS_PER_CHUNK { (list, at + ITEMS_PER_CHUNK) } else { (list + 1, 0) };
        self.readers.entry(transfer).and_modify(|place| *place = (list, at));
        (out.freeze(), list == LISTS)
    }

    pub(super) fn end_read(&mut self, transfer: TransferId) {
        self.readers.remove(&transfer);
        self.marks.remove(&transfer);
    }

    pub(super) fn begin_install(&mut self) {
        self.staged = Some(State::default());
    }

    pub(super) fn install(&mut self, mut chunk: Bytes) {
        let staged = self.staged.as_mut().expect("an install has begun");
        let list = staged.lists.entry(chunk.get_u64()).or_default();
        while chunk.has_remaining() {
            list.push((chunk.get_u64(), chunk.get_u64()));
        }
    }

    pub(super) fn finish_install(&mut self) {
        self.state = self.staged.take().expect("an install has begun");
    }

    pub(super) fn drop_install(&mut self) {
        assert!(self.staged.take().is_some(), "an install has begun");
    }
}
