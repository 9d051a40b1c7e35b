//! HTTP as a test writes it: bytes out as they stand, answers in.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use sterna_model::Code;

use crate::stream::Stream;
use crate::support::SOON;

/// One connection.
#[derive(Debug)]
pub(crate) struct Http {
    stream: Stream,
    received: Vec<u8>,
}

/// An answer. The names of its headers are in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Value of the first header line with that name, which is to be given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks that it is the error of that code, with the table's status, name and class.
    pub(crate) fn assert_refused(&self, code: Code) {
        assert_eq!(self.status, code.http_status(), "{}: {}", code.name(), self.text());
        let body = self.json();
        assert_eq!(body["code"], code.number(), "{body}");
        assert_eq!(body["name"], code.name(), "{body}");
        assert_eq!(body["class"], code.class().name(), "{body}");
        assert!(body["advice"].is_string(), "{body}");
        assert_eq!(self.header("content-type"), Some("application/json"));
    }
}

impl Http {
    /// Opens a connection.
    pub(crate) fn open(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        Self::over(Stream::Plain(socket))
    }

    /// Uses a connection.
    pub(crate) fn over(stream: Stream) -> Self {
        let socket = stream.socket();
        socket.set_read_timeout(Some(SOON)).expect("a time above 0");
        socket.set_nodelay(true).expect("an open socket");
        Self { stream, received: Vec::new() }
    }

    /// The bytes that come, and those that were received and not used.
    pub(crate) fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.received)
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the server takes it");
    }

    /// The same where the server may have ended the connection.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends bytes with the end of TLS behind them; the server may still answer.
    pub(crate) fn send_last(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.send_last(bytes.as_ref()).expect("the server takes it");
    }

    /// Sends a request without a body, and reads the answer.
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        self.answer()
    }

    /// Publishes over REST.
    pub(crate) fn produce(&mut self, subject: &str, token: &str, content: &str) -> Answer {
        let length = content.len();
        self.send(format!(
            "POST /rest/produce?subject={subject}&closure=c HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {length}\r\n\r\n{content}"
        ));
        self.answer()
    }

    /// The next answer's head; its body, if any, is not read.
    pub(crate) fn head(&mut self) -> Answer {
        let end = self.receive_until(b"\r\n\r\n");
        let head = String::from_utf8(self.received.drain(..end).collect()).expect("a head is text");
        let mut lines = head.trim_end().split("\r\n");
        let mut status_line = lines.next().expect("a status line").splitn(3, ' ');
        assert_eq!(status_line.next(), Some("HTTP/1.1"));
        let status = status_line.next().and_then(|status| status.parse().ok()).expect("a status");
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is no header line"));
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Answer { status, headers: lines.map(header).collect(), body: Vec::new() }
    }

    /// The next answer, of which the length is stated.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        if ![100, 101, 204].contains(&answer.status) {
            let length = answer.header("content-length").unwrap_or_else(|| panic!("no length: {answer:?}"));
            let length = length.parse().expect("a number");
            answer.body = self.receive(length);
        }
        answer
    }

    /// The next bytes of a body.
    pub(crate) fn receive(&mut self, length: usize) -> Vec<u8> {
        while self.received.len() < length {
            self.receive_more();
        }
        self.received.drain(..length).collect()
    }

    /// The next text of a body, up to and with `end`.
    pub(crate) fn receive_text(&mut self, end: &str) -> String {
        let length = self.receive_until(end.as_bytes());
        String::from_utf8(self.receive(length)).expect("a text")
    }

    /// Everything up to the end of the connection, in order or not.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        // A reset is an end as well.
        let _ = self.stream.read_to_end(&mut self.received);
        std::mem::take(&mut self.received)
    }

    /// Checks that the server ends the connection, and sends nothing before that.
    pub(crate) fn assert_end(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    }

    fn receive_until(&mut self, end: &[u8]) -> usize {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                return at + end.len();
            }
            self.receive_more();
        }
    }

    fn receive_more(&mut self) {
        let mut buffer = vec![0; 64 * 1024];
        let count = self.stream.read(&mut buffer).unwrap_or_else(|error| {
            panic!("{error} after {:?}", String::from_utf8_lossy(&self.received));
        });
        assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&self.received));
        self.received.extend_from_slice(&buffer[..count]);
    }
}
