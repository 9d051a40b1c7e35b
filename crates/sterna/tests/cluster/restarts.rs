//! `kubectl rollout restart`: one pod after the other, from the highest ordinal, each empty and with another address.

use std::time::Duration;

use crate::kube::Cluster;
use crate::load::Plan;

/// How long a client may be without service while members take turns.
const HANDOVER_MAX: Duration = Duration::from_secs(2);

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn two_rolling_restarts_under_load_are_not_noticed() {
    let mut cluster = Cluster::start();
    let load = Plan::at(&cluster).begin(&cluster);
    for _ in 0..2 {
        cluster.roll();
        load.work(1_000);
    }
    let verdict = load.end();
    verdict.expect_no_loss();
    verdict.expect_service_within(HANDOVER_MAX);
    for ordinal in cluster.ordinals() {
        assert_eq!(cluster.restarts(ordinal), 0, "no probe has killed pod {ordinal}");
    }
}
