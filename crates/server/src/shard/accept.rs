//! A socket becomes a connection of this shard.

use std::time::Duration;

use mio::Interest;
use mio::Token;
use sterna_broker::session::Session;
use sterna_model::Code;
use sterna_wire::http::{self, Response};

use super::connection::{Connection, Flag, Protocol, State};
use super::outbox::Queue;
use super::tls::Tls;
use super::{Shard, WAKER};
use crate::mailbox::Accepted;

impl Shard {
    pub(super) fn accept(&mut self, accepted: Accepted) {
        // The acceptor counts on it: what was handed over is refused here, or closed one day.
        if !self.admit(accepted) {
            self.metrics.refused.add(1);
        }
    }

    /// Makes a connection of the socket, if there is room.
    fn admit(&mut self, accepted: Accepted) -> bool {
        let Accepted { mut socket, peer, encrypted } = accepted;
        if self.drain.is_some() {
            return false;
        }
        if self.memory_bytes() >= self.settings.shard_bytes_max {
            if !encrypted {
                refuse(&socket, Code::TooManyConnections);
            }
            return false;
        }
        let tls = match encrypted.then(|| self.settings.tls.clone().map(Tls::new)).flatten().transpose() {
            Ok(tls) => tls,
            Err(error) => {
                tracing::error!(%error, "cannot begin TLS; check TlsCertificate and TlsKey");
                return false;
            }
        };
        let (index, _) = self.table.vacant();
        let token = Token(index as usize);
        assert!(token != WAKER, "fewer connections than numbers");
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut socket, token, interest) {
            tracing::warn!(%error, "cannot watch a new connection; it is dropped");
            return false;
        }
        let unanswered_ms = self.settings.keep_alive_interval_ms + self.settings.keep_alive_timeout_ms;
        let socket_ref = socket2::SockRef::from(&socket);
        // A peer that vanished without a word is noticed by the kernel even if we only ever write.
        let _ = socket_ref.set_tcp_user_timeout(Some(Duration::from_millis(unanswered_ms)));
        let _ = socket.set_nodelay(true);

        let may_publish = self
            .settings
            .publish_from
            .as_ref()
            .is_none_or(|networks| networks.iter().any(|network| network.contains(peer.ip())));
        let mut state = State::default();
        if may_publish {
            state.set(Flag::MayPublish);
        }
        self.encrypted += u64::from(tls.is_some());
        self.table.insert(Connection {
            socket,
            state,
            queue: Queue::default(),
            deadline: 0,
            scheduled: 0,
            heard: self.tick,
            unanswered: 0,
            accounted: 0,
            protocol: Protocol::Http(http::Decoder::default()),
            session: Session::default(),
            tls: tls.map(Box::new),
        });
        self.account(index);
        self.metrics.accepted.add(1);
        self.set_deadline(index, self.settings.handshake_timeout_ms);
        true
    }

    /// Bytes accounted to this shard.
    pub(super) fn memory_bytes(&self) -> usize {
        self.table_bytes + self.session_bytes + self.outgoing.arena.held_bytes() + self.conflated_bytes.get()
    }

    /// Bytes of the tables; counted once a tick, because they change slowly and take time to count.
    pub(super) fn count_table_bytes(&mut self) {
        self.table_bytes = self.table.held_bytes()
            + self.wheel.held_bytes()
            + self.audiences.held_bytes()
            + self.conflation.held_bytes();
    }

    /// Counts the bytes of a connection anew.
    pub(super) fn account(&mut self, index: u32) {
        let Some(connection) = self.table.get_mut(index) else { return };
        let held = u32::try_from(connection.held_bytes()).unwrap_or(u32::MAX);
        self.session_bytes = self.session_bytes + held as usize - connection.accounted as usize;
        connection.accounted = held;
    }
}

/// Tells a client that there is no room, as far as that is possible without waiting.
pub(crate) fn refuse(socket: &mio::net::TcpStream, code: Code) {
    let mut bytes = Vec::new();
    Response::error(code, None).encode_last("", &mut bytes);
    // The socket is dropped either way.
    let _ = std::io::Write::write(&mut &*socket, &bytes);
}
