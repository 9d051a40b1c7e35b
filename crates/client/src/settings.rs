//! What a client is made with.

use std::path::PathBuf;

use crate::{Reconnect, Server};

/// Settings of a client. [`Settings::new`] fills in defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to connect; one is chosen at random by weight.
    pub servers: Vec<Server>,
    /// Entitlement token.
    pub token: Option<Box<str>>,
    /// Name and version of the program, for the server's log.
    pub client: Box<str>,
    /// Publisher id, unique to this client; none makes a random one. Whoever gives one of their own must not use a
    /// publisher sequence twice: see `publisher_seq_first`.
    pub publisher: Option<Box<str>>,
    /// Publisher sequence of the first message.
    pub publisher_seq_first: u64,
    /// When to connect again.
    pub reconnect: Reconnect,
    /// [`Event::ServerDown`](crate::Event::ServerDown) is told after this many failed attempts in a row.
    pub notify_after_failed_attempts: u32,
    /// Time for one attempt to connect, from the name of the host to the server's `connected`, milliseconds.
    pub connect_timeout_ms: u64,
    /// A publish that has no final result after this time fails, milliseconds.
    pub publish_timeout_ms: u64,
    /// Publishes without a result at once, at most 512. With 1, order holds also when a busy server makes a publish
    /// wait; with more, those already sent may be accepted before it.
    pub unanswered_max: usize,
    /// Bytes of the contents of these publishes; one is always allowed.
    pub unanswered_bytes_max: usize,
    /// Largest content that is accepted from a server, bytes, whatever it says of itself.
    pub message_bytes_max: usize,
    /// Whether to offer compression of what the server sends.
    pub compression: bool,
    /// PEM file with certificates of authorities to trust besides those of the system.
    pub authorities: Option<PathBuf>,
}

impl Settings {
    /// Settings with defaults: no token, a random publisher id, the documented delays.
    #[must_use]
    pub fn new(servers: Vec<Server>) -> Self {
        Self {
            servers,
            token: None,
            client: concat!("sterna-client/", env!("CARGO_PKG_VERSION")).into(),
            publisher: None,
            publisher_seq_first: 1,
            reconnect: Reconnect::default(),
            notify_after_failed_attempts: 1,
            connect_timeout_ms: 10_000,
            publish_timeout_ms: 30_000,
            unanswered_max: 256,
            unanswered_bytes_max: 8 << 20,
            message_bytes_max: 64 << 20,
            compression: false,
            authorities: None,
        }
    }
}
