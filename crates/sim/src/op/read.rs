//! One-time questions: what a subscription that ends at once would see.

use std::sync::Arc;

use sterna_broker::core::{Cut, Reading};
use sterna_model::{Kind, Position, Record, Subject};
use sterna_oracle::{Beginning, Observation, SubscriberId};

use super::deliver::delivery;
use super::subject;
use crate::client::Client;
use crate::judge::Judge;
use crate::network::Upward;
use crate::stage::Stage;

/// Numbers of one-time readers begin behind those of the clients.
const FIRST_READER: u64 = 1_000_000;

impl Client {
    pub(crate) fn read_once(&mut self, stage: &mut Stage) {
        let number = self.any_subject();
        // In the server each question has a connection of its own: only where none waits are they answered in order.
        if stage.scenario.cluster.members > 1 && !self.reads.is_empty() {
            return;
        }
        let choice = self.random.below(3);
        let reading = match (choice, self.interest(number).position) {
            (0, Some(position)) if stage.scenario.may_resume() => Reading::After(position),
            (1, _) => Reading::History(5),
            _ => Reading::Snapshot,
        };
        self.reads.push_back((number, reading));
        self.send(stage, Upward::Read(subject(number), reading));
    }

    pub(crate) fn on_answer(
        &mut self,
        stage: &mut Stage,
        judge: &mut Judge,
        name: &Subject,
        cut: Cut,
        messages: &[(Kind, Arc<Record>)],
    ) {
        let asked = self.reads.pop_front();
        let Some((number, reading)) = asked.filter(|(number, _)| subject(*number) == *name) else {
            judge.protocol(format!("client {}: an answer about {name}, asked {asked:?}", self.id.0));
            return;
        };
        stage.tally.reads += 1;
        let resume: Option<Position> = match reading {
            Reading::After(position) => Some(position),
            Reading::History(_) | Reading::Snapshot => None,
        };
        let subscriber = SubscriberId(FIRST_READER + judge.new_read());
        let subject = subject(number);
        let Cut { recovery, position: cut, missed } = cut;
        let beginning = Beginning { resume, recovery, cut, missed, conflated: false };
        judge.observe(Observation::Subscribed { subscriber, subject: subject.clone(), beginning });
        for (kind, record) in messages {
            let delivery = delivery(*kind, record);
            judge.observe(Observation::Delivered { subscriber, subject: subject.clone(), delivery });
        }
        judge.observe(Observation::Disconnected { subscriber, subject });
    }
}
