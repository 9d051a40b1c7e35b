//! Several requests for one subject in one breath: the last one wins.

use super::LONG;
use crate::client::Client;
use crate::stage::Stage;

impl Client {
    /// Subscribes and unsubscribes in turn, without waiting for an answer. All begin fresh: a client that does
    /// not wait does not know where it will be.
    pub(crate) fn flurry(&mut self, stage: &mut Stage) {
        let number = self.any_subject();
        let flood = number == LONG && self.random.percent(10);
        let count = self.random.between(2, if flood { 400 } else { 5 });
        let allowed = self.token.allows(number);
        let interest = self.interest(number);
        if !interest.asked.is_empty() || !allowed {
            return;
        }
        let mut ends = interest.active;
        for _ in 0..count {
            if ends {
                self.ask_for_end(stage, number);
            } else {
                self.ask(stage, number, None);
            }
            self.interest(number).wanted = !ends;
            // Now and then twice the same.
            ends = self.random.percent(80) != ends;
        }
    }
}
