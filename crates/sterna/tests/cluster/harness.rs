//! The harness keeps its own promises: what it shows a member is what Kubernetes would.

use std::fs;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kube::{Cluster, Direction, Manifest, Options, inside};
use crate::load::Plan;

/// A server that is alone, whatever the manifest says.
const ALONE: &str = "#!/bin/sh\nunset MIGRATORYDATA_EXTRA_OPTS\nexec sterna serve\n";
const SOON: Duration = Duration::from_secs(20);
const S: Duration = Duration::from_secs(1);

/// Pods that are probed five times as often: these tests are not about the members' own times.
fn quick(replicas: usize, start_script: &str) -> Cluster {
    Cluster::create(Options { replicas, speed: 5.0, start_script: start_script.to_owned() })
}

#[test]
fn the_manifest_is_read_and_not_retyped() {
    let manifest = Manifest::of_fixtures();
    assert_eq!((manifest.name.as_str(), manifest.replicas), ("migratorydata", 3));
    assert_eq!(manifest.host(1), "migratorydata-1.migratorydata-hs.migratory.svc.cluster.local");
    assert_eq!(manifest.command[..2], ["bash", "-c"]);
    let (name, value) = &manifest.environment[0];
    assert_eq!(name, "MIGRATORYDATA_EXTRA_OPTS");
    assert_eq!(value.split_whitespace().count(), 5, "the lines of the value are joined: {value}");
    let Manifest { readiness, liveness, service, .. } = manifest;
    assert_eq!((readiness.port(), readiness.delay(), readiness.period()), (8800, 10 * S, 5 * S));
    assert_eq!((liveness.timeout(), liveness.failure_threshold), (S, 3), "defaults of Kubernetes");
    assert_eq!((service.port, service.target_port), (80, 8800));
}

#[test]
fn a_container_sees_what_it_would_see_in_a_pod() {
    let mut cluster = quick(1, &Options::default().start_script);
    cluster.reconcile();
    let seen = |command: &[&str]| cluster.exec(0, command).unwrap().trim().to_owned();
    let domain = "migratorydata-hs.migratory.svc.cluster.local";
    assert_eq!(seen(&["hostname", "-s"]), "migratorydata-0");
    assert_eq!(seen(&["hostname", "-d"]), domain);
    assert_eq!(seen(&["hostname", "-i"]), cluster.address(0).to_string());
    // SIGTERM goes to process 1: the shells on the way must have become the server.
    assert_eq!(seen(&["cat", "/proc/1/comm"]), "sterna");
    let log = cluster.log(0);
    assert!(log.contains("MIGRATORYDATA_JAVA_EXTRA_OPTS): ignored"), "{log}");
    assert!(log.contains(&format!("-DClusterMemberListen=migratorydata-0.{domain}:8801")), "{log}");
    assert!(log.contains(&format!(",migratorydata-4.{domain}:8801")), "five members are listed: {log}");
    assert_eq!(cluster.restarts(0), 0);
}

#[test]
fn the_name_of_a_pod_resolves_for_others_only_while_it_is_ready() {
    let wait_for_go =
        "#!/bin/sh\ncase $(hostname -s) in\n*-1) while [ ! -e go ]; do sleep 0.05; done ;;\nesac\n";
    let mut cluster = quick(1, &format!("{wait_for_go}exec sterna serve\n"));
    cluster.reconcile();
    let host = Manifest::of_fixtures().host(1);
    let asked_by_0 = |cluster: &Cluster| {
        let answer = cluster.exec(0, &["getent", "hosts", &host]).ok()?;
        answer.split_whitespace().next().map(str::to_owned)
    };

    cluster.add(1);
    cluster.wait_until("pod 1 has a container", SOON, |cluster| cluster.exec(1, &["true"]).is_ok());
    assert_eq!(asked_by_0(&cluster), None, "it does not listen yet");
    let others = Manifest::of_fixtures().host(0);
    assert!(cluster.exec(1, &["getent", "hosts", &others]).is_ok(), "it finds those that are ready");
    cluster.exec(1, &["touch", "/proc/1/cwd/go"]).unwrap();
    cluster.wait_ready(1);
    let first = cluster.address(1).to_string();
    assert_eq!(asked_by_0(&cluster), Some(first.clone()));

    cluster.delete(1);
    assert_eq!(asked_by_0(&cluster), None, "it has gone");
    cluster.add(1);
    cluster.wait_until("pod 1 has a container", SOON, |cluster| cluster.exec(1, &["true"]).is_ok());
    assert_ne!(cluster.address(1).to_string(), first, "a new pod has a new address");
}

#[test]
fn a_pod_that_does_not_listen_is_killed_and_started_again() {
    let deaf = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n";
    let mut cluster = quick(1, deaf);
    cluster.add(0);
    cluster.wait_until("its liveness probe has failed", SOON, |cluster| cluster.restarts(0) > 0);
    assert!(!cluster.is_ready(0));
}

#[test]
fn pods_come_and_go_as_in_a_stateful_set() {
    let mut cluster = quick(3, ALONE);
    cluster.reconcile();
    let addresses = |cluster: &Cluster| -> Vec<_> {
        cluster.ordinals().into_iter().map(|ordinal| cluster.address(ordinal)).collect()
    };
    let first = addresses(&cluster);
    cluster.scale(5);
    assert_eq!(addresses(&cluster)[..3], first, "scaling does not touch those that run");
    cluster.scale(4);
    cluster.scale(3);
    assert_eq!(cluster.ordinals(), [0, 1, 2]);
    cluster.roll();
    let rolled = addresses(&cluster);
    assert!(rolled.is_sorted_by(|a, b| a > b), "the highest ordinal was the first: {rolled:?}");
    cluster.lose_nodes(&[0, 2]);
    assert_eq!(cluster.ordinals(), [1]);
    cluster.reconcile();
    let moved = addresses(&cluster);
    assert!(moved[0] < moved[2] && moved[1] == rolled[1], "the lowest ordinal came back first: {moved:?}");
    cluster.kill(1);
    cluster.wait_until("the kubelet has started it again", SOON, |cluster| cluster.restarts(1) == 1);
    cluster.wait_ready(1);
    assert_eq!(addresses(&cluster), moved, "a container that is started again stays in its pod");
}

#[test]
fn a_cut_pod_hears_nothing_and_its_probes_go_on() {
    let mut cluster = quick(1, ALONE);
    cluster.reconcile();
    let member = cluster.member(0).parse().unwrap();
    let is_reached = |cluster: &Cluster| {
        let connect = || TcpStream::connect_timeout(&member, Duration::from_millis(300)).is_ok();
        inside(&cluster.clients(), connect)
    };
    assert!(is_reached(&cluster));
    for direction in [Direction::In, Direction::Out, Direction::Both] {
        cluster.cut(0, direction);
        assert!(!is_reached(&cluster), "{direction:?}");
    }
    // Longer than it takes a liveness probe to kill.
    let probed = Instant::now() + Duration::from_secs(5);
    cluster.wait_until("some probes", SOON, |_| Instant::now() > probed);
    assert!(cluster.is_ready(0) && cluster.restarts(0) == 0);
    cluster.mend(0);
    assert!(is_reached(&cluster));
}

#[test]
fn what_a_dead_run_left_behind_is_removed() {
    // No process can have this number (proc(5), pid_max).
    let left = "sterna-999999999-0-left";
    let namespaces = || fs::read_dir("/run/netns").unwrap().flatten().map(|entry| entry.file_name());
    assert!(Command::new("ip").args(["netns", "add", left]).status().unwrap().success());
    let cluster = quick(0, ALONE);
    assert!(!namespaces().any(|name| name == left));
    let ours = cluster.clients();
    assert!(namespaces().any(|name| *name == *ours));
    drop(cluster);
    assert!(!namespaces().any(|name| *name == *ours), "and what this run made as well");
}

#[test]
fn a_load_is_judged_also_when_its_server_loses_its_memory() {
    let mut cluster = quick(1, ALONE);
    cluster.reconcile();
    let load = Plan { subjects: 16, ..Plan::at(&cluster) }.begin(&cluster);
    load.work(1_000);
    assert_eq!(cluster.metric(0, "sterna_subscriptions"), Some(64.0), "16 subjects for 4 subscribers");
    cluster.kill(0);
    load.expect_acknowledgement(SOON);
    load.work(1_000);
    let verdict = load.end();
    assert_eq!((verdict.failed, verdict.epochs.len()), (0, 2), "{verdict}");
    assert!(verdict.summary.resets >= 4, "every subscriber is told: {verdict}");
    assert!(verdict.outage_max > Duration::ZERO && verdict.acknowledgement_gap_max > Duration::ZERO);
}

#[test]
fn a_paused_member_answers_nothing_and_then_goes_on() {
    let mut cluster = quick(1, ALONE);
    cluster.reconcile();
    let load = Plan::at(&cluster).begin(&cluster);
    cluster.pause(0);
    load.expect_silence();
    cluster.resume(0);
    load.work(1_000);
    let verdict = load.end();
    verdict.expect_no_loss();
    assert!(verdict.acknowledgement_gap_max >= 5 * S, "{verdict}");
}

#[test]
fn servers_that_are_no_cluster_do_not_pass_as_one() {
    let mut cluster = quick(2, ALONE);
    cluster.reconcile();
    let work = || {
        let servers = Plan {
            publish_at: vec![cluster.member(0)],
            subscribe_at: vec![cluster.member(1)],
            ..Plan::at(&cluster)
        };
        let load = servers.begin(&cluster);
        load.work(1_000);
        load.end();
    };
    let judged = catch_unwind(AssertUnwindSafe(work)).expect_err("a subscriber of one gets all of the other");
    let violation = judged.downcast_ref::<String>().expect("it is told");
    assert!(violation.starts_with("/cluster/"), "the checker found it: {violation}");
}
