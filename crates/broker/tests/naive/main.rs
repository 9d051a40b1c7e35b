//! The core against a model so simple that it cannot be wrong: a list per subject, nothing ever thrown away.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

mod model;
mod run;
#[path = "../support/mod.rs"]
mod support;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use sterna_broker::core::CoreLimits;
use sterna_model::DeliveryMode;

use run::{Resume, Run, Step};

fn step() -> impl Strategy<Value = Step> {
    let subject = 0..4_u8;
    // Some are so large that a page holds one or two.
    let bytes = prop_oneof![4 => 1..50_usize, 1 => 20_000..70_000_usize];
    let stamp = prop_oneof![2 => Just(None), 1 => (0..3_u8, 0..8_u64).prop_map(Some)];
    let resume = prop_oneof![
        3 => Just(None),
        3 => (0..12_u64).prop_map(|back| Some(Resume::Back(back))),
        1 => Just(Some(Resume::Beyond)),
        1 => Just(Some(Resume::OtherEpoch)),
    ];
    let passes = prop_oneof![6 => 1..12_u64, 1 => 600..700_u64];
    prop_oneof![
        8 => (subject.clone(), bytes, any::<bool>(), 0..5_u8, stamp).prop_map(
            |(subject, bytes, retained, qos, stamp)| Step::Publish {
                subject,
                bytes,
                retained,
                standard: qos == 0,
                stamp,
            }
        ),
        4 => (subject.clone(), 0..8_u32, resume.clone(), 0..2_u16).prop_map(
            |(subject, history, resume, shard)| Step::Subscribe { subject, history, resume, shard }
        ),
        3 => any::<u16>().prop_map(Step::Continue),
        3 => any::<u16>().prop_map(Step::Release),
        2 => (subject, 0..8_u32, resume).prop_map(
            |(subject, history, resume)| Step::Read { subject, history, resume }
        ),
        4 => passes.prop_map(Step::Pass),
    ]
}

fn limits() -> impl Strategy<Value = CoreLimits> {
    (0..6_usize, 1..20_u64, proptest::option::of(1..30_u64), any::<bool>()).prop_map(
        |(history, expire_s, snapshot_s, standard)| CoreLimits {
            mode: if standard && history == 0 { DeliveryMode::Standard } else { DeliveryMode::Guaranteed },
            history_messages_max: history,
            history_expire_ms: expire_s * 1000,
            snapshot_expire_ms: snapshot_s.map(|seconds| seconds * 1000),
            cache_bytes_max: usize::MAX / 2,
            shards: 2,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Positions, cuts, pages, deliveries; and when all is released and has expired, nothing is left or counted.
    #[test]
    fn the_core_does_what_the_model_says(limits in limits(), steps in vec(step(), 0..120)) {
        Run::new(limits).finish(&steps);
    }

    /// The same in a small cache: what is refused changes nothing, and the bound holds.
    #[test]
    fn a_full_cache_refuses_and_stays_within_its_bound(
        limits in limits(),
        cache_bytes_max in 1000..200_000_usize,
        steps in vec(step(), 0..120),
    ) {
        Run::new(CoreLimits { cache_bytes_max, ..limits }).finish(&steps);
    }
}
