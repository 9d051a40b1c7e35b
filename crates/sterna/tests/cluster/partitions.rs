//! The network between members is cut, under load: one side goes on, the other one says that it cannot.

use crate::kube::{Cluster, Direction};
use crate::load::Plan;

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_leader_cut_off_from_the_others_acknowledges_nothing_more() {
    let cluster = Cluster::start();
    // Its clients still reach it: they must be sent to the others.
    let load = Plan::at_members(&cluster, &[0, 1, 2]).begin(&cluster);
    let leader = cluster.leader();
    let others: Vec<_> = cluster.ordinals().into_iter().filter(|ordinal| *ordinal != leader).collect();
    cluster.cut_from(leader, &others, Direction::Both);
    load.work(3_000);
    cluster.mend(leader);
    load.work(2_000);
    load.end().expect_no_loss();
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_leader_that_is_heard_but_hears_nothing_does_not_stop_the_cluster() {
    for direction in [Direction::In, Direction::Out] {
        let cluster = Cluster::start();
        let load = Plan::at_members(&cluster, &[0, 1, 2]).begin(&cluster);
        let leader = cluster.leader();
        let others: Vec<_> = cluster.ordinals().into_iter().filter(|ordinal| *ordinal != leader).collect();
        cluster.cut_from(leader, &others, direction);
        load.work(3_000);
        cluster.mend(leader);
        load.work(2_000);
        println!("{direction:?}");
        load.end().expect_no_loss();
    }
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_pod_that_nobody_reaches_finds_its_way_back() {
    let cluster = Cluster::start();
    let load = Plan::at_members(&cluster, &[0, 1, 2]).begin(&cluster);
    cluster.cut(2, Direction::Both);
    load.work(3_000);
    cluster.mend(2);
    load.work(2_000);
    // It counts again: the quorum is it and one other.
    cluster.kill(0);
    load.work(2_000);
    load.end().expect_no_loss();
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn without_a_quorum_nothing_is_acknowledged_and_nothing_is_lost() {
    let cluster = Cluster::start();
    let load = Plan::at_members(&cluster, &[0, 1, 2]).begin(&cluster);
    for ordinal in cluster.ordinals() {
        let others: Vec<_> = cluster.ordinals().into_iter().filter(|other| *other != ordinal).collect();
        cluster.cut_from(ordinal, &others, Direction::Both);
    }
    load.expect_silence();
    for ordinal in cluster.ordinals() {
        cluster.mend(ordinal);
    }
    load.work(2_000);
    load.end().expect_no_loss();
}
