//! Members die, under load: what a quorum has acknowledged stays.

use std::time::Duration;

use crate::kube::Cluster;
use crate::load::Plan;

/// How long publishing may stand still when the leader dies.
const ELECTION_MAX: Duration = Duration::from_secs(1);
/// How long after a total loss publishing works again.
const FORMATION_MAX: Duration = Duration::from_secs(20);

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_killed_leader_costs_no_message_and_at_most_a_second() {
    let cluster = Cluster::start();
    let load = Plan { messages_per_second: 20_000, ..Plan::at(&cluster) }.begin(&cluster);
    load.work(20_000);
    let leader = cluster.leader();
    cluster.kill(leader);
    load.work(20_000);
    cluster.wait_until("the kubelet has started it again", ELECTION_MAX * 10, |cluster| {
        cluster.restarts(leader) == 1
    });
    cluster.wait_ready(leader);
    load.work(20_000);
    let verdict = load.end();
    verdict.expect_no_loss();
    assert!(verdict.acknowledgement_gap_max <= ELECTION_MAX, "{verdict}");
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn each_member_may_be_killed_in_turn() {
    let cluster = Cluster::start();
    let load = Plan::at(&cluster).begin(&cluster);
    for ordinal in cluster.ordinals() {
        cluster.kill(ordinal);
        load.work(1_000);
        // Not before: its memory is empty, and the two others are the quorum.
        cluster.wait_until("it runs again", FORMATION_MAX, |cluster| cluster.restarts(ordinal) == 1);
        cluster.wait_ready(ordinal);
    }
    load.work(1_000);
    load.end().expect_no_loss();
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_pod_comes_back_with_another_address_and_counts_again() {
    let mut cluster = Cluster::start();
    let load = Plan::at(&cluster).begin(&cluster);
    let before = cluster.address(1);
    cluster.lose_nodes(&[1]);
    load.work(1_000);
    cluster.reconcile();
    assert_ne!(cluster.address(1), before);
    // Now the newcomer is needed for the quorum.
    cluster.lose_nodes(&[0]);
    load.work(1_000);
    cluster.reconcile();
    load.work(1_000);
    load.end().expect_no_loss();
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_leader_that_sleeps_is_replaced_and_wakes_up_as_a_follower() {
    let cluster = Cluster::start();
    let load = Plan::at(&cluster).begin(&cluster);
    let leader = cluster.leader();
    cluster.pause(leader);
    load.work(2_000);
    cluster.resume(leader);
    load.work(2_000);
    load.end().expect_no_loss();
    assert_eq!(cluster.restarts(leader), 0);
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn all_killed_at_once_clients_are_told_and_publishing_goes_on() {
    let cluster = Cluster::start();
    // Not through the load balancer, which knows the pods only after their first probe.
    let load = Plan::at_members(&cluster, &[0, 1, 2]).begin(&cluster);
    load.work(1_000);
    for ordinal in cluster.ordinals() {
        cluster.kill(ordinal);
    }
    load.expect_acknowledgement(FORMATION_MAX);
    load.work(1_000);
    let verdict = load.end();
    assert_eq!((verdict.failed, verdict.summary.gaps, verdict.epochs.len()), (0, 0, 2), "{verdict}");
    assert!(verdict.summary.resets > 0, "every subscriber is told: {verdict}");
}
