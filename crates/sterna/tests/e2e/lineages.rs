//! `ClusterMemberCoordinationFolder`: a new epoch is above those of earlier lives, whatever the clock says.

use std::fs;

use crate::listening::Listening;
use crate::members::Network;
use crate::native::Native;
use crate::support::{Folder, TOKEN, eventually};

/// Far above what a clock of these years gives.
const FUTURE: u64 = 5_000_000_000_000_000;

fn start_alone(coordination: &str) -> Listening {
    let token = format!("-DEntitlementAllowToken={TOKEN}");
    Listening::start(Folder::new(), &["-DListen=127.0.0.1:0", &token, coordination])
}

/// Epoch of a message published now.
fn epoch(address: &str) -> u64 {
    Native::connect(address, Some(TOKEN)).publish_ok("/a", "x")["epoch"].as_u64().expect("a number")
}

fn held(folder: &Folder, name: &str) -> u64 {
    let text = fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    text.trim().parse().unwrap_or_default()
}

fn warnings(member: &Listening) -> Vec<String> {
    let lines = member.running.stdout.lines();
    lines.into_iter().filter(|line| line.contains(" WARN ") && line.contains("lineage")).collect()
}

#[test]
fn the_epoch_of_a_single_server_is_above_all_that_it_had() {
    let folder = Folder::new();
    let option = format!("-DClusterMemberCoordinationFolder={}", folder.path().display());
    folder.write("lineage-single-server", &format!("{FUTURE}\n"));
    let mut last = FUTURE;
    for _ in 0..2 {
        let mut member = start_alone(&option);
        let now = epoch(&member.address("Listen"));
        assert!(now > last, "{now} after {last}");
        eventually("the file grows", || (held(&folder, "lineage-single-server") == now).then_some(()));
        assert!(warnings(&member).is_empty());
        member.stop(0);
        last = now;
    }
    folder.write("lineage-single-server", "nonsense");
    let mut member = start_alone(&option);
    let warned = warnings(&member);
    assert!(warned.len() == 1 && warned[0].contains("is ignored"), "{warned:?}");
    let now = epoch(&member.address("Listen"));
    assert!(now < FUTURE, "the clock alone counts: {now}");
    eventually("the file is written anew", || (held(&folder, "lineage-single-server") == now).then_some(()));
    member.stop(0);
}

#[test]
fn without_a_folder_nothing_is_written_and_nothing_is_warned_of() {
    let mut member = start_alone("-DLogLevel=DEBUG");
    let line = member.running.stdout.find("the lineage is not kept").expect("it lives");
    assert!(line.contains(" DEBUG ") && warnings(&member).is_empty(), "{line}");
    assert!(epoch(&member.address("Listen")) < FUTURE);
    assert_eq!(fs::read_dir(member.folder().path()).unwrap().count(), 0);
    member.stop(0);
}

#[test]
fn what_one_member_remembers_all_are_above_after_a_loss_of_all_memory() {
    let (network, folder) = (Network::new(), Folder::new());
    let option = format!("-DClusterMemberCoordinationFolder={}", folder.path().display());
    let file = |number: u8| format!("lineage-{}", network.entry(number).replace(':', "_"));
    // Another seed may found the lineage.
    folder.write(&file(3), &format!("{FUTURE}\n"));
    let mut last = FUTURE;
    for _ in 0..2 {
        let mut seeds = network.start_seeds(Folder::new, &[&option]);
        let now = epoch(&network.address(1));
        assert!(now > last, "{now} after {last}");
        for number in 1..=3 {
            eventually("all files grow", || (held(&folder, &file(number)) == now).then_some(()));
        }
        for seed in &mut seeds {
            assert!(warnings(seed).is_empty());
            seed.running.kill();
        }
        last = now;
    }
}
