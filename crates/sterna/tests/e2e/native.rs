//! A native client that does exactly what a test says, also what no good client would do.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::SockRef;
use sterna_wire::websocket::{self, Decoder, Event, Opcode, Role, Shared};

use crate::http::{Answer, Http};
use crate::stream::Stream;
use crate::support::SOON;

/// The largest message that these clients take.
const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// A masking key: it hides nothing from anybody here.
const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// What a server may send.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incoming {
    /// A text frame.
    Frame(Value),
    /// A WebSocket ping.
    Ping(Vec<u8>),
    /// A WebSocket pong.
    Pong(Vec<u8>),
    /// A close frame.
    Close(u16, String),
    /// The end of the connection, in order or not.
    End,
}

/// One WebSocket connection.
#[derive(Debug)]
pub(crate) struct Native {
    stream: Stream,
    decoder: Decoder,
    shared: Shared,
    input: Vec<u8>,
    taken: usize,
}

/// Head of an upgrade request, with further header lines.
pub(crate) fn upgrade(lines: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    )
}

/// A client's frame.
pub(crate) fn masked(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    websocket::masked_frame(opcode, payload, false, KEY, &mut out);
    out
}

impl Native {
    /// Opens a WebSocket; nothing is said on it yet.
    pub(crate) fn open(address: &str) -> Self {
        Self::upgraded(Http::open(address), "")
    }

    /// The same, offering compression.
    pub(crate) fn open_compressed(address: &str) -> Self {
        Self::upgraded(Http::open(address), "Sec-WebSocket-Extensions: permessage-deflate\r\n")
    }

    /// Upgrades a connection, with further header lines in the request.
    pub(crate) fn upgraded(mut http: Http, lines: &str) -> Self {
        http.send(upgrade(lines));
        Self::answered(http).unwrap_or_else(|answer| panic!("{answer:?}"))
    }

    /// Goes on in WebSocket if the server has agreed to an upgrade.
    ///
    /// # Errors
    /// The head of the server's refusal.
    pub(crate) fn answered(mut http: Http) -> Result<Self, Answer> {
        let head = http.head();
        if head.status != 101 {
            return Err(head);
        }
        let deflate = head.header("sec-websocket-extensions").is_some();
        let (stream, input) = http.into_parts();
        let decoder = Decoder::new(Role::Client, deflate);
        Ok(Self { stream, decoder, shared: Shared::default(), input, taken: 0 })
    }

    /// Opens a WebSocket and begins a session.
    pub(crate) fn connect(address: &str, token: Option<&str>) -> Self {
        let mut client = Self::open(address);
        client.begin(token);
        client
    }

    /// Begins the session.
    pub(crate) fn begin(&mut self, token: Option<&str>) -> Value {
        let mut connect = json!({"op": "connect", "client": "e2e/1.0"});
        if let Some(token) = token {
            connect["token"] = token.into();
        }
        self.send(&connect);
        self.frame_of("connected")
    }

    /// Begins a subscription; gives the answer.
    pub(crate) fn subscribe(&mut self, subject: &str) -> Value {
        self.send(&json!({"op": "subscribe", "subjects": [subject]}));
        self.frame_of("subscribed")
    }

    /// Publishes; gives the result. Nothing else may be on its way.
    pub(crate) fn publish(&mut self, subject: &str, content: &str) -> Value {
        self.send(&json!({"op": "publish", "id": 1, "subject": subject, "content": content}));
        self.frame_of("published")
    }

    /// Publishes, and wants it to be accepted.
    pub(crate) fn publish_ok(&mut self, subject: &str, content: &str) -> Value {
        let result = self.publish(subject, content);
        assert_eq!(result["status"], "OK", "{result}");
        result
    }

    /// Publishes to a subject that it is subscribed to; the message and the result may come in any order.
    pub(crate) fn publish_and_hear(&mut self, subject: &str, content: &str) {
        self.send(&json!({"op": "publish", "id": 1, "subject": subject, "content": content}));
        let mut ops = [self.frame(), self.frame()].map(|frame| frame["op"].clone());
        ops.sort_by_key(ToString::to_string);
        assert_eq!(ops, ["message", "published"]);
    }

    /// The bytes of the connection.
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, request: &Value) {
        self.send_text(&request.to_string());
    }

    /// Sends a text frame.
    pub(crate) fn send_text(&mut self, text: &str) {
        self.send_bytes(&masked(Opcode::Text, text.as_bytes()));
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the server takes it");
    }

    /// The same where the server may have gone.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// What comes next.
    ///
    /// # Panics
    /// Nothing comes in time.
    pub(crate) fn next(&mut self) -> Incoming {
        self.next_within(SOON).unwrap_or_else(|| panic!("nothing came within {SOON:?}"))
    }

    /// What comes next, if it comes in time.
    pub(crate) fn next_within(&mut self, time: Duration) -> Option<Incoming> {
        loop {
            if let Some(incoming) = self.decode() {
                return Some(incoming);
            }
            self.socket().set_read_timeout(Some(time)).expect("a time above 0");
            let mut buffer = vec![0; 64 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Some(Incoming::End),
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(Incoming::End),
            }
        }
    }

    fn decode(&mut self) -> Option<Incoming> {
        let step = self
            .decoder
            .next(&mut self.input[self.taken..], &mut self.shared, PAYLOAD_BYTES_MAX)
            .expect("a server keeps to the protocol");
        let incoming = step.event.map(|event| match event {
            Event::Text(text) => Incoming::Frame(serde_json::from_str(text).expect("a server sends JSON")),
            Event::Binary(_) => panic!("a server sends text"),
            Event::Ping(payload) => Incoming::Ping(payload.to_vec()),
            Event::Pong(payload) => Incoming::Pong(payload.to_vec()),
            Event::Close { code, reason } => Incoming::Close(code.unwrap_or_default(), reason.to_owned()),
        });
        self.taken += step.consumed;
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
        incoming
    }

    /// The next frame; pings are answered on the way.
    pub(crate) fn frame(&mut self) -> Value {
        loop {
            match self.next() {
                Incoming::Frame(frame) => return frame,
                Incoming::Ping(payload) => self.send_bytes(&masked(Opcode::Pong, &payload)),
                other => panic!("{other:?} instead of a frame"),
            }
        }
    }

    /// The next frame, which must be of that operation.
    pub(crate) fn frame_of(&mut self, op: &str) -> Value {
        let frame = self.frame();
        assert_eq!(frame["op"], op, "{frame}");
        frame
    }

    /// The close frame, whatever comes before it; behind it must be the end.
    pub(crate) fn close(&mut self) -> (u16, String) {
        loop {
            match self.next() {
                Incoming::Close(code, reason) => {
                    assert_eq!(self.next(), Incoming::End, "behind a close frame is the end");
                    return (code, reason);
                }
                Incoming::End => panic!("the connection ended without a close frame"),
                Incoming::Frame(_) | Incoming::Ping(_) | Incoming::Pong(_) => {}
            }
        }
    }

    /// Asks for a sign of life, which must be the next thing that comes.
    pub(crate) fn assert_alive(&mut self) {
        self.send(&json!({"op": "ping", "id": 4711}));
        assert_eq!(self.frame(), json!({"op": "pong", "id": 4711}));
    }

    /// Ends the connection as a process does that is killed, or a router that forgets: with a reset.
    pub(crate) fn abort(self) {
        let _ = SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
    }
}
