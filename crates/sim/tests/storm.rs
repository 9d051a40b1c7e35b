//! Many seeds are good, each the same every time; and when a rule is broken on purpose, it is noticed.

use sterna_sim::{Failure, Options, Report, Sabotage, Tally, Trim, run};

/// Seeds that once failed or that meet something rare: `seed members # why`; 1 member if not said, as the seed decides if 0.
const KEPT: &str = include_str!("../seeds.txt");

/// Seeds of a sabotage, at most.
const SABOTAGE_SEEDS: u64 = 60;
/// The same where several members are needed, and the right misfortune.
const CLUSTER_SABOTAGE_SEEDS: u64 = 300;

/// One member.
fn alone() -> Options {
    Options { trim: Trim { members: Some(1), ..Trim::default() }, ..Options::default() }
}

fn good(seeds: impl IntoIterator<Item = u64>, options: &Options) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let report = run(seed, options);
        assert!(report.failure.is_none(), "{report}");
        tally += report.tally;
    }
    tally
}

/// Everything that can happen does happen in so many seeds. (What happens in one of a hundred is in `seeds.txt`.)
#[test]
fn many_seeds_are_good_and_meet_everything() {
    let tally = good(1..=300, &alone());
    let rare = ["forgotten", "overruns", "pauses"];
    let apart = tally.counts().into_iter().filter(|(name, _)| !ALL_TOGETHER.contains(name));
    for (name, count) in apart {
        assert!(count >= 20 || rare.contains(&name), "{name}: {count} in {tally}");
    }
}

/// What happens only where several members are.
const ALL_TOGETHER: [&str; 19] = [
    "leaves",
    "hasty_leaves",
    "scaled_up",
    "scaled_down",
    "partitions",
    "pauses_of_members",
    "broken_links",
    "salvages",
    "installs",
    "rebirths",
    "updates",
    "refused_members",
    "switches",
    "suspicions",
    "elections",
    "forwarded",
    "moves",
    "interrupted",
    "duplicates",
];

#[test]
fn clusters_are_good_and_meet_everything() {
    let mut tally = Tally::default();
    for members in 2..=5 {
        let options =
            Options { trim: Trim { members: Some(members), ..Trim::default() }, ..Options::default() };
        tally += good(1..=150, &options);
    }
    let rare = ["hasty_leaves", "rebirths", "suspicions", "overruns", "pauses", "slow_consumers"];
    for (name, count) in tally.counts() {
        assert!(count >= 20 || rare.contains(&name), "{name}: {count} in {tally}");
    }
}

#[test]
fn more_seeds_are_good() {
    good(1_000_001..=1_000_300, &Options::default());
}

#[test]
fn kept_seeds_are_good_and_meet_what_is_rare() {
    let lines = KEPT.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut tally = Tally::default();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let seed = words.next().expect("not empty").parse().expect("a seed");
        let members = words.next().map_or(1, |members| members.parse().expect("a number of members"));
        let trim = Trim { members: Some(members).filter(|members| *members > 0), ..Trim::default() };
        tally += good([seed], &Options { trim, ..Options::default() });
    }
    assert!(tally.overruns >= 3 && tally.forgotten >= 3 && tally.pauses >= 3, "{tally}");
}

#[test]
fn a_seed_is_the_same_every_time() {
    for seed in 1..=5 {
        let plain = run(seed, &alone());
        let traced = run(seed, &Options { trace: true, ..alone() });
        assert_eq!((plain.digest, plain.tally), (traced.digest, traced.tally), "seed {seed}");
        assert!(plain.trace.is_empty() && traced.trace.len() > 100);
        assert_ne!(plain.digest, run(seed + 1, &alone()).digest);
        let (one, other) = (run(seed, &Options::default()), run(seed, &Options::default()));
        assert_eq!((one.digest, one.tally), (other.digest, other.tally), "seed {seed}");
    }
}

/// The first report of a sabotage that failed.
fn caught(sabotage: Sabotage, members: u16) -> Report {
    let trim = Trim { members: Some(members), ..Trim::default() };
    let options = Options { sabotage: Some(sabotage), trim, ..Options::default() };
    let seeds = if members == 1 { SABOTAGE_SEEDS } else { CLUSTER_SABOTAGE_SEEDS };
    let mut reports = (1..=seeds).map(|seed| run(seed, &options));
    reports.find(|report| report.failure.is_some()).unwrap_or_else(|| panic!("{sabotage:?} goes unnoticed"))
}

macro_rules! sabotages {
    ($($test:ident $members:literal $sabotage:ident $says:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let report = caught(Sabotage::$sabotage, $members);
                let told = report.to_string();
                let unseen = matches!(report.failure, Some(Failure::LeftOver(_)));
                assert!(!unseen, "{told}");
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
    a_dropped_delivery_is_noticed 1 DropDelivery "without having been told";
    a_repeated_delivery_is_noticed 1 RepeatDelivery "";
    swapped_deliveries_are_noticed 1 SwapDeliveries "";
    an_invented_message_is_noticed 1 Invent "was invented";
    a_gap_called_complete_is_noticed 1 GapAsComplete "without having been told";
    a_reset_called_complete_is_noticed 1 ResetAsComplete "without a reset";
    a_recovered_message_left_out_is_noticed 1 DropRecovered "without having been told";
    a_stale_snapshot_is_noticed 1 StaleSnapshot "was retained after it";
    a_retry_that_is_not_recognised_is_noticed 1 ForgetDedup "was doubled";
    a_first_try_called_a_duplicate_is_noticed 1 CallDuplicate "published only once";
    a_refusal_answered_with_ok_is_noticed 1 AcknowledgeRefused "";
    a_lost_publish_answered_with_ok_is_noticed 1 AcknowledgeLost "";
    publishes_in_the_wrong_order_are_noticed 1 SwapPublishes "out of the order";
    an_early_acknowledgement_is_noticed 3 AcknowledgeEarly "";
    an_early_delivery_is_noticed 3 DeliverEarly "";
    dedup_of_one_member_alone_is_noticed 3 ForgetDedupElsewhere "was doubled";
    a_batch_under_another_number_is_noticed 3 ResendAsNew "was doubled";
    an_epoch_that_stays_is_noticed 3 KeepEpoch "";
    seqs_that_begin_anew_are_noticed 3 RestartSeqs "";
    forgotten_publishers_are_noticed 3 ForgetWaiters "not settled";
    subscriptions_to_a_state_that_is_gone_are_noticed 3 KeepSubscriptions "";
    a_member_that_switches_early_is_noticed 3 SwitchEarly "";
}
