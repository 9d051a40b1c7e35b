//! What kind of client it is: what it likes to do, and how fast it reads.

use sterna_model::Random;

use crate::op::Operation;
use crate::scenario::Scenario;

#[derive(Debug)]
pub(crate) struct Habits {
    /// What it does, by weight.
    pub(crate) operations: Vec<(u32, Operation)>,
    /// Its publishes can be recognised when they come again.
    pub(crate) stamps: bool,
    /// Publishes without a result at once, at most.
    pub(crate) outstanding_max: usize,
    /// Its subscriptions are conflated.
    pub(crate) conflates: bool,
    pub(crate) history: u32,
    pub(crate) read_us_per_kb: u64,
}

impl Habits {
    pub(crate) fn of(random: &mut Random, scenario: &Scenario) -> Self {
        let mut weight = |weights: &[u32]| random.pick(weights);
        let renew = if scenario.has_tokens { 2 } else { 0 };
        let operations = vec![
            (weight(&[0, 10, 40]), Operation::Publish),
            (weight(&[0, 0, 10]), Operation::PublishStandard),
            (weight(&[0, 0, 5]), Operation::PublishWithoutResult),
            (weight(&[2, 10]), Operation::Subscribe),
            (weight(&[0, 2, 10]), Operation::Unsubscribe),
            (weight(&[0, 2, 10]), Operation::Flurry),
            (weight(&[0, 2]), Operation::Read),
            (renew, Operation::Renew),
            (weight(&[0, 1]), Operation::Leave),
            (weight(&[0, 1]), Operation::Crash),
            (1, Operation::Ping),
        ];
        Self {
            operations,
            stamps: random.percent(80),
            outstanding_max: random.pick(&[1, 8, 64]),
            conflates: random.percent(20),
            history: random.pick(&[0, 0, 3, 1000]),
            read_us_per_kb: random.pick(&[0, 0, 0, 200, 20_000]),
        }
    }
}
