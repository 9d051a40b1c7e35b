//! Every order of crashes, lost messages, elections, replacements and formations, within bounds, on three seed slots: a
//! model around the crate's own rule of formation (`verdict`). Messages may take any time, so a partition is nothing
//! but messages that do not come.

mod member;
mod step;
mod world;

use stateright::{Checker, Model, Property};

use step::Step;
use world::{Bounds, Rule, World};

/// What is explored.
struct Formation {
    start: World,
}

impl Model for Formation {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![self.start.clone()]
    }

    fn actions(&self, _: &World, steps: &mut Vec<Step>) {
        steps.extend(Step::all());
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        (world.violation.is_none() && next.take(step)).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing that must not be", |_, world: &World| world.violation.is_none()),
            Property::always("nobody acts below its word", |_, world: &World| {
                world.members.iter().all(|one| one.lineage == 0 || one.lineage >= one.floor)
            }),
        ]
    }
}

/// Explores all: how many states there are, and by which steps something was violated.
fn explore(start: World) -> (usize, Option<String>) {
    let checker = Formation { start }.checker().threads(2).spawn_bfs().join();
    let found = checker.discoveries().into_values().next();
    let told = found.map(|path| {
        let violation = path.last_state().violation;
        format!("{violation:?} by {:?}", path.into_actions())
    });
    (checker.unique_state_count(), told)
}

const SMALL: Bounds = Bounds { crashes: 2, formations: 1, writes: 1, elections: 1, replacements: 1 };

#[test]
fn a_lineage_is_followed_safely() {
    let (states, found) = explore(World::working(SMALL, Rule::AsItIs));
    println!("{states} states");
    assert_eq!(found, None);
}

#[test]
fn blank_members_begin_safely() {
    let bounds = Bounds { crashes: 1, formations: 2, replacements: 0, ..SMALL };
    let (states, found) = explore(World::blank(bounds, Rule::AsItIs));
    println!("{states} states");
    assert_eq!(found, None);
}

#[test]
fn broken_rules_are_noticed() {
    let bounds = Bounds { crashes: 1, formations: 1, writes: 2, elections: 1, replacements: 0 };
    for rule in [Rule::WrongQuorum, Rule::FormOnSilence] {
        let (states, found) = explore(World::working(bounds, rule));
        println!("{rule:?}: {found:?} after {states} states");
        assert!(found.is_some(), "{rule:?}");
    }
}

/// Two formations after each other, and more of everything.
#[test]
#[ignore = "takes minutes and gigabytes"]
fn a_lineage_is_followed_safely_twice() {
    let bounds = Bounds { crashes: 2, formations: 2, writes: 2, elections: 2, replacements: 1 };
    let (states, found) = explore(World::working(bounds, Rule::AsItIs));
    println!("{states} states");
    assert_eq!(found, None);
}
