//! The headless service: a DNS server that knows the ready pods, and nobody else.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::kubelet::Node;
use super::process::enter;

/// Time to live of an answer, as the cluster's own, seconds.
const TTL_S: u32 = 5;
/// Largest query and answer without extensions (RFC 1035, 2.3.4).
const PACKET_BYTES_MAX: usize = 512;
const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;
/// An answer; recursion desired and available (RFC 1035, 4.1.1).
const FLAGS: u16 = 0x8180;
const NAME_UNKNOWN: u16 = 3;

/// A thread that answers on port 53 of the switch, until it is dropped.
#[derive(Debug)]
pub(crate) struct NameServer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Starts it in that network namespace. Those outside `pods` are outside the cluster: they are told nothing.
    pub(crate) fn start(namespace: String, node: Arc<Node>, pods: [u8; 2]) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = thread::spawn(move || {
            enter(&namespace);
            let socket = UdpSocket::bind("0.0.0.0:53").expect("nobody else is in this namespace");
            socket.set_read_timeout(Some(Duration::from_millis(50))).expect("it is not zero");
            let mut query = [0; PACKET_BYTES_MAX];
            while !over.load(Relaxed) {
                let Ok((bytes, peer)) = socket.recv_from(&mut query) else { continue };
                let is_pod = matches!(peer, SocketAddr::V4(peer) if peer.ip().octets()[..2] == pods);
                let find = |name: &str| node.endpoints.ready(name).filter(|_| is_pod);
                if let Some(answer) = answer(&query[..bytes], find) {
                    let _ = socket.send_to(&answer, peer); // a pod that is gone asks no more
                }
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The answer to a query; none to what is no query.
fn answer(query: &[u8], find: impl Fn(&str) -> Option<Ipv4Addr>) -> Option<Vec<u8>> {
    let mut name = String::new();
    let mut at = HEADER_BYTES;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = std::str::from_utf8(query.get(at..at + length)?).ok()?;
        name =
            if name.is_empty() { label.to_lowercase() } else { format!("{name}.{}", label.to_lowercase()) };
        at += length;
    }
    let kind = u16::from_be_bytes(query.get(at..at + 2)?.try_into().ok()?);
    let question = &query[HEADER_BYTES..at + 4];
    let found = find(&name);
    // A pod has no IPv6 address: its name exists, with no answer.
    let address = found.filter(|_| kind == TYPE_A);

    let mut answer = query[..2].to_vec();
    let flags = if found.is_some() { FLAGS } else { FLAGS | NAME_UNKNOWN };
    for number in [flags, 1, u16::from(address.is_some()), 0, 0] {
        answer.extend(number.to_be_bytes());
    }
    answer.extend(question);
    if let Some(address) = address {
        answer.extend([0xc0, HEADER_BYTES as u8]); // the name of the question
        answer.extend(TYPE_A.to_be_bytes());
        answer.extend(CLASS_IN.to_be_bytes());
        answer.extend(TTL_S.to_be_bytes());
        answer.extend(4_u16.to_be_bytes());
        answer.extend(address.octets());
    }
    Some(answer)
}
