//! Clusters of real members, each with a loopback address of its own.

use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

use sterna_client::{Client, Settings};

use crate::listening::Listening;
use crate::support::{Folder, TOKEN};

/// Members that may run.
const LISTED: u8 = 5;

/// A network of the machine that no other test uses, and the members that may run in it.
#[derive(Debug)]
pub(crate) struct Network(String);

impl Network {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU8 = AtomicU8::new(1);
        // Test processes that run at the same time have different networks.
        let process = 10 + process::id() % 240;
        Self(format!("127.{process}.{}", MADE.fetch_add(1, Ordering::Relaxed)))
    }

    /// Host of a member; the first has number 1.
    pub(crate) fn host(&self, number: u8) -> String {
        format!("{}.{number}", self.0)
    }

    /// Hosts of all members that may run.
    pub(crate) fn hosts(&self) -> Vec<String> {
        (1..=LISTED).map(|number| self.host(number)).collect()
    }

    /// Where clients find a member.
    pub(crate) fn address(&self, number: u8) -> String {
        format!("{}:8800", self.host(number))
    }

    /// A member's entry in `ClusterMembers`.
    pub(crate) fn entry(&self, number: u8) -> String {
        format!("{}:8801", self.host(number))
    }

    /// Starts a member; the first three are the seeds.
    pub(crate) fn begin(&self, number: u8, folder: Folder, options: &[&str]) -> Listening {
        let entries: Vec<_> = (1..=LISTED).map(|number| self.entry(number)).collect();
        let own = [
            format!("-DListen={}", self.address(number)),
            format!("-DClusterMembers={}", entries.join(",")),
            format!("-DClusterMemberListen={}", self.entry(number)),
            "-DClusterSeedMemberCount=3".to_owned(),
            "-DClusterDeliveryMode=Guaranteed".to_owned(),
            "-DClusterPassword=secret-of-the-tests".to_owned(),
            format!("-DEntitlementAllowToken={TOKEN}"),
        ];
        let own: Vec<_> = own.iter().map(String::as_str).collect();
        Listening::begin(folder, &[&own, options].concat())
    }

    /// Starts the three seeds with the same options in folders made by `folder`, and waits until they are one cluster.
    pub(crate) fn start_seeds(&self, folder: impl Fn() -> Folder, options: &[&str]) -> Vec<Listening> {
        let seeds: Vec<_> = (1..=3).map(|number| self.begin(number, folder(), options)).collect();
        for seed in &seeds {
            seed.wait_ready();
            seed.running.stdout.find("leader of the cluster").expect("it lives");
        }
        seeds
    }

    /// A client of some members, not connected yet, that may publish.
    pub(crate) fn client(&self, numbers: &[u8]) -> Client {
        let servers = numbers.iter().map(|number| self.address(*number).parse().expect("an address"));
        let mut settings = Settings::new(servers.collect());
        settings.token = Some(TOKEN.into());
        settings.reconnect.quick_initial_ms = 50;
        settings.reconnect.interval_ms = 100;
        settings.reconnect.delay_ms_max = 500;
        Client::new(settings).expect("random numbers")
    }
}
