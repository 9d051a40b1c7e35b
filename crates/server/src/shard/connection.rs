//! One connection's record: everything a socket costs while it is idle.

use mio::net::TcpStream;
use sterna_broker::session::Session;
use sterna_model::{Position, SubjectId};
use sterna_wire::http::{self, Request};
use sterna_wire::rest::ConsumeResult;
use sterna_wire::sse::ResumeToken;
use sterna_wire::websocket::{self, PerMessageDeflate};

use super::outbox::Queue;
use super::tls::Tls;

/// A socket with its session.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    pub(super) state: State,
    /// What waits for the socket.
    pub(super) queue: Queue,
    /// Tick at which the connection's timer is due.
    pub(super) deadline: u32,
    /// Tick at which it comes up from the wheel next.
    pub(super) scheduled: u32,
    /// Tick at which something was last heard from the peer.
    pub(super) heard: u32,
    /// Publishes that await their result.
    pub(super) unanswered: u32,
    /// Bytes accounted for session, decoder and TLS at the last count.
    pub(super) accounted: u32,
    pub(super) protocol: Protocol,
    pub(super) session: Session,
    pub(super) tls: Option<Box<Tls>>,
}

/// What a connection speaks.
#[derive(Debug)]
pub(super) enum Protocol {
    /// HTTP requests, one after the other.
    Http(http::Decoder),
    /// An HTTP request that awaits the core.
    Waiting(Box<Waiting>),
    /// The native protocol.
    WebSocket(websocket::Decoder, Option<PerMessageDeflate>),
    /// Server-sent events.
    EventStream(Box<EventStream>),
    /// HTTP input behind requests whose answers the client does not read: it waits until they are written.
    Choked(Box<[u8]>),
    /// Nothing any more: what waits is written, then the socket is closed.
    Closing,
}

/// An HTTP request that awaits the core.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: Request,
    /// Input behind the request.
    pub(super) rest: Vec<u8>,
    pub(super) answer: Answer,
}

/// How the awaited answer is made.
#[derive(Debug)]
pub(super) enum Answer {
    /// A produce request.
    Produce { subject: Box<str>, closure: Box<str> },
    /// A consume request; if there is nothing it waits that long for something.
    Consume { subject: Box<str>, wait_ms: u64 },
    /// A consume request that waits for the next message.
    Poll { result: ConsumeResult, recovery: &'static str },
}

/// An event stream.
#[derive(Debug)]
pub(super) struct EventStream {
    /// Positions of its subjects, in the order of the request.
    pub(super) resume: ResumeToken,
    /// Names of its subjects, in the order of the request.
    pub(super) names: Vec<Box<str>>,
    /// Numbers of its subjects, as far as known.
    pub(super) subjects: Vec<Option<SubjectId>>,
}

impl EventStream {
    /// Whether the stream has one subject only, so that the id can stand in the shared bytes.
    pub(super) fn is_single(&self) -> bool {
        self.names.len() == 1
    }

    /// Notes where the stream stands for a subject.
    pub(super) fn note(&mut self, subject: SubjectId, position: Position) {
        if let Some(at) = self.subjects.iter().position(|known| *known == Some(subject)) {
            self.resume.set(at, position);
        }
    }
}

/// The flags of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State(u16);

/// One flag.
#[derive(Clone, Copy, Debug)]
#[repr(u16)]
pub(super) enum Flag {
    /// In the list of queues to flush.
    Dirty = 1,
    /// The socket is full; the next write waits for the poll.
    Blocked = 1 << 1,
    /// In the list of sockets with input left.
    ReadPending = 1 << 2,
    /// Input waits until the session or the core has caught up.
    Paused = 1 << 3,
    /// Close when everything is written.
    CloseWhenFlushed = 1 << 4,
    /// Stop reading, and close with `GoingAway` when every publish is answered.
    Leaving = 1 << 5,
    /// Our side is shut down; the peer's end is awaited.
    Ended = 1 << 6,
    /// A ping awaits its answer.
    Pinged = 1 << 7,
    /// Has a conflated subscription.
    Conflates = 1 << 8,
    /// In the list of queues that collect a batch.
    Collecting = 1 << 9,
    /// The socket's address may publish.
    MayPublish = 1 << 10,
    /// The peer has ended its side; the connection ends when what was asked for before is answered.
    InputEnded = 1 << 11,
    /// Was asked to move to another member.
    Moving = 1 << 12,
}

impl State {
    pub(super) fn has(self, flag: Flag) -> bool {
        self.0 & flag as u16 != 0
    }

    pub(super) fn set(&mut self, flag: Flag) {
        self.0 |= flag as u16;
    }

    pub(super) fn clear(&mut self, flag: Flag) {
        self.0 &= !(flag as u16);
    }

    /// Sets the flag; whether it was not set before.
    pub(super) fn raise(&mut self, flag: Flag) -> bool {
        let raised = !self.has(flag);
        self.set(flag);
        raised
    }
}

impl Connection {
    /// Whether the peer has sent its end, and nothing before it that is not read yet.
    pub(super) fn has_ended(&self) -> bool {
        self.state.has(Flag::InputEnded) || matches!(self.socket.peek(&mut [0]), Ok(0))
    }

    /// Bytes besides the record itself.
    pub(super) fn held_bytes(&self) -> usize {
        let protocol = match &self.protocol {
            Protocol::Http(decoder) => decoder.held_bytes(),
            Protocol::Waiting(waiting) => {
                let answer = match &waiting.answer {
                    Answer::Poll { result, .. } => result.held_bytes(),
                    Answer::Produce { .. } | Answer::Consume { .. } => 0,
                };
                size_of::<Waiting>() + waiting.rest.capacity() + answer
            }
            Protocol::WebSocket(decoder, _) => decoder.held_bytes(),
            Protocol::EventStream(stream) => {
                size_of::<EventStream>() + stream.resume.held_bytes() + stream.names.len() * 64
            }
            Protocol::Choked(input) => input.len(),
            Protocol::Closing => 0,
        };
        protocol + self.session.held_bytes() + self.tls.as_ref().map_or(0, |tls| tls.held_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Option<Connection>>() <= 208, "{} bytes", size_of::<Option<Connection>>());
    }
}
