//! The network of a cluster: a namespace as the switch, one per pod, one for clients; all of it goes in the end.

use std::fs;
use std::iter;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering::Relaxed};

use super::process::{must, nft, run};

/// Namespace of the clients, without the prefix of the run.
pub(crate) const CLIENTS: &str = "clients";
/// The switch's end of the clients' cable.
pub(crate) const CLIENTS_LINK: &str = "clients";
/// Address of the load balancer: no host has it.
pub(crate) const SERVICE: &str = "10.96.0.10";
/// First two parts of the addresses of pods; the switch is 0.1.
pub(crate) const PODS: [u8; 2] = [10, 77];

/// Begins the names of all namespaces: `sterna-PID-COUNT-NAME`.
const PREFIX: &str = "sterna-";
const SWITCH: &str = "switch";
/// Folder whose `NAME/file` stands in for `/etc/file` in a namespace (ip-netns(8)).
const ETC: &str = "/etc/netns";
const FIRST_HOST: u16 = 2;

static NETWORKS: AtomicU32 = AtomicU32::new(0);

/// Which packets of a pod are lost, seen from the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
    Both,
}

/// Namespaces of one run, on one bridge.
#[derive(Debug)]
pub(crate) struct Network {
    prefix: String,
    next_host: AtomicU16,
}

/// A pod's place in it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) address: Ipv4Addr,
}

impl Network {
    /// Removes what dead runs left behind, then makes the switch and the namespace of the clients.
    ///
    /// # Errors
    /// This process may not make namespaces.
    pub(crate) fn new() -> Result<Self, String> {
        sweep()?;
        let prefix = format!("{PREFIX}{}-{}-", process::id(), NETWORKS.fetch_add(1, Relaxed));
        let network = Self { prefix, next_host: AtomicU16::new(FIRST_HOST) };
        let switch = network.switch();
        run(["ip", "netns", "add", &switch], "")?;
        must(&format!("ip -n {switch} link set lo up"));
        must(&format!("ip -n {switch} link add pods type bridge forward_delay 0"));
        must(&format!("ip -n {switch} addr add {}/16 dev pods", address_of(1)));
        must(&format!("ip -n {switch} link set pods up"));
        // The bridge is a switch and nothing else: packets between pods pass no filter of the switch.
        let settings = "echo 1 >/proc/sys/net/ipv4/ip_forward
            if [ -e /proc/sys/net/bridge ]; then echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables; fi";
        run(["ip", "netns", "exec", &switch, "sh", "-c", settings], "")?;

        let clients = network.namespace(CLIENTS);
        must(&format!("ip netns add {clients}"));
        network.plug(&clients, CLIENTS_LINK);
        must(&format!("ip -n {switch} addr add 10.78.0.1/24 dev {CLIENTS_LINK}"));
        must(&format!("ip -n {clients} addr add 10.78.0.2/24 dev eth0"));
        must(&format!("ip -n {clients} route add default via 10.78.0.1"));
        Ok(network)
    }

    /// Full name of a namespace of this run.
    pub(crate) fn namespace(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn switch(&self) -> String {
        self.namespace(SWITCH)
    }

    /// Makes a namespace for a pod, with an address that no pod had before, and the files of `/etc` that a kubelet
    /// writes.
    pub(crate) fn add_pod(&self, pod: &str, domain: &str) -> Place {
        let number = self.next_host.fetch_add(1, Relaxed);
        let (namespace, address) = (self.namespace(&format!("{pod}-{number}")), address_of(number));
        let etc = Path::new(ETC).join(&namespace);
        fs::create_dir_all(&etc).expect("the superuser may write there");
        let gateway = address_of(1);
        let suffixes = iter::successors(Some(domain), |domain| Some(domain.split_once('.')?.1));
        let search = suffixes.skip(1).take(3).collect::<Vec<_>>().join(" ");
        let files = [
            ("hosts", format!("127.0.0.1\tlocalhost\n{address}\t{pod}.{domain}\t{pod}\n")),
            ("resolv.conf", format!("nameserver {gateway}\nsearch {search}\noptions ndots:5\n")),
            ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
        ];
        for (name, text) in files {
            fs::write(etc.join(name), text).expect("the superuser may write there");
        }
        must(&format!("ip netns add {namespace}"));
        let link = format!("pod{number}");
        self.plug(&namespace, &link);
        must(&format!("ip -n {} link set {link} master pods", self.switch()));
        must(&format!("ip -n {namespace} addr add {address}/16 dev eth0"));
        must(&format!("ip -n {namespace} route add default via {gateway}"));
        Place { namespace, address }
    }

    /// A cable from the switch to `eth0` of a namespace.
    fn plug(&self, namespace: &str, link: &str) {
        let switch = self.switch();
        must(&format!("ip -n {switch} link add {link} type veth peer name eth0 netns {namespace}"));
        must(&format!("ip -n {switch} link set {link} up"));
        must(&format!("ip -n {namespace} link set eth0 up"));
        must(&format!("ip -n {namespace} link set lo up"));
    }
}

impl Place {
    /// Drops packets to and from everybody, or those peers only. What was cut before is mended.
    pub(crate) fn cut(&self, direction: Direction, peers: Option<&[Ipv4Addr]>) {
        let drop = |peer: &str| match peers {
            None => "drop".to_owned(),
            Some(peers) => {
                let peers: Vec<_> = peers.iter().map(Ipv4Addr::to_string).collect();
                format!("ip {peer} {{ {} }} drop", peers.join(", "))
            }
        };
        let rule = |is_on: bool, rule: String| if is_on { rule } else { String::new() };
        let input = rule(direction != Direction::Out, format!("iifname eth0 {}", drop("saddr")));
        let output = rule(direction != Direction::In, format!("oifname eth0 {}", drop("daddr")));
        self.mend();
        nft(
            &self.namespace,
            &format!(
                "table inet cut {{
                     chain input {{
                         type filter hook input priority filter
                         {input}
                     }}
                     chain output {{
                         type filter hook output priority filter
                         {output}
                     }}
                 }}\n"
            ),
        );
    }

    /// Ends a cut.
    pub(crate) fn mend(&self) {
        nft(&self.namespace, "table inet cut\ndelete table inet cut\n");
    }

    /// Pulls the cable out: nobody hears anything of this pod any more, not even that it has died.
    pub(crate) fn unplug(&self) {
        must(&format!("ip -n {} link set eth0 down", self.namespace));
    }

    /// Removes the namespace. Nothing runs in it any more.
    pub(crate) fn remove(&self) {
        remove(&self.namespace);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in namespaces().unwrap_or_default() {
            if namespace.starts_with(&self.prefix) {
                remove(&namespace);
            }
        }
    }
}

fn address_of(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(PODS[0], PODS[1], high, low)
}

/// Network namespaces of the system.
fn namespaces() -> Result<Vec<String>, String> {
    let lines = run(["ip", "netns", "list"], "")?;
    Ok(lines.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect())
}

/// Ends what runs in a namespace, and removes it.
fn remove(namespace: &str) {
    let pids = run(["ip", "netns", "pids", namespace], "").unwrap_or_default();
    for pid in pids.lines() {
        let _ = run(["kill", "-9", pid], ""); // it may have ended with another one
    }
    let _ = run(["ip", "netns", "delete", namespace], "");
    let _ = fs::remove_dir_all(Path::new(ETC).join(namespace));
}

/// Removes the namespaces of test processes that do not live any more.
fn sweep() -> Result<(), String> {
    for namespace in namespaces()? {
        let pid = namespace.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok())
            && !is_test(pid)
        {
            remove(&namespace);
        }
    }
    Ok(())
}

/// Whether that process is one of these tests: a pid may have a new owner.
fn is_test(pid: u32) -> bool {
    let ours = fs::read_link("/proc/self/exe").unwrap_or_default();
    let name = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split('-').next().map(str::to_owned)
    };
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|theirs| name(&theirs) == name(&ours))
}
