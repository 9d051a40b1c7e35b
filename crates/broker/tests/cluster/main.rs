//! Several cores in one thread: whatever is lost, late or sent twice, all members come to hold the same, and every
//! publish that was accepted is there once.
//!
//! `STERNA_SEEDS=5000` tries more seeds, `STERNA_SEED=17` only one.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

mod check;
mod client;
mod network;
mod story;
mod world;

use story::{Danger, Story};

/// Seeds of each kind, unless the environment asks for others.
const SEEDS: u64 = 60;

#[expect(clippy::disallowed_methods, reason = "asks which seeds")]
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("STERNA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STERNA_SEEDS").unwrap_or(SEEDS),
    }
}

fn tell(danger: Danger) {
    let mut installs = 0;
    for seed in seeds() {
        let told = std::panic::catch_unwind(|| Story::new(seed, danger).tell());
        match told {
            Ok(count) => installs += count,
            Err(panic) => {
                #[expect(clippy::print_stderr, reason = "says which seed to look at")]
                {
                    eprintln!("{danger:?}: STERNA_SEED={seed}");
                }
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(seeds().count() < 20 || installs > 0, "states were transferred");
}

#[test]
fn links_fail_and_nothing_is_lost() {
    tell(Danger::Links);
}

#[test]
fn members_lose_their_memory_one_at_a_time_and_nothing_is_lost() {
    tell(Danger::Members);
}

#[test]
fn a_majority_loses_its_memory_and_the_rest_agrees() {
    tell(Danger::Majority);
}
