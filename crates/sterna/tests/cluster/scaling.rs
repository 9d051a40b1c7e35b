//! `kubectl scale`: up to all the members that are listed, and back to the seeds.

use std::time::Duration;

use sterna_model::limit::HISTORY_MAX;
use sterna_oracle::Summary;

use crate::kube::Cluster;
use crate::load::Plan;

/// How long a client may be without service while members come and go.
const HANDOVER_MAX: Duration = Duration::from_secs(2);
/// How long it takes until clients have moved to a newcomer: members wait for 15 s, then ask a few each second.
const OFFLOAD_MAX: Duration = Duration::from_secs(60);
/// Clients of a member that speak the native protocol.
const WEBSOCKETS: &str = "sterna_connections{protocol=\"websocket\"}";

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn scaling_up_and_down_under_load_is_not_noticed() {
    let mut cluster = Cluster::start();
    let mut load = Plan::at(&cluster).begin(&cluster);
    for replicas in [5, 4, 3] {
        cluster.scale(replicas);
        if replicas == 5 {
            // Its first choice goes away next.
            load.add_subscriber(&cluster, &[cluster.member(4), cluster.member(0)], 0);
        }
        assert_eq!(cluster.ordinals(), (0..replicas).collect::<Vec<_>>());
        load.work(1_000);
    }
    let verdict = load.end();
    verdict.expect_no_loss();
    verdict.expect_service_within(HANDOVER_MAX);
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_newcomer_beyond_the_seeds_has_the_whole_past() {
    let mut cluster = Cluster::start();
    // Slow enough for the history of a subject to hold all of it.
    let plan = Plan { messages_per_second: 400, ..Plan::at(&cluster) };
    let subscribers = plan.subscribers;
    let mut load = plan.begin(&cluster);
    load.work(1_000);
    cluster.scale(4);
    load.add_subscriber(&cluster, &[cluster.member(3)], HISTORY_MAX);
    load.work(500);
    let verdict = load.end();
    verdict.expect_no_loss();
    let Summary { acknowledged, delivered, .. } = verdict.summary;
    assert_eq!(delivered, acknowledged * (subscribers + 1), "the newest subscriber got all of it: {verdict}");
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn a_pod_that_joins_gets_its_share_of_the_clients_and_nobody_misses_a_message() {
    let mut cluster = Cluster::start();
    let load = Plan { subscribers: 60, messages_per_second: 100, ..Plan::at(&cluster) }.begin(&cluster);
    cluster.scale(4);
    assert_eq!(cluster.metric(3, WEBSOCKETS), Some(0.0));
    // A quarter of 63 clients; where the others were and where each of them goes is chance.
    cluster.wait_until("clients have moved to the newcomer", OFFLOAD_MAX, |cluster| {
        cluster.metric(3, WEBSOCKETS) >= Some(8.0)
    });
    load.work(100);
    let verdict = load.end();
    verdict.expect_no_loss();
    verdict.expect_service_within(HANDOVER_MAX);
}

#[test]
#[ignore = "minutes: tests/cluster/run"]
fn of_five_members_any_two_that_are_no_seeds_may_be_lost_at_once() {
    let mut cluster = Cluster::start();
    cluster.scale(5);
    let load = Plan::at(&cluster).begin(&cluster);
    load.work(1_000);
    cluster.lose_nodes(&[3, 4]);
    load.work(1_000);
    cluster.reconcile();
    load.work(1_000);
    load.end().expect_no_loss();
}
