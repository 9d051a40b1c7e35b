//! Anything may happen, one thing after the other, under load, as long as a quorum lives.

use std::env;
use std::time::{Duration, Instant};

use sterna_model::Random;

use crate::kube::{Cluster, Direction};
use crate::load::{Load, Plan};
use crate::random;

/// Most publishes that a fault lasts.
const FAULT_PUBLISHES_MAX: u64 = 5_000;
/// Restarts of one container after which the kubelet's pauses get long.
const RESTARTS_MAX: u32 = 2;
const SOON: Duration = Duration::from_secs(60);

/// How long the storm lasts; `STERNA_CLUSTER_STORM_S` says it in seconds.
fn storm() -> Duration {
    Duration::from_secs(env::var("STERNA_CLUSTER_STORM_S").map_or(120, |time| time.parse().expect("seconds")))
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_storm_of_single_faults_costs_nothing() {
    let mut random = Random::new(random::seed());
    let mut cluster = Cluster::start();
    let load = Plan::at(&cluster).begin(&cluster);
    let end = Instant::now() + storm();
    while Instant::now() < end {
        suffer(&mut cluster, &load, &mut random);
        for ordinal in cluster.ordinals() {
            cluster.wait_ready(ordinal);
        }
        load.work(500);
    }
    load.end().expect_no_loss();
}

/// One fault, and its end.
fn suffer(cluster: &mut Cluster, load: &Load, random: &mut Random) {
    let ordinals = cluster.ordinals();
    let victim = random.pick(&ordinals);
    let others: Vec<_> = ordinals.iter().copied().filter(|ordinal| *ordinal != victim).collect();
    let publishes = 100 + random.below(FAULT_PUBLISHES_MAX);
    let direction = random.pick(&[Direction::In, Direction::Out, Direction::Both]);
    let fault = random.below(7);
    println!("fault {fault} of pod {victim} of {}, {direction:?}, for {publishes} publishes", ordinals.len());
    match fault {
        0 if cluster.restarts(victim) < RESTARTS_MAX => {
            let restarts = cluster.restarts(victim) + 1;
            cluster.kill(victim);
            cluster.wait_until("it runs again", SOON, |cluster| cluster.restarts(victim) == restarts);
        }
        0 | 1 => {
            cluster.lose_nodes(&[victim]);
            load.work(publishes);
            cluster.reconcile();
        }
        2 => {
            cluster.pause(victim);
            load.work(publishes);
            cluster.resume(victim);
        }
        3 => {
            cluster.cut_from(victim, &others, direction);
            load.work(publishes);
            cluster.mend(victim);
        }
        4 => {
            cluster.cut(victim, direction);
            load.work(publishes);
            cluster.mend(victim);
        }
        5 => cluster.roll(),
        _ => cluster.scale(3 + random.below(3) as usize),
    }
}
