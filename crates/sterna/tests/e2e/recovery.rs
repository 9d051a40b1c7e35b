//! Clients that are killed at any moment: every resume is complete, nothing is lost, doubled or out of order.
//!
//! Subscribers and publishers are threads whose connections are cut at random moments, also inside a handshake or a
//! message. What they see goes to the history checker (`crates/oracle`), which judges every single frame.

mod link;
mod publisher;
mod subscriber;
mod witness;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

use sterna_model::Random;
use sterna_oracle::Summary;

use crate::metrics::metric;
use crate::random;
use crate::support::{Member, eventually};
use publisher::Publisher;
use subscriber::{Style, Subscriber};
use witness::Witness;

const SUBJECTS: [&str; 4] = ["/kill/1", "/kill/2", "/kill/3", "/kill/4"];
const PUBLISHERS: u64 = 3;
/// How the subscribers subscribe; one thread each.
const STYLES: &[Style] = &[
    Style { events: false, history: 0, conflation_ms: 0 },
    Style { events: false, history: 0, conflation_ms: 0 },
    Style { events: false, history: 7, conflation_ms: 0 },
    Style { events: false, history: 1_000_000, conflation_ms: 0 },
    Style { events: false, history: 0, conflation_ms: 10 },
    Style { events: false, history: 3, conflation_ms: 40 },
    Style { events: true, history: 0, conflation_ms: 0 },
    Style { events: true, history: 5, conflation_ms: 0 },
    Style { events: true, history: 0, conflation_ms: 20 },
];

/// Connections of subscribers that are cut, together; `STERNA_E2E_KILLS` says how many.
fn kills() -> u64 {
    std::env::var("STERNA_E2E_KILLS")
        .map_or(1000, |kills| kills.parse().expect("STERNA_E2E_KILLS is a number"))
}

/// What all threads share.
struct Run<'a> {
    address: String,
    witness: &'a Witness,
    kills_left: AtomicU64,
    /// The subscribers have been killed often enough; nothing more is published.
    is_over: AtomicBool,
}

#[test]
fn killed_subscribers_resume_completely_under_load() {
    let member = Member::start(&["-DMaxCachedMessagesPerSubject=100000", "-DIoThreads=2"]);
    let kills = kills();
    let summary = kill_under_load(&member, kills);
    assert_eq!((summary.gaps, summary.resets), (0, 0), "every resume is complete: {summary:?}");
    assert!(summary.complete > kills / 10 && summary.delivered > 10 * kills, "{summary:?}");
    assert!(summary.duplicates > 0 && summary.unknown > 0, "publishers were killed and retried: {summary:?}");
}

#[test]
fn killed_subscribers_that_come_too_late_are_told_exactly_what_they_missed() {
    let member = Member::start(&["-DMaxCachedMessagesPerSubject=5", "-DIoThreads=2"]);
    let kills = kills() / 4;
    let summary = kill_under_load(&member, kills);
    assert!(summary.gaps > 20, "{summary:?}");
    assert_eq!(summary.resets, 0, "{summary:?}");
}

/// Kills that many connections of subscribers, and some of publishers; gives what the checker has seen.
fn kill_under_load(member: &Member, kills: u64) -> Summary {
    let mut random = Random::new(random::seed());
    let witness = Witness::default();
    let run = Run {
        address: member.address(),
        witness: &witness,
        kills_left: AtomicU64::new(kills),
        is_over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| {
                let publisher = Publisher::new(number, Random::new(random.next()));
                let run = &run;
                scope.spawn(move || publisher.publish_until_over(run))
            })
            .collect();
        let subscribers: Vec<_> = (0..)
            .zip(STYLES)
            .map(|(number, style)| {
                let mut subscriber = Subscriber::new(number, *style, Random::new(random.next()));
                let run = &run;
                scope.spawn(move || {
                    subscriber.live_and_die(run);
                    subscriber
                })
            })
            .collect();
        let subscribers: Vec<_> = subscribers
            .into_iter()
            .map(|thread| thread.join().expect("a subscriber does not panic"))
            .collect();
        run.is_over.store(true, Relaxed);
        for publisher in publishers {
            publisher.join().expect("a publisher does not panic");
        }
        // Nothing is under way any more. Whoever comes back now must get all that was ever accepted, and behind it
        // what is published last.
        let mut subscribers: Vec<_> =
            subscribers.into_iter().map(|subscriber| subscriber.come_back(&run)).collect();
        Publisher::new(PUBLISHERS, random).publish_last(&run);
        for (subscriber, link) in &mut subscribers {
            subscriber.hear_the_last(&run, link);
        }
    });
    // Who is gone leaves nothing behind.
    let left = ["connections{protocol=\"websocket\"}", "connections{protocol=\"sse\"}", "subscriptions"];
    eventually("the end of all sessions", || {
        left.iter().all(|name| metric(member, &format!("sterna_{name}")) == 0).then_some(())
    });
    let summary = witness.finish();
    println!("{kills} kills: {summary:?}");
    summary
}
