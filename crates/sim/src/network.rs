//! Sockets between clients and members: ordered, delayed, bounded, and cut at any point.

use std::collections::VecDeque;
use std::sync::Arc;

use sterna_broker::core::{Cut, Reading};
use sterna_model::{Code, Kind, Random, Record, Reply, Request, Subject};

use crate::client::ClientId;
use crate::member::MemberId;

/// One connection. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(pub(crate) u32);

/// What travels to a member.
#[derive(Debug)]
pub(crate) enum Upward {
    Request(Request),
    /// A one-time question, which in the server is an HTTP request.
    Read(Subject, Reading),
    /// The client is gone.
    End,
}

/// What travels to a client.
#[derive(Clone, Debug)]
pub(crate) enum Downward {
    Reply(Reply),
    Message(Kind, Arc<Record>),
    /// The answer to a one-time question.
    Answer(Subject, Cut, Vec<(Kind, Arc<Record>)>),
    /// The member closes, and says why.
    Close(Code),
    /// The member is gone.
    End,
}

impl Downward {
    /// Bytes on the wire, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let message = |record: &Record| 100 + record.message.content.len();
        match self {
            Self::Reply(_) => 120,
            Self::Message(_, record) => message(record),
            Self::Answer(_, _, messages) => {
                100 + messages.iter().map(|(_, record)| message(record)).sum::<usize>()
            }
            Self::Close(_) => 10,
            Self::End => 0,
        }
    }
}

/// One direction of a socket: what is under way, and when it arrives.
#[derive(Debug)]
struct Pipe<T> {
    under_way: VecDeque<(u64, T)>,
    last_us: u64,
}

impl<T> Pipe<T> {
    fn new() -> Self {
        Self { under_way: VecDeque::new(), last_us: 0 }
    }

    fn push(&mut self, at_us: u64, item: T) -> u64 {
        self.last_us = self.last_us.max(at_us);
        self.under_way.push_back((self.last_us, item));
        self.last_us
    }

    fn arrives_us(&self) -> Option<u64> {
        self.under_way.front().map(|(at_us, _)| *at_us)
    }

    fn pop(&mut self, now_us: u64) -> Option<T> {
        self.under_way.pop_front_if(|(at_us, _)| *at_us <= now_us).map(|(_, item)| item)
    }

    /// Loses what is under way from some point on.
    fn cut(&mut self, random: &mut Random) {
        let kept = random.between(0, self.under_way.len() as u64);
        self.under_way.truncate(kept as usize);
    }
}

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) client: ClientId,
    pub(crate) member: MemberId,
    /// Shard that serves it.
    pub(crate) shard: u16,
    up: Pipe<Upward>,
    down: Pipe<Downward>,
    /// Bytes that wait for the client to read them.
    down_bytes: usize,
    /// Cut: what is sent from now on is lost.
    broken: bool,
    /// Most a frame takes, microseconds.
    latency_us: u64,
}

/// All sockets of a run.
#[derive(Debug)]
pub(crate) struct Network {
    sockets: Vec<Socket>,
    random: Random,
    /// Bytes that a socket takes while its client does not read.
    socket_bytes_max: usize,
}

impl Network {
    pub(crate) fn new(random: Random, socket_bytes_max: usize) -> Self {
        Self { sockets: Vec::new(), random, socket_bytes_max }
    }

    pub(crate) fn get(&self, id: SocketId) -> &Socket {
        &self.sockets[id.0 as usize]
    }

    fn get_mut(&mut self, id: SocketId) -> &mut Socket {
        &mut self.sockets[id.0 as usize]
    }

    /// A new socket to a shard of a member.
    pub(crate) fn open(&mut self, client: ClientId, member: MemberId, shard: u16) -> SocketId {
        let id = SocketId(u32::try_from(self.sockets.len()).expect("a run is not that long"));
        let latency_us = self.random.pick(&[100, 1_000, 5_000, 20_000]);
        let (up, down) = (Pipe::new(), Pipe::new());
        self.sockets.push(Socket {
            client,
            member,
            shard,
            up,
            down,
            down_bytes: 0,
            broken: false,
            latency_us,
        });
        id
    }

    fn arrival_us(&mut self, id: SocketId, now_us: u64) -> u64 {
        let latency_us = self.get(id).latency_us;
        now_us + self.random.between(latency_us / 4, latency_us)
    }

    /// Sends to the member; returns when it arrives.
    pub(crate) fn send_up(&mut self, id: SocketId, now_us: u64, item: Upward) -> Option<u64> {
        let at_us = self.arrival_us(id, now_us);
        let socket = self.get_mut(id);
        (!socket.broken).then(|| socket.up.push(at_us, item))
    }

    /// Sends to the client; returns when it arrives.
    pub(crate) fn send_down(&mut self, id: SocketId, now_us: u64, item: Downward) -> Option<u64> {
        let at_us = self.arrival_us(id, now_us);
        let socket = self.get_mut(id);
        if socket.broken {
            return None;
        }
        socket.down_bytes += item.bytes();
        Some(socket.down.push(at_us, item))
    }

    /// Whether the member can write so many bytes. One frame always fits into an empty socket.
    pub(crate) fn has_room(&self, id: SocketId, bytes: usize) -> bool {
        let socket = self.get(id);
        socket.broken || socket.down_bytes == 0 || socket.down_bytes + bytes <= self.socket_bytes_max
    }

    pub(crate) fn receive_up(&mut self, id: SocketId, now_us: u64) -> Option<Upward> {
        self.get_mut(id).up.pop(now_us)
    }

    pub(crate) fn receive_down(&mut self, id: SocketId, now_us: u64) -> Option<Downward> {
        let socket = self.get_mut(id);
        let item = socket.down.pop(now_us)?;
        socket.down_bytes = socket.down_bytes.saturating_sub(item.bytes());
        Some(item)
    }

    /// When something arrives at the member.
    pub(crate) fn next_up_us(&self, id: SocketId) -> Option<u64> {
        self.get(id).up.arrives_us()
    }

    /// When something arrives at the client.
    pub(crate) fn next_down_us(&self, id: SocketId) -> Option<u64> {
        self.get(id).down.arrives_us()
    }

    /// The client closes its end: it reads nothing more, and what is written to it is lost.
    pub(crate) fn hang_up(&mut self, id: SocketId, now_us: u64) {
        self.send_up(id, now_us, Upward::End);
        self.get_mut(id).broken = true;
    }

    /// Cuts a socket: in each direction an end of what is under way is lost, and each side notices in its own
    /// time. Returns when the member and when the client notice.
    pub(crate) fn cut(&mut self, id: SocketId, now_us: u64) -> (u64, u64) {
        let notices_us = [(); 2].map(|()| {
            let slow_us = self.random.pick(&[100, 10_000, 3_000_000]);
            now_us + self.random.between(0, slow_us)
        });
        let socket = &mut self.sockets[id.0 as usize];
        if !socket.broken {
            socket.up.cut(&mut self.random);
            socket.down.cut(&mut self.random);
            socket.broken = true;
        }
        (socket.up.push(notices_us[0], Upward::End), socket.down.push(notices_us[1], Downward::End))
    }
}
