//! Many seeds are good, each the same every time; and when a rule is broken on purpose, it is noticed.

use sterna_sim::{Failure, Options, Report, Sabotage, Tally, run};

/// Seeds that once failed or that meet something rare: `seed # why`.
const KEPT: &str = include_str!("../seeds.txt");

/// Seeds of a sabotage, at most.
const SABOTAGE_SEEDS: u64 = 60;

fn good(seeds: impl IntoIterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let report = run(seed, Options::default());
        assert!(report.failure.is_none(), "{report}");
        tally += report.tally;
    }
    tally
}

/// Everything that can happen does happen in so many seeds. (What happens in one of a hundred is in `seeds.txt`.)
#[test]
fn many_seeds_are_good_and_meet_everything() {
    let tally = good(1..=300);
    let rare = ["forgotten", "overruns", "pauses"];
    for (name, count) in tally.counts() {
        assert!(count >= 20 || rare.contains(&name), "{name}: {count} in {tally}");
    }
}

#[test]
fn more_seeds_are_good() {
    good(1_000_001..=1_000_300);
}

#[test]
fn kept_seeds_are_good_and_meet_what_is_rare() {
    let lines = KEPT.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let seeds = lines.filter(|line| !line.is_empty()).map(|line| line.parse().expect("a seed"));
    let tally = good(seeds);
    assert!(tally.overruns >= 3 && tally.forgotten >= 3 && tally.pauses >= 3, "{tally}");
}

#[test]
fn a_seed_is_the_same_every_time() {
    for seed in 1..=5 {
        let plain = run(seed, Options::default());
        let traced = run(seed, Options { trace: true, ..Options::default() });
        assert_eq!((plain.digest, plain.tally), (traced.digest, traced.tally), "seed {seed}");
        assert!(plain.trace.is_empty() && traced.trace.len() > 100);
        assert_ne!(plain.digest, run(seed + 1, Options::default()).digest);
    }
}

/// The first report of a sabotage that failed.
fn caught(sabotage: Sabotage) -> Report {
    let options = Options { sabotage: Some(sabotage), ..Options::default() };
    let mut reports = (1..=SABOTAGE_SEEDS).map(|seed| run(seed, options));
    reports.find(|report| report.failure.is_some()).unwrap_or_else(|| panic!("{sabotage:?} goes unnoticed"))
}

macro_rules! sabotages {
    ($($test:ident $sabotage:ident $says:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let report = caught(Sabotage::$sabotage);
                let told = report.to_string();
                assert!(matches!(report.failure, Some(Failure::Oracle(_) | Failure::Protocol(_))), "{told}");
                assert!(told.contains($says), "{told}");
                assert!(told.contains(&format!("--seed {}", report.seed)), "{told}");
            }
        )*

        #[test]
        fn every_sabotage_is_tried() {
            assert_eq!(Sabotage::ALL, [$(Sabotage::$sabotage),*]);
        }
    };
}

sabotages! {
    a_dropped_delivery_is_noticed DropDelivery "without having been told";
    a_repeated_delivery_is_noticed RepeatDelivery "";
    swapped_deliveries_are_noticed SwapDeliveries "";
    an_invented_message_is_noticed Invent "was invented";
    a_gap_called_complete_is_noticed GapAsComplete "without having been told";
    a_reset_called_complete_is_noticed ResetAsComplete "without a reset";
    a_recovered_message_left_out_is_noticed DropRecovered "without having been told";
    a_stale_snapshot_is_noticed StaleSnapshot "was retained after it";
    a_retry_that_is_not_recognised_is_noticed ForgetDedup "was doubled";
    a_first_try_called_a_duplicate_is_noticed CallDuplicate "published only once";
    a_refusal_answered_with_ok_is_noticed AcknowledgeRefused "";
    a_lost_publish_answered_with_ok_is_noticed AcknowledgeLost "";
    publishes_in_the_wrong_order_are_noticed SwapPublishes "out of the order";
}
