//! A client of server-sent events, block by block.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use serde_json::Value;

use crate::http::Http;
use crate::stream::Stream;

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// What may come.
#[derive(Clone, Debug)]
pub(crate) enum Incoming {
    Event(Event),
    /// A comment, or the order to wait before a reconnect.
    Other,
    /// The end of the connection, in order or not.
    End,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct EventStream {
    stream: Stream,
    received: Vec<u8>,
}

impl EventStream {
    /// Opens a stream, which the server must accept.
    pub(crate) fn open(address: &str, query: &str, last_event_id: Option<&str>) -> Self {
        let mut http = Http::open(address);
        let resume = last_event_id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        http.send(format!("GET /sse?{query} HTTP/1.1\r\nHost: test\r\n{resume}\r\n"));
        let head = http.head();
        assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")), "{head:?}");
        let (stream, received) = http.into_parts();
        Self { stream, received }
    }

    /// The bytes of the connection.
    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// What comes next, if it comes in time.
    pub(crate) fn next_within(&mut self, time: Duration) -> Option<Incoming> {
        loop {
            if let Some(end) = self.received.windows(2).position(|window| window == b"\n\n") {
                let block: Vec<u8> = self.received.drain(..end + 2).collect();
                return Some(read_block(std::str::from_utf8(&block).expect("a text")));
            }
            self.stream.socket().set_read_timeout(Some(time)).expect("a time above 0");
            let mut buffer = vec![0; 64 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Some(Incoming::End),
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(Incoming::End),
            }
        }
    }
}

fn read_block(block: &str) -> Incoming {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    match (field("event"), field("data")) {
        (Some(name), Some(data)) => Incoming::Event(Event {
            name: name.to_owned(),
            id: field("id").map(str::to_owned),
            data: serde_json::from_str(data).expect("the data is JSON"),
        }),
        _ => Incoming::Other,
    }
}
