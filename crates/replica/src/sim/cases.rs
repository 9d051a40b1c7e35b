//! Runs of the simulator as tests.

use super::world::{Options, Report, World};
use super::{Profile, Sabotage};

const PLAIN: Options = Options { profile: Profile::Rough, sabotage: Sabotage::None, is_traced: false };

fn run(seed: u64, profile: Profile) -> Report {
    World::run(seed, Options { profile, ..PLAIN })
}

fn check(seeds: std::ops::Range<u64>, profile: Profile) {
    let mut sum = Report::default();
    for seed in seeds {
        let report = run(seed, profile);
        assert!(report.violations.is_empty(), "{:#?}", report.violations);
        sum.lineages += report.lineages;
        sum.committed += report.committed;
        sum.acknowledged += report.acknowledged;
        sum.lost += report.lost;
        sum.deaths += report.deaths;
        sum.replaced += report.replaced;
        sum.installs += report.installs;
    }
    println!("{sum:?}");
}

#[test]
fn gentle_faults_never_end_a_lineage() {
    check(0..30, Profile::Gentle);
}

#[test]
fn rough_faults_lose_nothing_that_a_majority_holds() {
    check(0..30, Profile::Rough);
}

#[test]
fn a_seed_repeats_its_run_bit_by_bit() {
    for seed in 0..5 {
        assert_eq!(run(seed, Profile::Rough), run(seed, Profile::Rough));
    }
}

/// For looking at one seed, and for many: `SEED=7 PROFILE=rough cargo test ... one_seed -- --ignored --nocapture`.
#[test]
#[ignore = "for use by hand"]
#[expect(clippy::disallowed_methods, reason = "the seed comes from the command line")]
fn one_seed() {
    let variable = |name: &str| std::env::var(name).ok();
    let profile = match variable("PROFILE").as_deref() {
        Some("gentle") => Profile::Gentle,
        _ => Profile::Rough,
    };
    let seed: u64 = variable("SEED").and_then(|text| text.parse().ok()).unwrap_or(0);
    let count: u64 = variable("COUNT").and_then(|text| text.parse().ok()).unwrap_or(1);
    if count == 1 {
        let report = World::run(seed, Options { profile, is_traced: true, ..PLAIN });
        println!("{}\n{:?}", report.trace, report.violations);
        return;
    }
    let mut bad = 0;
    let (mut lineages, mut lost, mut acknowledged, mut deaths, mut replaced) = (0, 0, 0, 0, 0);
    for seed in seed..seed + count {
        let report = run(seed, profile);
        lineages += report.lineages;
        lost += report.lost;
        acknowledged += report.acknowledged;
        deaths += report.deaths;
        replaced += report.replaced;
        if !report.violations.is_empty() {
            bad += 1;
            println!("{:?}", report.violations);
        }
    }
    println!(
        "{bad} of {count} bad; {lineages} lineages, {acknowledged} acknowledged, {lost} lost, {deaths} deaths, {replaced} replaced"
    );
    assert_eq!(bad, 0);
}
