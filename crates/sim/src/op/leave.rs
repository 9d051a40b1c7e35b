//! Going: in good order, or without a word and without a memory.

use crate::client::{Client, Line};
use crate::judge::Judge;
use crate::stage::Stage;

impl Client {
    /// Closes its connection; what is under way is lost to it. Comes back and resumes.
    pub(crate) fn leave(&mut self, stage: &mut Stage, judge: &mut Judge) {
        self.hang_up(stage);
        self.on_end(stage, judge);
    }

    /// Loses all it knows, and begins anew.
    pub(crate) fn crash(&mut self, stage: &mut Stage, judge: &mut Judge) {
        self.leave(stage, judge);
        self.outstanding.clear();
        for interest in &mut self.interests {
            interest.position = None;
            interest.wanted = self.random.percent(50);
        }
    }

    /// Closes its connection and does not come back.
    pub(crate) fn go(&mut self, stage: &mut Stage, judge: &mut Judge) {
        self.leave(stage, judge);
        self.line = Line::Gone;
    }
}
