//! Who is ready, and the two services that depend on it: names inside the cluster, a load balancer for clients.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Mutex;

use super::manifest::LoadBalancer;
use super::network::{CLIENTS_LINK, SERVICE};
use super::process::nft;

/// The ready pods, by full name.
#[derive(Debug)]
pub(crate) struct Endpoints {
    ready: Mutex<BTreeMap<String, Ipv4Addr>>,
    /// Network namespace that forwards from clients to pods.
    switch: String,
    service: LoadBalancer,
}

impl Endpoints {
    pub(crate) fn new(switch: String, service: LoadBalancer) -> Self {
        let endpoints = Self { ready: Mutex::default(), switch, service };
        endpoints.balance(&BTreeMap::new());
        endpoints
    }

    /// Address of a ready pod.
    pub(crate) fn ready(&self, host: &str) -> Option<Ipv4Addr> {
        self.ready.lock().expect("no kubelet has panicked").get(host).copied()
    }

    /// A pod with that address is ready.
    pub(crate) fn add(&self, host: &str, address: Ipv4Addr) {
        let mut ready = self.ready.lock().expect("no kubelet has panicked");
        if ready.insert(host.to_owned(), address) != Some(address) {
            self.balance(&ready);
        }
    }

    /// A pod with that address is not ready any more.
    pub(crate) fn remove(&self, host: &str, address: Ipv4Addr) {
        let mut ready = self.ready.lock().expect("no kubelet has panicked");
        if ready.get(host) == Some(&address) {
            ready.remove(host);
            self.balance(&ready);
        }
    }

    /// New connections to the service go to one of the ready pods at random, as with kube-proxy; those that stand
    /// stay where they are. Without a ready pod there is no route.
    fn balance(&self, ready: &BTreeMap<String, Ipv4Addr>) {
        let LoadBalancer { port, target_port, .. } = self.service;
        let pods: Vec<_> =
            ready.values().enumerate().map(|(index, address)| format!("{index} : {address}")).collect();
        let balance = match pods.len() {
            0 => String::new(),
            count => format!(
                "ip daddr {SERVICE} tcp dport {port} \
                 dnat to numgen random mod {count} map {{ {} }}:{target_port}",
                pods.join(", ")
            ),
        };
        nft(
            &self.switch,
            &format!(
                "table ip services\ndelete table ip services\ntable ip services {{
                     chain clients {{
                         type nat hook prerouting priority dstnat
                         {balance}
                         iifname {CLIENTS_LINK} udp dport 53 redirect to :53
                     }}
                 }}\n"
            ),
        );
    }
}
