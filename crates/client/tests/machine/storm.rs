//! Whatever happens in whatever order: every publish gets exactly one result, and nothing is left waiting.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use sterna_client::machine::Effect;
use sterna_client::{Event, Published};

use crate::scene::{Scene, published, refused, settings};

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    /// The server answers the oldest frame it has.
    Accept,
    RefuseBusy,
    RefuseForGood,
    RefuseUnavailable,
    GoingAway,
    Lose,
    /// The transport opens what it was asked for.
    Join,
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Publish),
        4 => Just(Step::Accept),
        1 => Just(Step::RefuseBusy),
        1 => Just(Step::RefuseForGood),
        1 => Just(Step::RefuseUnavailable),
        1 => Just(Step::GoingAway),
        2 => Just(Step::Lose),
        3 => Just(Step::Join),
        3 => (1_u64..3_000).prop_map(Step::Advance),
    ]
}

/// The server's side: requests that it has and did not answer.
#[derive(Default)]
struct Server {
    opening: bool,
    pending: Vec<u64>,
}

impl Server {
    fn take(&mut self, scene: &mut Scene) {
        while let Some(effect) = scene.machine.poll_effect() {
            match effect {
                Effect::Open(_) => self.opening = true,
                Effect::Close => self.pending.clear(),
                Effect::Send(frame) => {
                    let text = String::from_utf8(frame).unwrap();
                    if let Some((_, rest)) = text.split_once(r#""op":"publish","id":"#) {
                        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                        self.pending.push(digits.parse().unwrap());
                    }
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn every_publish_gets_exactly_one_result(steps in vec(step(), 1..200)) {
        let mut scene = Scene::connected_with(settings(&["a:1", "b:2"]));
        let mut server = Server::default();
        let mut results: BTreeMap<u64, u32> = BTreeMap::new();
        let mut seq = 0;
        let wind_down = [Step::Advance(30_000)];
        for step in steps.iter().chain(&wind_down) {
            let oldest = (!server.pending.is_empty()).then_some(0);
            match (*step, oldest) {
                (Step::Publish, _) => {
                    if let Ok(publisher_seq) = scene.machine.publish(crate::scene::message("/a", "x"), scene.now_ms) {
                        results.insert(publisher_seq, 0);
                    }
                }
                (Step::Accept, Some(at)) => {
                    seq += 1;
                    scene.frame(&published(server.pending.remove(at), seq));
                }
                (Step::RefuseBusy, Some(at)) => {
                    scene.frame(&refused(server.pending.remove(at), "FAILED", 4200, "memory_full"));
                }
                (Step::RefuseForGood, Some(at)) => {
                    scene.frame(&refused(server.pending.remove(at), "FAILED", 4009, "content_empty"));
                }
                (Step::RefuseUnavailable, Some(at)) => {
                    scene.frame(&refused(server.pending.remove(at), "FAILED", 4303, "no_quorum"));
                }
                (Step::GoingAway, _) => {
                    scene.frame(r#"{"op":"notice","notice":"going_away","reconnect_after_ms":500,"servers":[]}"#);
                }
                (Step::Lose, _) => {
                    server.opening = false;
                    server.pending.clear();
                    scene.lose();
                }
                (Step::Join, _) if server.opening => {
                    server.opening = false;
                    scene.join();
                }
                (Step::Advance(ms), _) => scene.advance(ms),
                _ => {}
            }
            server.take(&mut scene);
            while let Some(event) = scene.machine.poll_event() {
                if let Event::Published(Published { publisher_seq, .. }) = event {
                    *results.get_mut(&publisher_seq).unwrap() += 1;
                }
            }
        }
        prop_assert!(results.values().all(|count| *count == 1), "{:?}", results);
        prop_assert_eq!(scene.machine.unanswered(), 0);
    }
}
