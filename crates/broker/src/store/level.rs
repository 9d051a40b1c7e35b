//! The levels of the log that this software knows: each is a way to apply commands (docs/adr/2026-11-22-levels.md). So far
//! there is one, and a rehearsal of the next one for tests and simulations.

use std::cmp::Reverse;

use sterna_replica::Level;

use super::Store;
use super::codec::Malformed;
use super::command::{Command, Section};

/// The highest level that this software knows.
pub const LEVEL_MAX: Level = Level(1);

/// A level that no member ever knows outside of tests: the batches of a command are applied by their origin, the last
/// one first. Messages get other positions by that, so a member that switches elsewhere than the others is noticed.
#[cfg(any(test, feature = "rehearsal"))]
pub const REHEARSAL: Level = Level(LEVEL_MAX.0 + 1);

/// The parts of a command in the order of the rehearsal.
pub(super) fn rehearsal(mut command: Command<'_>) -> Result<Vec<Section<'_>>, Malformed> {
    let mut sections = Vec::new();
    while let Some(section) = command.next()? {
        sections.push(section);
    }
    sections.sort_by_key(|section| match section {
        Section::Batch { origin, .. } => Reverse(Some(*origin)),
        Section::Forget(_) | Section::Rotate => Reverse(None),
    });
    Ok(sections)
}

impl Store {
    #[cfg(any(test, feature = "rehearsal"))]
    pub(super) fn is_rehearsed(&self, level: Level) -> bool {
        level.max(self.early) >= REHEARSAL
    }

    /// Nothing is rehearsed where messages are served.
    #[cfg(not(any(test, feature = "rehearsal")))]
    pub(super) fn is_rehearsed(&self, _level: Level) -> bool {
        false
    }

    /// Breaks the rule that the log alone says when to switch.
    #[cfg(feature = "rehearsal")]
    pub(crate) fn switch_early(&mut self) {
        self.early = REHEARSAL;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use sterna_model::{Message, Seq, Subject};

    use super::*;
    use crate::store::apply::Nobody;
    use crate::store::command::{CommandBuilder, Ops};
    use crate::store::install::tests::empty;

    /// A message of each of three origins, two of the first one.
    fn command(index: u64) -> Bytes {
        let mut command = CommandBuilder::new(1_000 * index, 0);
        for (origin, number, content) in
            [(5, 2 * index - 1, "a"), (9, index, "b"), (5, 2 * index, "c"), (7, index, "d")]
        {
            let mut ops = Ops::default();
            ops.publish(&Message::new(Subject::parse("/s").unwrap(), content.as_bytes()), None);
            command.batch(origin, number, &ops.take());
        }
        command.finish()
    }

    fn contents(store: &Store) -> String {
        let state = store.subjects.find("/s").and_then(|id| store.subjects.get(id)).unwrap();
        assert_eq!(state.last, Seq(state.history.len() as u64));
        state
            .history
            .iter()
            .map(|record| String::from_utf8_lossy(&record.message.content).into_owned())
            .collect()
    }

    #[test]
    fn a_level_decides_what_a_command_does_from_its_own_index_on() {
        let mut store = empty();
        for (index, level) in [(1, LEVEL_MAX), (2, REHEARSAL)] {
            store.apply(index, level, &command(index), 0, &mut Nobody, &mut Vec::new()).unwrap();
        }
        assert_eq!(contents(&store), "abcdbdac");
    }

    #[test]
    fn a_command_that_cannot_be_read_to_its_end_changes_nothing() {
        let mut store = empty();
        let bytes = command(1);
        let cut = &bytes[..bytes.len() - 1];
        assert!(store.apply(1, LEVEL_MAX, cut, 0, &mut Nobody, &mut Vec::new()).is_err());
        assert_eq!(store.sizes().subjects, 0);
    }
}
