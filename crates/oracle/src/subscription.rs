//! The subscriber's side: what may arrive next at one subscriber of one subject.
//!
//! A subscription first replays the past up to the cut, then goes live. A *complete* one replays exactly what
//! follows the resume position. Any other one may replay the snapshot and the end of the history, and lives
//! on from the cut.

use std::collections::BTreeSet;

use sterna_model::{Epoch, Kind, Position, Qos};

use crate::order::Order;
use crate::{Beginning, ContentId, Delivery, Fault, SubscriberId};

#[derive(Debug)]
pub(crate) struct Subscription {
    subscriber: SubscriberId,
    beginning: Beginning,
    connected: bool,
    live: bool,
    /// The live flow goes on after this position.
    at: Position,
    /// First and last of the messages without a hole that arrived since the beginning, the snapshot left out.
    run: Option<(Position, Position)>,
    /// Guaranteed snapshot that arrived since the beginning.
    snapshot: Option<Position>,
    /// Standard messages that arrived while at the present position.
    standard: BTreeSet<ContentId>,
}

impl Subscription {
    /// Begins a subscription, perhaps in the place of the subscriber's previous one.
    pub(crate) fn begin(
        subscriber: SubscriberId,
        beginning: Beginning,
        previous: Option<&Self>,
    ) -> Result<Self, Fault> {
        beginning.check()?;
        if let (Some(previous), Some(resume)) = (previous, beginning.resume) {
            let (earliest, latest) = previous.place();
            if resume < earliest || resume > latest {
                return Err(Fault::ResumedElsewhere { subscriber, resume, earliest, latest });
            }
        }
        let resumed = beginning.resume.filter(|_| beginning.is_complete());
        Ok(Self {
            subscriber,
            beginning,
            connected: true,
            live: false,
            at: resumed.unwrap_or(beginning.cut),
            run: None,
            snapshot: None,
            standard: BTreeSet::new(),
        })
    }

    /// The epoch in which it goes on live.
    pub(crate) fn epoch(&self) -> Epoch {
        self.beginning.cut.epoch
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(crate) fn disconnect(&mut self) {
        self.connected = false;
    }

    /// Where the subscriber is: the last message it has, and the last one it has or must not expect. It may
    /// resume from either and from anywhere between.
    fn place(&self) -> (Position, Position) {
        if self.live || self.beginning.is_complete() {
            return (self.at, self.at);
        }
        let replayed = self.run.map(|(_, last)| last).or(self.snapshot);
        (replayed.unwrap_or_default(), self.at)
    }

    pub(crate) fn deliver(
        &mut self,
        delivery: &Delivery,
        may_repeat: bool,
        order: &Order,
    ) -> Result<(), Fault> {
        let position = delivery.position;
        if delivery.kind == Kind::Snapshot {
            self.check_snapshot(delivery, order)?;
        }
        match (delivery.qos, delivery.kind) {
            (Qos::Standard, Kind::Update | Kind::Snapshot) => {
                self.deliver_standard(delivery, may_repeat, order)
            }
            (Qos::Standard, kind) => Err(self.unfit(kind, position)),
            (Qos::Guaranteed, Kind::Snapshot) => self.deliver_snapshot(position),
            (Qos::Guaranteed, Kind::Historical) => self.deliver_historical(position),
            (Qos::Guaranteed, kind) => self.deliver_next(kind, position, order),
        }
    }

    /// A recovered message or an update.
    fn deliver_next(&mut self, kind: Kind, position: Position, order: &Order) -> Result<(), Fault> {
        let replaying = self.beginning.is_complete() && position <= self.beginning.cut;
        let fit = if replaying { Kind::Recovered } else { Kind::Update };
        if kind != fit {
            return Err(self.unfit(kind, position));
        }
        self.check_replay(order)?;
        self.check_follows(self.at, position)?;
        self.live |= kind == Kind::Update;
        self.at = position;
        self.extend_run(position);
        self.standard.clear();
        Ok(())
    }

    fn deliver_historical(&mut self, position: Position) -> Result<(), Fault> {
        let beginning = &self.beginning;
        if beginning.is_complete() || self.live || position > beginning.cut {
            return Err(self.unfit(Kind::Historical, position));
        }
        if beginning.last_missed().is_some_and(|missed| position <= missed) {
            return Err(Fault::MissedDelivered { position });
        }
        match self.run {
            // History may reach back into an earlier epoch.
            Some((_, last)) if position.epoch > last.epoch => {}
            Some((_, last)) => self.check_follows(last, position)?,
            None => {}
        }
        self.extend_run(position);
        Ok(())
    }

    fn deliver_snapshot(&mut self, position: Position) -> Result<(), Fault> {
        let beginning = &self.beginning;
        let first = !self.live && self.run.is_none() && self.snapshot.is_none();
        if beginning.is_complete() || !first || position > beginning.cut {
            return Err(self.unfit(Kind::Snapshot, position));
        }
        self.snapshot = Some(position);
        Ok(())
    }

    /// A standard message carries the position of the guaranteed message before it, and so comes after that.
    fn deliver_standard(
        &mut self,
        delivery: &Delivery,
        may_repeat: bool,
        order: &Order,
    ) -> Result<(), Fault> {
        let Delivery { kind, position, content, .. } = *delivery;
        let subscriber = self.subscriber;
        let replaying = !self.live && !self.beginning.is_complete();
        let at = match self.run {
            Some((_, last)) if kind == Kind::Snapshot && replaying => last,
            _ => self.at,
        };
        // The snapshot of a replay without history stands alone, anywhere before the cut.
        let alone = kind == Kind::Snapshot && replaying && self.run.is_none() && position <= at;
        if kind == Kind::Update {
            self.check_replay(order)?;
        }
        if position < at && !alone && !reaches(position, at) {
            return Err(Fault::WentBack { subscriber, position, at });
        }
        if position > at && !reaches(at, position) {
            if !self.beginning.conflated {
                return Err(Fault::Hole { subscriber, expected: after(at) });
            }
            self.at = position;
            self.standard.clear();
        }
        if !self.standard.insert(content) && !may_repeat {
            return Err(Fault::Duplicate { subscriber, position });
        }
        Ok(())
    }

    fn check_snapshot(&self, delivery: &Delivery, order: &Order) -> Result<(), Fault> {
        let Delivery { position, content, retained, .. } = *delivery;
        if !retained {
            return Err(Fault::SnapshotNotRetained { content });
        }
        let newer = order.last_retained;
        // Of an earlier epoch a later message may be lost; that the epoch changed says so.
        let is_promised = newer <= self.beginning.cut && newer.epoch == self.beginning.cut.epoch;
        if position < newer && is_promised {
            return Err(Fault::SnapshotStale { subscriber: self.subscriber, position, newer });
        }
        Ok(())
    }

    fn check_follows(&self, previous: Position, position: Position) -> Result<(), Fault> {
        let subscriber = self.subscriber;
        if position <= previous {
            let had = self.run.is_some_and(|(first, last)| first <= position && position <= last);
            let twice = if self.beginning.conflated { position == previous } else { had };
            return Err(if twice {
                Fault::Duplicate { subscriber, position }
            } else {
                Fault::WentBack { subscriber, position, at: previous }
            });
        }
        if position.epoch != previous.epoch {
            return Err(Fault::EpochUnannounced { subscriber, at: previous, position });
        }
        if position != after(previous) && !self.beginning.conflated {
            return Err(Fault::Hole { subscriber, expected: after(previous) });
        }
        Ok(())
    }

    /// When something live arrives: whether the replay has reached the cut, and after a gap, whether it has
    /// brought all that was not said to be missed. (A complete replay needs no such check: its messages are
    /// checked one after the other.)
    fn check_replay(&self, order: &Order) -> Result<(), Fault> {
        let beginning = &self.beginning;
        if self.live || beginning.is_complete() || beginning.conflated {
            return Ok(());
        }
        let hole = |expected| Err(Fault::Hole { subscriber: self.subscriber, expected });
        let mut replayed_from = match self.run {
            Some((_, last)) if !reaches(last, beginning.cut) => return hole(after(last)),
            Some((first, _)) => first,
            None => after(beginning.cut),
        };
        if let Some(snapshot) = self.snapshot.filter(|snapshot| after(*snapshot) == replayed_from) {
            replayed_from = snapshot;
        }
        match beginning.last_missed() {
            // Of a subject that was forgotten the server cannot tell what is lost.
            Some(_) if beginning.missed.is_none() && order.may_be_forgotten => Ok(()),
            Some(missed) if replayed_from > after(missed) => hole(after(missed)),
            _ => Ok(()),
        }
    }

    /// At the end of the test: whether a subscriber that is still there has got everything.
    pub(crate) fn check_end(&self, order: &Order) -> Result<(), Fault> {
        if !self.connected {
            return Ok(());
        }
        self.check_replay(order)?;
        let last = order.last.max(self.beginning.cut);
        if self.at < last {
            return Err(Fault::Lost { subscriber: self.subscriber, at: self.at, last });
        }
        Ok(())
    }

    fn extend_run(&mut self, position: Position) {
        self.run = Some((self.run.map_or(position, |(first, _)| first), position));
    }

    fn unfit(&self, kind: Kind, position: Position) -> Fault {
        Fault::KindUnfit { subscriber: self.subscriber, kind, position }
    }
}

/// Whether a message is the last one before a cut. Messages that a new epoch has saved keep the positions that they had,
/// and the seqs go on from them.
fn reaches(last: Position, cut: Position) -> bool {
    last == cut || (last.epoch < cut.epoch && last.seq == cut.seq)
}

fn after(position: Position) -> Position {
    Position { seq: position.seq.next(), ..position }
}
