//! A subscriber's connection: the native protocol or server-sent events, which look alike from here on.

use std::net::Shutdown;
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;

use crate::event_stream::{self, EventStream};
use crate::native::{self, Native};
use crate::stream::Stream;

/// One connection.
pub(super) enum Link {
    Native(Native),
    Events(EventStream),
}

/// What came.
pub(super) enum Seen {
    /// A frame, or an event as the frame that it is made of, with its id.
    Frame(Value, Option<String>),
    /// Nothing of a subscription.
    Other,
    /// The server has closed, with a code if it said one.
    End(Option<u64>),
}

impl Link {
    /// What comes next, if it comes in time.
    pub(super) fn next_within(&mut self, time: Duration) -> Option<Seen> {
        Some(match self {
            Self::Native(client) => match client.next_within(time)? {
                native::Incoming::Frame(frame) => Seen::Frame(frame, None),
                native::Incoming::Ping(_) | native::Incoming::Pong(_) => Seen::Other,
                native::Incoming::Close(code, _) => Seen::End(Some(code.into())),
                native::Incoming::End => Seen::End(None),
            },
            Self::Events(stream) => match stream.next_within(time)? {
                event_stream::Incoming::Event(event) if event.name == "error" => {
                    Seen::End(event.data["code"].as_u64())
                }
                event_stream::Incoming::Event(event) => {
                    let mut frame = event.data;
                    frame["op"] = event.name.into();
                    Seen::Frame(frame, event.id)
                }
                event_stream::Incoming::Other => Seen::Other,
                event_stream::Incoming::End => Seen::End(None),
            },
        })
    }

    /// Ends the connection with a reset.
    pub(super) fn abort(self) {
        let _ = SockRef::from(self.stream().socket()).set_linger(Some(Duration::ZERO));
    }

    /// Ends our side, and then all of it.
    pub(super) fn end(self) {
        let _ = self.stream().socket().shutdown(Shutdown::Write);
    }

    fn stream(&self) -> &Stream {
        match self {
            Self::Native(client) => client.stream(),
            Self::Events(stream) => stream.stream(),
        }
    }
}
