//! Mutual TLS between members: a cluster with it, strangers without it, new certificates, and files that cannot be used.

use std::collections::BTreeSet;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::listening::Listening;
use crate::members::Network;
use crate::native::Native;
use crate::support::{Finished, Folder, TOKEN, sterna};

const OPTIONS: [&str; 3] = [
    "-DClusterTlsCertificate=member.pem",
    "-DClusterTlsKey=member.key",
    "-DClusterTlsAuthority=authority.pem",
];

/// An authority that signs certificates of members.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A folder with a new certificate for hosts, its key, and the authority.
    fn folder(&self, hosts: Vec<String>) -> Folder {
        let folder = Folder::new();
        self.certify(&folder, hosts);
        folder.write("authority.pem", &self.pem);
        folder
    }

    fn certify(&self, folder: &Folder, hosts: Vec<String>) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        folder.write("member.pem", &certificate.pem());
        folder.write("member.key", &key.serialize_pem());
    }
}

/// The log has the warning, once for each address.
fn assert_warned_once(member: &Listening, text: &str) {
    member.running.stdout.find(text).expect("it lives");
    let lines = member.running.stdout.lines();
    let lines: Vec<_> = lines.iter().filter(|line| line.contains(text)).collect();
    let addresses: BTreeSet<_> =
        lines.iter().filter_map(|line| line.split(' ').find(|word| word.starts_with("address="))).collect();
    assert!(lines.len() == addresses.len() && lines.iter().all(|line| line.contains(" WARN ")), "{lines:#?}");
}

#[test]
fn members_with_tls_are_one_cluster_and_strangers_disturb_nobody() {
    let (network, authority) = (Network::new(), Authority::new());
    let mut seeds = network.start_seeds(|| authority.folder(network.hosts()), &OPTIONS);
    let mut subscriber = Native::connect(&network.address(2), None);
    subscriber.subscribe("/a");
    let mut publisher = Native::connect(&network.address(1), Some(TOKEN));
    publisher.publish_ok("/a", "1");
    assert_eq!(subscriber.frame_of("message")["content"], "1");

    let plain = network.begin(4, Folder::new(), &[]);
    let other = network.begin(5, Authority::new().folder(network.hosts()), &OPTIONS);
    for seed in &seeds {
        assert_warned_once(seed, "it does not speak TLS as this member does; give ClusterTlsCertificate");
        assert_warned_once(seed, "it shows no certificate that ClusterTlsAuthority has signed");
    }
    assert_warned_once(&plain, "whether one side has TLS");
    assert_warned_once(&other, "it shows no certificate that ClusterTlsAuthority has signed");
    publisher.publish_ok("/a", "2");
    assert_eq!(subscriber.frame_of("message")["content"], "2");
    for seed in &seeds {
        let lines = seed.running.stdout.lines();
        assert!(!lines.iter().any(|line| line.contains("link is down")), "{lines:#?}");
    }
    for seed in &mut seeds {
        seed.stop(0);
    }
}

#[test]
fn the_status_is_told_to_who_shows_a_certificate_of_the_authority() {
    let (network, authority) = (Network::new(), Authority::new());
    let seeds = network.start_seeds(|| authority.folder(network.hosts()), &OPTIONS);
    let member = network.entry(3);
    let ask = ["cluster", "status", "--password", "secret-of-the-tests", "--member", &member];
    let files =
        ["--tls-certificate", "member.pem", "--tls-key", "member.key", "--tls-authority", "authority.pem"];
    let run = |options: &[&str]| Finished::of(&mut sterna_in(seeds[0].folder(), &[&ask, options].concat()));
    let answered = run(&files);
    assert_eq!(answered.code, Some(0), "{}", answered.error_text());
    assert_eq!(answered.stdout.iter().filter(|line| line.starts_with("voter ")).count(), 3);
    let plain = run(&[]);
    assert_eq!(plain.code, Some(1));
    assert!(plain.error_text().contains("whether one side has TLS"), "{}", plain.error_text());
    let half = run(&files[..4]);
    assert_eq!(half.code, Some(2), "{}", half.error_text());
    seeds[0].folder().write("member.key", &KeyPair::generate().unwrap().serialize_pem());
    let swapped = run(&files);
    assert!(swapped.code == Some(2) && swapped.error_text().contains("member.key: "), "{swapped:?}");
}

fn sterna_in(folder: &Folder, arguments: &[&str]) -> std::process::Command {
    let mut command = sterna(arguments);
    command.current_dir(folder.path());
    command
}

#[test]
fn a_new_certificate_is_taken_up_without_a_restart() {
    let (network, authority) = (Network::new(), Authority::new());
    let mut seeds = network.start_seeds(|| authority.folder(network.hosts()), &OPTIONS);
    let newer = Authority::new();
    for seed in &seeds {
        // Both authorities are trusted while the members change one after the other.
        seed.folder().write("authority.pem", &format!("{}{}", authority.pem, newer.pem));
        newer.certify(seed.folder(), network.hosts());
        seed.running.signal("HUP");
        seed.running.stdout.find("reloaded: ").expect("it lives");
    }
    let third = newer.folder(network.hosts());
    seeds.pop().expect("the third").stop(0);
    let third = network.begin(3, third, &OPTIONS);
    third
        .running
        .stdout
        .find("this member has the messages of the cluster")
        .expect("it trusts the new one only");

    let first = &mut seeds[0];
    first.folder().write("member.pem", "garbage");
    first.running.signal("HUP");
    let line = first.running.stdout.find("ERROR").expect("it lives");
    assert!(line.contains("reload: ClusterTlsCertificate: member.pem: "), "{line}");
    Native::connect(&network.address(1), Some(TOKEN)).publish_ok("/a", "1");
    first.stop(1);
}

#[test]
fn a_file_that_cannot_be_used_ends_the_start_and_is_named() {
    let (network, authority) = (Network::new(), Authority::new());
    let refused = |hosts: Vec<String>, change: &dyn Fn(&Folder), options: &[&str]| {
        let folder = authority.folder(hosts);
        change(&folder);
        let finished = network.begin(1, folder, options).running.finish();
        assert_eq!(finished.code, Some(2), "{finished:?}");
        finished.error_text()
    };
    let unchanged = |_: &Folder| {};
    let half = refused(network.hosts(), &unchanged, &OPTIONS[..2]);
    assert!(
        half.contains("give all of ClusterTlsCertificate, ClusterTlsKey and ClusterTlsAuthority"),
        "{half}"
    );
    let absent = [OPTIONS[0], "-DClusterTlsKey=absent.key", OPTIONS[2]];
    let absent = refused(network.hosts(), &unchanged, &absent);
    assert!(absent.contains("ClusterTlsKey: absent.key: "), "{absent}");
    let other = refused(vec!["other.example".to_owned()], &unchanged, &OPTIONS);
    assert!(other.contains("ClusterTlsCertificate: member.pem: other members would refuse it"), "{other}");
    let foreign = |folder: &Folder| drop(folder.write("authority.pem", &Authority::new().pem));
    let foreign = refused(network.hosts(), &foreign, &OPTIONS);
    assert!(
        foreign.contains("ClusterTlsCertificate: member.pem: other members would refuse it"),
        "{foreign}"
    );
    let swapped = |folder: &Folder| {
        drop(folder.write("member.key", &KeyPair::generate().unwrap().serialize_pem()));
    };
    let swapped = refused(network.hosts(), &swapped, &OPTIONS);
    assert!(
        swapped.contains("ClusterTlsKey: member.key: the key is not that of the certificate"),
        "{swapped}"
    );
}
