//! A feed: who subscribes to what, and rounds in which every subscriber gets exactly one message.

use std::ops::Range;

use crate::error::Result;
use crate::load::{Load, Target, frames};

/// Results that may be awaited while subjects are filled.
const FILL_AHEAD: u64 = 10_000;

/// Subscribers spread evenly over subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    pub(crate) subjects: usize,
}

impl Shape {
    /// The subjects of a connection: one that it may share with others, or its share of many.
    fn subjects_of(self, connection: usize) -> impl Iterator<Item = usize> {
        (connection % self.subjects..self.subjects).step_by(self.connections.min(self.subjects))
    }

    /// Subscribers of a subject.
    pub(crate) fn audience(self, subject: usize) -> u64 {
        let uneven = self.connections % self.subjects;
        let each = self.connections / self.subjects + usize::from(subject < uneven);
        each.max(1) as u64
    }

    fn subscriptions(self) -> usize {
        self.connections.max(self.subjects)
    }

    /// The subjects that get a message in a round, so that each connection gets one.
    fn round(self, number: u64) -> Range<usize> {
        let rounds = (self.subjects / self.connections).max(1);
        let first = (number % rounds as u64) as usize * self.connections;
        first..self.subjects.min(first + self.connections)
    }
}

/// What begins rounds.
pub(crate) trait Source {
    /// Lets every connection get one message more.
    fn begin_round(&mut self, load: &mut Load) -> Result<()>;
}

/// A publisher and its subscribers on a server.
pub(crate) struct Feed {
    shape: Shape,
    publisher: usize,
    content: Vec<u8>,
    rounds_begun: u64,
}

impl Feed {
    /// Connects publisher and subscribers, and waits until all subscriptions stand and each has its snapshot.
    /// `retained` says how many of the first subjects have one.
    pub(crate) fn open(
        load: &mut Load,
        target: &Target,
        shape: Shape,
        content_bytes: usize,
        retained: usize,
    ) -> Result<Self> {
        let publisher = open_publisher(load, target)?;
        let before = *load.counts();
        load.open_many(target, shape.connections, |number| frames::subscriber(shape.subjects_of(number)))?;
        let subscribed = before.subscribed + shape.subscriptions() as u64;
        let with_snapshot = (0..shape.connections)
            .flat_map(|number| shape.subjects_of(number))
            .filter(|it| *it < retained)
            .count();
        let messages = before.messages + with_snapshot as u64;
        load.run_until("subscribe", |now| now.subscribed >= subscribed && now.messages >= messages)?;
        Ok(Self { shape, publisher, content: vec![b'x'; content_bytes], rounds_begun: 0 })
    }
}

impl Feed {
    /// Place of the publisher's connection.
    pub(crate) fn publisher(&self) -> usize {
        self.publisher
    }
}

impl Source for Feed {
    fn begin_round(&mut self, load: &mut Load) -> Result<()> {
        let mut out = Vec::new();
        for number in self.shape.round(self.rounds_begun) {
            frames::publish(None, number, &self.content, &mut out);
        }
        self.rounds_begun += 1;
        load.send(self.publisher, &out)
    }
}

/// Runs rounds of one delivery on each connection, at most `ahead` of them under way at once. With one ahead, nothing
/// ever meets in a queue: each delivery is a write of its own.
pub(crate) fn run_rounds(
    load: &mut Load,
    source: &mut impl Source,
    connections: usize,
    rounds: u64,
    ahead: u64,
) -> Result<()> {
    let before = load.counts().messages;
    let messages_after = |rounds: u64| before + rounds * connections as u64;
    for begun in 1..=rounds {
        source.begin_round(load)?;
        let enough = messages_after((begun + 1).saturating_sub(ahead));
        load.run_until("deliver", |now| now.messages >= enough)?;
    }
    load.run_until("deliver", |now| now.messages >= messages_after(rounds))
}

/// Connects a publisher; returns its place.
pub(crate) fn open_publisher(load: &mut Load, target: &Target) -> Result<usize> {
    let publisher = load.open(target, frames::publisher())?;
    let ready = load.counts().ready + 1;
    load.run_until("connect the publisher", |now| now.ready >= ready)?;
    Ok(publisher)
}

/// Publishes a retained message to each of the first `subjects` subjects, and waits until all are accepted.
pub(crate) fn fill(load: &mut Load, target: &Target, subjects: usize, content_bytes: usize) -> Result<()> {
    if subjects == 0 {
        return Ok(());
    }
    let publisher = open_publisher(load, target)?;
    let content = vec![b'x'; content_bytes];
    let before = load.counts().accepted;
    let mut out = Vec::new();
    for number in 0..subjects {
        frames::publish(Some(number as u64), number, &content, &mut out);
        if out.len() > 64 * 1024 || number + 1 == subjects {
            load.send(publisher, &out)?;
            out.clear();
            let enough = before + (number as u64 + 1).saturating_sub(FILL_AHEAD);
            load.run_until("fill subjects", |now| now.accepted >= enough)?;
        }
    }
    let all = before + subjects as u64;
    load.run_until("fill subjects", |now| now.accepted >= all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// For each shape: every subject has a subscriber, and a round reaches every connection exactly once.
    #[test]
    fn a_round_reaches_every_connection_once() {
        for (connections, subjects) in [(15, 1), (15, 4), (15, 15), (15, 100), (15, 30), (1, 1), (1, 7)] {
            let shape = Shape { connections, subjects };
            let mut audience: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for connection in 0..connections {
                for subject in shape.subjects_of(connection) {
                    audience.entry(subject).or_default().push(connection);
                }
            }
            assert!(audience.keys().copied().eq(0..subjects), "{shape:?}");
            assert_eq!(audience.values().map(Vec::len).sum::<usize>(), shape.subscriptions());
            for (subject, connections) in &audience {
                assert_eq!(shape.audience(*subject), connections.len() as u64, "{shape:?} {subject}");
            }
            for round in 0..20 {
                let mut reached: Vec<usize> =
                    shape.round(round).flat_map(|it| audience[&it].clone()).collect();
                reached.sort_unstable();
                assert!(reached.into_iter().eq(0..connections), "{shape:?} round {round}");
            }
        }
    }
}
