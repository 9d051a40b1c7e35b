//! The one order of a subject: which message is where, as far as any client has seen.

use std::collections::BTreeMap;

use sterna_model::{Epoch, Position, Seq};

use crate::publication::Publication;
use crate::{ContentId, Fault};

/// Places of a subject's guaranteed messages. Position 0:0 stands for "none yet".
#[derive(Debug, Default)]
pub(crate) struct Order {
    placed: BTreeMap<Position, ContentId>,
    epochs: BTreeMap<Epoch, Span>,
    /// Highest place of a message.
    pub(crate) last: Position,
    /// Highest place of a retained message.
    pub(crate) last_retained: Position,
    /// Highest position that has certainly passed: a message's, or a cut.
    pub(crate) past: Position,
    /// The server may forget the subject while it is empty, and begin again with a later seq.
    pub(crate) may_be_forgotten: bool,
}

/// Known seqs of one epoch.
#[derive(Debug)]
struct Span {
    first: Seq,
    last: Seq,
    known: u64,
}

impl Order {
    /// A client has seen the message in this place.
    pub(crate) fn place(
        &mut self,
        content: ContentId,
        publication: &mut Publication,
        position: Position,
    ) -> Result<(), Fault> {
        match self.placed.get(&position) {
            Some(first) if *first == content => return Ok(()),
            Some(first) => return Err(Fault::PositionTaken { position, first: *first, second: content }),
            None => {}
        }
        if position.seq == Seq(0) {
            return Err(Fault::PositionUnfit { content });
        }
        if position <= publication.past {
            return Err(Fault::PlacedInThePast { content, position, past: publication.past });
        }
        if let Some(first) = publication.position {
            // The lineage that knew the earlier place is gone, and with it the memory of the publish: what was on its way
            // may arrive again, unless the later one has saved it. (A slow subscriber may see the earlier place after
            // others have seen the later one.)
            let forgotten = position.epoch != first.epoch && !publication.saved_in.contains(&position.epoch);
            if !forgotten {
                return Err(Fault::Doubled { content, first, second: position });
            }
        }
        publication.position = publication.position.max(Some(position));
        self.placed.insert(position, content);
        self.epochs.entry(position.epoch).or_insert_with(|| Span::from(position.seq)).add(position.seq);
        self.last = self.last.max(position);
        self.past = self.past.max(position);
        if publication.retained {
            self.last_retained = self.last_retained.max(position);
        }
        Ok(())
    }

    /// Epochs in which a client has seen a message.
    pub(crate) fn epochs(&self) -> u64 {
        self.epochs.len() as u64
    }

    /// Seqs between the first and the last of each epoch that nobody has seen.
    pub(crate) fn missing(&self) -> u64 {
        if self.may_be_forgotten {
            return 0;
        }
        self.epochs.values().map(|span| span.last.0 - span.first.0 + 1 - span.known).sum()
    }
}

impl Span {
    fn from(seq: Seq) -> Self {
        Self { first: seq, last: seq, known: 0 }
    }

    fn add(&mut self, seq: Seq) {
        self.first = self.first.min(seq);
        self.last = self.last.max(seq);
        self.known += 1;
    }
}
