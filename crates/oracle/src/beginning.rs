//! How a subscription begins: whether the promise fits the positions given with it.

use sterna_model::{Position, Recovery};

use crate::{Beginning, Fault};

impl Beginning {
    /// Whether the next messages are exactly those after the resume position.
    pub(crate) fn is_complete(&self) -> bool {
        self.recovery == Recovery::Complete
    }

    /// With a gap: the last position that the subscriber must not expect.
    pub(crate) fn last_missed(&self) -> Option<Position> {
        let resume = self.resume.filter(|_| self.recovery == Recovery::Gap)?;
        Some(self.missed.map_or(resume, |(_, to)| Position { epoch: resume.epoch, seq: to }))
    }

    pub(crate) fn check(&self) -> Result<(), Fault> {
        let unfit = |why| Err(Fault::RecoveryUnfit { why });
        let cut = self.cut;
        match (self.recovery, self.resume) {
            (Recovery::Fresh, None) => {}
            (Recovery::Fresh, Some(_)) => return unfit("fresh, although a position was given"),
            (_, None) => return unfit("resumed, although no position was given"),
            (Recovery::Reset, Some(resume)) if cut.epoch <= resume.epoch => {
                return unfit("reset, although the epoch is not a later one");
            }
            (Recovery::Reset, Some(_)) => {}
            (_, Some(resume)) if cut.epoch != resume.epoch => {
                return unfit("the epoch changed without a reset");
            }
            (_, Some(resume)) if cut < resume => return unfit("the cut lies before the resume position"),
            (Recovery::Complete | Recovery::Gap, Some(_)) => {}
        }
        match (self.recovery, self.resume, self.missed) {
            (_, _, None) => Ok(()),
            (Recovery::Gap, Some(resume), Some((from, to)))
                if from == resume.seq.next() && from <= to && to <= cut.seq =>
            {
                Ok(())
            }
            (Recovery::Gap, _, Some((from, to))) => Err(Fault::MissedUnfit { from, to }),
            _ => unfit("something missed without a gap"),
        }
    }
}
