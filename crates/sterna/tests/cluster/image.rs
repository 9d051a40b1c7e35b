//! The image under the manifest's command, as strictly as a cluster may run it: `tests/image/run` builds and unpacks it.

use std::env;
use std::time::{Duration, Instant};

use crate::kube::{Cluster, Options};

/// From the start of the container to the first page.
const SERVED_MAX: Duration = Duration::from_secs(2);
const STARTS: usize = 3;
/// Only a failing test waits so long.
const SOON: Duration = Duration::from_secs(20);
/// Of an idle member with `Memory=128MB`.
const RESIDENT_KB_MAX: u64 = 40 * 1024;

#[test]
#[ignore = "needs an image: tests/image/run"]
fn the_image_is_quick_and_small_and_needs_no_rights() {
    assert!(env::var_os("STERNA_IMAGE").is_some(), "tests/image/run says which image");
    let mut cluster = Cluster::create(Options::default());
    // A busy machine can only make it slower: the quickest of a few starts counts.
    let quickest = (0..STARTS).map(|_| serve_a_page(&mut cluster)).min().expect("there were some");
    println!("the first page came {quickest:?} after the start");
    assert!(quickest < SERVED_MAX, "{quickest:?}");

    cluster.reconcile();
    cluster.leader();
    for ordinal in cluster.ordinals() {
        let seen = |command: &[&str]| cluster.exec(ordinal, command).unwrap();
        let status = seen(&["cat", "/proc/1/status"]);
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("{name} is missing: {status}")).trim()
        };
        assert_eq!(field("Name"), "sterna", "the shells on the way have become the server");
        assert!(!field("Uid").split_whitespace().any(|user| user == "0"), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{set}");
        }
        assert_eq!(field("NoNewPrivs"), "1");
        assert!(cluster.exec(ordinal, &["touch", "/sterna/file"]).is_err(), "the root can be written");
        let resident = field("VmRSS").strip_suffix(" kB").and_then(|kb| kb.parse::<u64>().ok()).unwrap();
        println!("pod {ordinal} holds {resident} KB");
        assert!(resident < RESIDENT_KB_MAX, "{resident} KB");
        // What people do in a pod, and what a preStop hook does.
        seen(&["sh", "-c", "ls / && ps && sleep 0 && wget -q -O - http://localhost:8800/health/live"]);
        assert_eq!(cluster.restarts(ordinal), 0, "no probe has killed it");
    }
    // Asserts that SIGTERM has reached the server, and that it has ended well.
    cluster.delete(2);
}

/// How long a pod that is alone takes from its start to its first page. It is deleted then.
fn serve_a_page(cluster: &mut Cluster) -> Duration {
    let started = Instant::now();
    cluster.add(0);
    cluster.wait_until("pod 0 serves a page", SOON, |cluster| {
        cluster.page(0, "/").is_some_and(|page| page.starts_with("HTTP/1.1 200 "))
    });
    let time = started.elapsed();
    cluster.delete(0);
    time
}
