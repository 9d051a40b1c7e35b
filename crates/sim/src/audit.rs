//! The last look: every member is asked about every subject, and all must know the same.

use sterna_broker::core::{Effect, Event, Outputs, Reading};
use sterna_model::{ConnectionId, Position, ShardId};
use sterna_oracle::{Beginning, Observation, SubscriberId};

use crate::judge::Failure;
use crate::member::MemberId;
use crate::op::deliver::delivery;
use crate::op::subject;
use crate::world::World;

/// Numbers of auditors begin behind those of the clients' one-time readers.
const FIRST_AUDITOR: u64 = 1_000_000_000;

impl World {
    /// Everything is settled: what does each member know?
    pub(crate) fn audit(&mut self) {
        for number in 0..self.stage.scenario.subjects {
            let mut ends: Vec<(MemberId, Position)> = Vec::new();
            for member in self.stage.members() {
                ends.extend(self.read(member, number, Reading::Snapshot).map(|end| (member, end)));
                self.read(member, number, Reading::History(u32::MAX));
            }
            let differ = ends.windows(2).any(|pair| pair[0].1 != pair[1].1);
            if differ && self.stage.scenario.is_continuous() {
                self.judge
                    .fail(Failure::Unsettled(format!("members differ about subject {number}: {ends:?}")));
            }
        }
    }

    /// Asks a member, and tells the oracle what it answers as if that were a subscription that stays to the end.
    fn read(&mut self, member: MemberId, number: u32, reading: Reading) -> Option<Position> {
        let now = self.now(member);
        let running = self.members[usize::from(member.0)].running_mut()?;
        let to = ConnectionId { shard: ShardId(0), index: u32::MAX, generation: 0 };
        let name = subject(number);
        let mut out = Outputs::default();
        running.core.handle(now, Event::Read { to, name, reading }, &mut out);
        let mut answer = None;
        let rest = std::mem::take(&mut out.effects).into_iter().filter_map(|effect| match effect {
            Effect::Answer { cut, messages, .. } => {
                answer = Some((cut, messages));
                None
            }
            Effect::ReadRefused { .. } => None,
            other => Some(other),
        });
        out.effects = rest.collect();
        running.send(&mut self.stage, &mut out);
        let Some((cut, messages)) = answer else {
            let what = format!("member {} does not answer about subject {number}", member.0);
            self.judge.fail(Failure::Unsettled(what));
            return None;
        };
        let subscriber = SubscriberId(FIRST_AUDITOR + self.judge.new_read());
        let beginning = Beginning {
            resume: None,
            recovery: cut.recovery,
            cut: cut.position,
            missed: cut.missed,
            conflated: false,
        };
        self.judge.observe(Observation::Subscribed { subscriber, subject: subject(number), beginning });
        for (kind, record) in &messages {
            let delivery = delivery(*kind, record);
            self.judge.observe(Observation::Delivered { subscriber, subject: subject(number), delivery });
        }
        Some(cut.position)
    }
}
