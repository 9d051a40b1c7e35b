//! What must be true of a cluster in peace.

use std::fmt::Write as _;

use sterna_broker::core::{Effect, Event, Reading};
use sterna_model::{Kind, Position, Qos};
use sterna_replica::Slot;

use crate::client::{Fate, number};
use crate::story::Danger;
use crate::world::{World, connection, name};

/// Where each message of a subject is: its kind, position, time, content and whether it is retained.
type Shown = Vec<(Kind, Position, u64, u64, bool)>;

pub(crate) fn statuses(world: &World) -> String {
    let mut text = String::new();
    for (slot, member) in &world.members {
        let status = member.core.status();
        let _ = write!(text, "\n{slot}: {:?} {:?} {status:?}", member.core.sizes(), member.subscriber.wanted);
    }
    let open = world.published.iter().enumerate();
    for (number, published) in open.filter(|(_, it)| !matches!(it.fate, Fate::Accepted(_))) {
        let _ = write!(text, "\n{number}: {published:?}");
    }
    text
}

fn read(world: &mut World, slot: Slot, subject: u8, reading: Reading) -> (Position, Shown) {
    let event = Event::Read { to: connection(0), name: name(subject), reading };
    world.act(slot, |core, now, out| core.handle(now, event, out));
    let Some(Effect::Answer { cut, messages, .. }) = world.answers.pop() else { panic!("an answer") };
    let shown = messages.iter().map(|(kind, record)| {
        assert_eq!(record.message.qos, Qos::Guaranteed);
        world.truth.show(record);
        (*kind, record.position, record.time_ms, number(record), record.message.retained)
    });
    let shown = shown.collect();
    (cut.position, shown)
}

/// All members hold the same: sizes, last seqs, floor, history, snapshots.
pub(crate) fn same(world: &mut World) {
    let slots = world.slots();
    let sizes: Vec<_> = slots.iter().map(|slot| world.members[slot].core.sizes()).collect();
    let mut first = None;
    for (at, slot) in slots.iter().enumerate() {
        let mut held = Vec::new();
        // The last one is not known to anybody: its position is the floor.
        for subject in 0..=8 {
            held.push(read(world, *slot, subject, Reading::History(1_000_000)));
            held.push(read(world, *slot, subject, Reading::Snapshot));
        }
        let kept = held.iter().step_by(2).flat_map(|(_, history)| history.iter().map(|shown| shown.3));
        let mut kept: Vec<u64> = kept.collect();
        kept.sort_unstable();
        assert!(kept.windows(2).all(|two| two[0] != two[1]), "a message is there twice: {kept:?}");
        let expected = first.get_or_insert_with(|| held.clone());
        assert_eq!(*expected, held, "{slot} holds what {} holds", slots[0]);
        assert_eq!(sizes[at], sizes[0], "{slot} counts what {} counts", slots[0]);
    }
}

/// Every publish that was accepted is at its place, at no other, and what was refused is nowhere.
pub(crate) fn accepted(world: &World, danger: Danger) {
    for (number, published) in world.published.iter().enumerate() {
        let place = world.truth.place(number as u64);
        match published.fate {
            Fate::Accepted(position) if danger != Danger::Majority => {
                assert!(
                    place.is_none_or(|place| place == (published.subject, position)),
                    "{number}: {place:?}"
                );
                let is_kept = world.limits.history_messages_max >= 1_000;
                assert!(place.is_some() || !is_kept, "{number} at {position} is nowhere");
            }
            Fate::Refused(code) if published.stamp.is_none() => {
                assert_eq!(place, None, "{number} was refused: {code:?}");
            }
            _ => {}
        }
    }
}

/// Every member recognises every publish with a stamp, and gives the same answer again.
pub(crate) fn windows(world: &mut World) {
    let before = world.published.clone();
    let counted: Vec<_> = world.slots().iter().map(|slot| world.members[slot].core.counters()).collect();
    let (installs, mut tried) = (world.installs, 0);
    for (number, published) in before.iter().enumerate() {
        if let Some((publisher, _)) = published.stamp {
            tried += 1;
            for slot in world.slots() {
                world.try_publish(slot, publisher, number);
            }
        }
    }
    world.pass(3_000);
    // Had one been given another place, its second answer would have differed from the first one.
    for (slot, counted) in world.slots().iter().zip(counted) {
        let counters = world.members[slot].core.counters();
        assert_eq!(counters.published, counted.published, "nothing is new");
        // A member to which the state was sent again has not seen them all.
        let is_counted = world.installs == installs;
        assert!(
            !is_counted || counters.duplicates - counted.duplicates == tried * world.slots().len() as u64
        );
    }
}
