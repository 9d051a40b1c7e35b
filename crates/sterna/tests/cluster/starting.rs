//! The manifest is applied to an empty cluster.

use crate::kube::{Cluster, Options};
use crate::load::Plan;

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn three_pods_become_ready_in_order_and_are_one_cluster() {
    // Each pod is started when the one before it is ready: the first ones open their port without a quorum.
    let cluster = Cluster::start();
    assert_eq!(cluster.ordinals(), [0, 1, 2]);
    let plan = Plan {
        publish_at: vec![cluster.member(0)],
        subscribe_at: vec![cluster.member(2)],
        ..Plan::at(&cluster)
    };
    let load = plan.begin(&cluster);
    load.work(2_000);
    load.end().expect_no_loss();
    for ordinal in cluster.ordinals() {
        assert_eq!(cluster.restarts(ordinal), 0, "no probe has killed pod {ordinal}");
    }
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_pod_without_a_quorum_is_ready_and_refuses_publishes() {
    let mut cluster = Cluster::create(Options { replicas: 1, ..Options::default() });
    cluster.reconcile();
    let published = cluster.exec(0, &["sh", "-c", PUBLISH_FOR_3_S]);
    assert!(published.is_err(), "a publish was acknowledged by one of three seeds: {published:?}");
    cluster.scale(2);
    // Two of three seeds are a quorum; nobody has to be restarted for it.
    let load = Plan::at(&cluster).begin(&cluster);
    load.work(500);
    load.end().expect_no_loss();
    assert_eq!((cluster.restarts(0), cluster.restarts(1)), (0, 0));
}

/// The program of process 1 is the server's.
const PUBLISH_FOR_3_S: &str =
    "timeout 3 /proc/1/exe pub /alone yes --server localhost:8800 --token some-token";
