//! A few members at one table, where every frame arrives at once and in order: for single rules, and for the cost.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::codec::encode;
use crate::frame::{Body, Frame, Round};
use crate::identity::{Level, Lineage, NodeId, Nonce, Slot};
use crate::input::Input;
use crate::output::{Output, Refusal};
use crate::replica::Replica;
use crate::sabotage::Sabotage;
use crate::settings::Settings;
use crate::status::Role;

const TICK_MS: u64 = 25;
const CHUNK_BYTES: usize = 100;

struct Table {
    now_ms: u64,
    /// Chunks that a state has.
    chunks: u64,
    members: Vec<Replica>,
    /// What the members wanted done, besides sending.
    outputs: Vec<(Slot, Output)>,
}

impl Table {
    fn new(seeds: u16, sabotage: Sabotage) -> Self {
        Self::with(seeds, |settings| settings.sabotage = sabotage)
    }

    fn with(seeds: u16, change: impl Fn(&mut Settings)) -> Self {
        let member = |slot: u16| {
            let nonce = Nonce(u128::from(slot) + 1);
            let mut settings = Settings::new(Slot(slot), nonce, u64::from(slot), seeds, seeds);
            change(&mut settings);
            Replica::new(settings, 0, 1_790_000_000_000).unwrap()
        };
        let members = (0..seeds).map(member).collect();
        let mut table = Self { now_ms: 0, chunks: 1, members, outputs: vec![] };
        for (own, other) in (0..seeds).flat_map(|own| (0..seeds).map(move |other| (own, other))) {
            table.input(Slot(own), Input::LinkUp { slot: Slot(other) });
        }
        table
    }

    /// The process of a slot dies, and another one takes its place.
    fn restart(&mut self, slot: Slot) {
        let member = &mut self.members[usize::from(slot.0)];
        let settings = Settings { nonce: Nonce(1_000), ..member.settings.clone() };
        *member = Replica::new(settings, self.now_ms, 1_790_000_000_000).unwrap();
        for other in (0..self.members.len() as u16).map(Slot).filter(|other| *other != slot) {
            self.input(other, Input::LinkDown { slot });
            self.input(slot, Input::LinkUp { slot: other });
            self.input(other, Input::LinkUp { slot });
        }
    }

    /// Gives an input to a member, and all frames that follow from it to all.
    fn input(&mut self, slot: Slot, input: Input) {
        let mut inputs = VecDeque::from([(slot, input)]);
        let mut outputs = Vec::new();
        while let Some((slot, input)) = inputs.pop_front() {
            self.members[usize::from(slot.0)].handle(self.now_ms, input, &mut outputs);
            for output in outputs.drain(..) {
                match output {
                    Output::Send { to, frame, .. } => {
                        inputs.push_back((to, Input::Frame { slot, bytes: frame }));
                    }
                    Output::ChunkWanted { transfer, number, .. } => {
                        let (last, bytes) =
                            (number + 1 == self.chunks, Bytes::from_static(&[7; CHUNK_BYTES]));
                        inputs.push_back((slot, Input::Chunk { transfer, number, last, bytes }));
                    }
                    other => self.outputs.push((slot, other)),
                }
            }
        }
    }

    fn tick(&mut self) {
        self.now_ms += TICK_MS;
        for slot in (0..self.members.len() as u16).map(Slot) {
            self.input(slot, Input::Tick);
        }
    }

    /// Lets time pass until somebody leads whom all have joined.
    fn settle(&mut self) -> Slot {
        for _ in 0..1000 {
            self.tick();
            if self.members.iter().all(|member| member.status().is_settled) {
                let leads = |member: &Replica| member.status().role == Role::Leader;
                let leader = self.members.iter().position(leads).expect("a settled cluster is led");
                return Slot(leader as u16);
            }
        }
        let statuses: Vec<_> = self.members.iter().map(Replica::status).collect();
        panic!("the members did not settle: {statuses:?}");
    }
}

#[test]
fn a_member_that_is_alone_founds_and_leads_at_its_first_tick_and_keeps_no_log() {
    let mut table = Table::new(1, Sabotage::None);
    table.input(Slot(0), Input::Tick);
    let status = table.members[0].status();
    assert!(status.role == Role::Leader && status.is_settled, "{status:?}");
    table.outputs.clear();
    for ticket in 1..=50 {
        let command = Bytes::from(vec![7; 1000]);
        let mut outputs = Vec::new();
        table.members[0].handle(0, Input::Propose { ticket, command: command.clone() }, &mut outputs);
        let [Output::Proposed { ticket: own, index, term }, applied] = &outputs[..] else {
            panic!("{outputs:?}");
        };
        assert_eq!(*own, ticket);
        let level = Level::FIRST;
        assert_eq!(*applied, Output::Apply { index: *index, term: *term, level, command });
    }
    assert_eq!(table.members[0].seat.as_ref().unwrap().engine.log_bytes(), 0);
}

#[test]
fn three_blank_members_settle_within_half_a_second() {
    let mut table = Table::new(3, Sabotage::None);
    table.settle();
    assert!(table.now_ms <= 500, "{} ms", table.now_ms);
}

/// Whether a follower that has promised something takes part again when it hears its leader.
fn goes_on_after_a_promise(sabotage: Sabotage) -> bool {
    let mut table = Table::new(3, Sabotage::None);
    let leader = table.settle();
    let [follower, founder] = [1, 2].map(|add| Slot((leader.0 + add) % 3));
    let member = &mut table.members[usize::from(follower.0)];
    member.settings.sabotage = sabotage;
    let (lineage, node) = member.place();
    let nonce = member.peers.nonce(founder).unwrap();
    let ask = Body::Ask { round: Round::Promise, number: Lineage(lineage.0 + 1), nonce };
    let frame = encode(&Frame { lineage, from: NodeId::NONE, to: node, body: ask });
    let mut outputs = Vec::new();
    member.handle(table.now_ms + 10_000, Input::Frame { slot: founder, bytes: frame }, &mut outputs);
    assert!(member.is_frozen());
    table.now_ms += 10_000;
    table.settle();
    table.members[usize::from(follower.0)].place() == (lineage, node)
}

#[test]
fn a_promise_that_was_not_confirmed_ends_with_the_leaders_word() {
    assert!(goes_on_after_a_promise(Sabotage::None));
    assert!(!goes_on_after_a_promise(Sabotage::SkipConfirm), "the broken rule is noticed");
}

#[test]
fn a_state_arrives_although_the_log_grows_by_more_than_its_tail_meanwhile() {
    let mut table = Table::with(3, |settings| {
        settings.log_tail_bytes_max = 20 * CHUNK_BYTES;
        settings.transfer_bytes_per_tick = CHUNK_BYTES;
    });
    table.chunks = 50;
    let leader = table.settle();
    let newcomer = Slot((leader.0 + 1) % 3);
    table.restart(newcomer);
    table.outputs.clear();
    let mut ticks = 0;
    while !table.members[usize::from(newcomer.0)].status().is_settled {
        ticks += 1;
        assert!(ticks < 4 * table.chunks, "{:?}", table.members[usize::from(newcomer.0)].status());
        let command = Bytes::from_static(&[7; CHUNK_BYTES]);
        table.input(leader, Input::Propose { ticket: ticks, command });
        table.tick();
    }
    let count =
        |wanted: fn(&Output) -> bool| table.outputs.iter().filter(|(_, output)| wanted(output)).count();
    assert_eq!(count(|output| matches!(output, Output::InstallBegun)), 1);
    assert!(count(|output| matches!(output, Output::Refused { refusal: Refusal::Busy, .. })) > 10);
    assert!(count(|output| matches!(output, Output::Proposed { .. })) > 5);
}

/// What a proposal costs all three members together, from `Propose` to the last `Apply`.
#[test]
#[ignore = "measures; needs --release --nocapture"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn cost_of_a_proposal() {
    const COUNT: u64 = 200_000;
    for seeds in [1, 3] {
        let mut table = Table::new(seeds, Sabotage::None);
        let leader = table.settle();
        let start = std::time::Instant::now();
        for ticket in 0..COUNT {
            table.input(leader, Input::Propose { ticket, command: Bytes::from_static(&[7; 200]) });
            table.outputs.clear();
        }
        println!("{seeds} members: {:?} for each proposal", start.elapsed() / COUNT as u32);
    }
}
