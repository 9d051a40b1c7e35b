//! Who hears a subject on this shard.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sterna_model::{Qos, Record, Seq, Subject, SubjectId};

use crate::session::Session;

/// One subscriber of a subject on this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Place of the connection in the shard's table.
    pub connection: u32,
    /// Conflation interval; 0 hears everything.
    pub conflation_ms: u32,
}

/// The subscribers of one subject on this shard.
#[derive(Debug)]
pub struct Audience {
    name: Subject,
    subscribers: Vec<Subscriber>,
    /// Last guaranteed message delivered to this audience.
    last: Seq,
}

impl Audience {
    /// Name of the subject.
    #[must_use]
    pub fn name(&self) -> &Subject {
        &self.name
    }

    /// The subscribers, in no particular order.
    #[must_use]
    pub fn subscribers(&self) -> &[Subscriber] {
        &self.subscribers
    }
}

/// The audiences of all subjects that someone on this shard hears.
#[derive(Debug)]
pub struct Audiences {
    table: HashMap<SubjectId, Audience, FixedState>,
    subscribers: usize,
}

/// The sessions of a shard, by the place of their connection.
pub trait Sessions {
    /// The session in that place; it exists as long as it is in an audience.
    fn session_mut(&mut self, connection: u32) -> &mut Session;
}

impl Audiences {
    /// No audiences. `seed` randomises the table.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { table: HashMap::with_hasher(FixedState::with_seed(seed)), subscribers: 0 }
    }

    /// Adds a subscriber that has everything up to `last`; returns its place in the audience.
    pub fn join(&mut self, subject: SubjectId, name: &Subject, last: Seq, subscriber: Subscriber) -> u32 {
        let audience = self.table.entry(subject).or_insert_with(|| Audience {
            name: name.clone(),
            subscribers: Vec::new(),
            last,
        });
        assert!(audience.last == last, "{name}: joins at {last:?}, audience is at {:?}", audience.last);
        audience.subscribers.push(subscriber);
        self.subscribers += 1;
        u32::try_from(audience.subscribers.len() - 1).expect("fewer subscribers than connections")
    }

    /// Takes the subscriber in `place` out, and tells the session of the one that moved there.
    pub fn leave(&mut self, subject: SubjectId, place: u32, sessions: &mut impl Sessions) {
        let audience = self.table.get_mut(&subject).expect("a subscription is in its audience");
        audience.subscribers.swap_remove(place as usize);
        self.subscribers -= 1;
        if let Some(moved) = audience.subscribers.get(place as usize) {
            sessions.session_mut(moved.connection).subscriptions_mut().move_to(subject, place);
        } else if audience.subscribers.is_empty() {
            self.table.remove(&subject);
        } else if audience.subscribers.len() < audience.subscribers.capacity() / 4 {
            audience.subscribers.shrink_to(audience.subscribers.len() * 2);
        }
    }

    /// The audience of a record about to be delivered, if there is one on this shard. Checks that nothing is
    /// skipped or repeated: the core's effects arrive in their order.
    pub fn hear(&mut self, subject: SubjectId, record: &Record) -> Option<&Audience> {
        let audience = self.table.get_mut(&subject)?;
        if record.message.qos == Qos::Guaranteed {
            let seq = record.position.seq;
            assert!(seq == audience.last.next(), "{}: {seq:?} after {:?}", audience.name, audience.last);
            audience.last = seq;
        }
        Some(audience)
    }

    /// Name of a subject that someone hears.
    #[must_use]
    pub fn name(&self, subject: SubjectId) -> Option<&Subject> {
        self.table.get(&subject).map(|audience| &audience.name)
    }

    /// Subscriptions on this shard.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.subscribers
    }

    /// Bytes accounted for the audiences: entries and their lists.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.table.allocation_size() + self.subscribers * size_of::<Subscriber>() * 3 / 2
    }
}
