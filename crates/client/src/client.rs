//! The client: the rules and a connection, moved by whoever waits for events.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use sterna_model::{Message, Position, Start, SubscribeItem};

use crate::machine::{Effect, Ended, Full, Machine};
use crate::transport::{Incoming, Link, Opening, client_config, open};
use crate::{Event, Server, Settings};

/// Frames are written when this much waits, or with the next wait for an event. Bytes.
const FLUSH_BYTES: usize = 16 * 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The list of servers is empty.
    #[error("no server is given")]
    NoServer,
    /// The certificates of trusted authorities cannot be used.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(io::Error),
}

/// A client of a cluster. It has no thread: it connects, answers and comes back while
/// [`next_event`](Client::next_event) is waited for.
#[derive(Debug)]
pub struct Client {
    machine: Machine,
    link: Option<Link>,
    tls: Option<Arc<ClientConfig>>,
    compression: bool,
    connect_timeout: Duration,
    started: Instant,
}

impl Client {
    /// A client that is not connected.
    ///
    /// # Errors
    /// There is no server, or a server with TLS and nobody to trust.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        if settings.servers.is_empty() {
            return Err(ClientError::NoServer);
        }
        let is_encrypted = settings.servers.iter().any(|server| server.encrypted);
        let authorities = settings.authorities.as_deref();
        let tls = is_encrypted.then(|| client_config(authorities)).transpose().map_err(ClientError::Tls)?;
        let seed = getrandom::u64().map_err(|error| ClientError::Random(error.into()))?;
        Ok(Self {
            tls,
            link: None,
            compression: settings.compression,
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            machine: Machine::new(settings, seed),
            started: Instant::now(),
        })
    }

    /// Connects, and again whenever the connection is lost, until [`disconnect`](Client::disconnect) or a denial.
    pub fn connect(&mut self) {
        self.machine.connect();
    }

    /// Closes the connection. Publishes without a result fail; the subscriptions are taken up again by
    /// [`connect`](Client::connect).
    pub fn disconnect(&mut self) {
        self.machine.disconnect(self.now_ms());
        self.obey();
    }

    /// Subscribes: the snapshot, then every message.
    pub fn subscribe<'a>(&mut self, subjects: impl IntoIterator<Item = &'a str>) {
        self.subscribe_with(subjects, Start::default(), 0);
    }

    /// Subscribes: up to `history` messages from the cache, then every message.
    pub fn subscribe_with_history<'a>(&mut self, subjects: impl IntoIterator<Item = &'a str>, history: u32) {
        self.subscribe_with(subjects, Start { history, resume: None }, 0);
    }

    /// Subscribes: the snapshot, then the newest message at most once per `conflation_ms`.
    pub fn subscribe_with_conflation<'a>(
        &mut self,
        subjects: impl IntoIterator<Item = &'a str>,
        conflation_ms: u32,
    ) {
        self.subscribe_with(subjects, Start::default(), conflation_ms);
    }

    /// Subscribes from where `start` says.
    pub fn subscribe_with<'a>(
        &mut self,
        subjects: impl IntoIterator<Item = &'a str>,
        start: Start,
        conflation_ms: u32,
    ) {
        let items = subjects.into_iter().map(|subject| SubscribeItem {
            subject: subject.into(),
            start,
            conflation_ms,
        });
        self.machine.subscribe(items, elapsed_ms(self.started));
    }

    /// Ends subscriptions.
    pub fn unsubscribe<'a>(&mut self, subjects: impl IntoIterator<Item = &'a str>) {
        self.machine.unsubscribe(subjects.into_iter().map(Into::into));
    }

    /// Subjects with a subscription, each with the position from which a later client can resume.
    pub fn subjects(&self) -> impl Iterator<Item = (&str, Option<Position>)> {
        self.machine.subjects()
    }

    /// Publishes a message. It leaves while events are waited for; its one result comes as [`Event::Published`] with
    /// the publisher sequence given here.
    ///
    /// # Errors
    /// As many are without a result as the settings allow: wait for events, then try again.
    pub fn publish(&mut self, message: Message) -> Result<u64, Full> {
        let publisher_seq = self.machine.publish(message, self.now_ms())?;
        self.obey();
        Ok(publisher_seq)
    }

    /// Number of publishes without a result.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.machine.unanswered()
    }

    /// Gives the client another token, in a live session without interruption.
    pub fn set_entitlement_token(&mut self, token: &str) {
        self.machine.set_entitlement_token(token);
    }

    /// An event that is there already; does nothing else.
    pub fn queued_event(&mut self) -> Option<Event> {
        self.machine.poll_event()
    }

    /// The next event, waited for up to `timeout`. While a connection is opened it may take as long as that may
    /// (`connect_timeout_ms`).
    pub fn next_event(&mut self, timeout: Duration) -> Option<Event> {
        let end = Instant::now() + timeout;
        loop {
            self.obey();
            if let Some(event) = self.machine.poll_event() {
                return Some(event);
            }
            let left = end.saturating_duration_since(Instant::now());
            self.wait(left);
            self.machine.on_timer(self.now_ms());
            self.obey();
            match self.machine.poll_event() {
                None if Instant::now() < end => {}
                event => return event,
            }
        }
    }

    /// Writes, and reads until something comes, the machine has something to do, or the time is over.
    fn wait(&mut self, wait: Duration) {
        let until_timer = self
            .machine
            .deadline_ms()
            .map(|deadline_ms| Duration::from_millis(deadline_ms).saturating_sub(self.started.elapsed()));
        let wait = until_timer.map_or(wait, |until_timer| until_timer.min(wait));
        let Some(link) = &mut self.link else {
            thread::sleep(wait);
            return;
        };
        let (machine, started) = (&mut self.machine, self.started);
        let now_ms = || elapsed_ms(started);
        let frame_bytes_max = machine.frame_bytes_max();
        let result = link.flush().and_then(|()| {
            link.receive(wait, frame_bytes_max, |incoming| match incoming {
                Incoming::Text(text) => machine.on_frame(text, now_ms()),
                Incoming::Heard => machine.on_heard(now_ms()),
            })
        });
        if let Err(ended) = result {
            self.on_ended(&ended);
        }
    }

    /// Does what the machine wants done.
    fn obey(&mut self) {
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Open(server) => self.open(&server),
                Effect::Close => {
                    if let Some(link) = self.link.take() {
                        link.close();
                    }
                }
                Effect::Send(frame) => {
                    let Some(link) = &mut self.link else { continue };
                    let flushed = link.send(&frame).and_then(|()| {
                        if link.outgoing_bytes() < FLUSH_BYTES { Ok(()) } else { link.flush() }
                    });
                    if let Err(ended) = flushed {
                        self.on_ended(&ended);
                    }
                }
            }
        }
    }

    fn open(&mut self, server: &Server) {
        let opening = Opening {
            server,
            tls: self.tls.clone(),
            compression: self.compression,
            until: Instant::now() + self.connect_timeout,
        };
        match open(&opening) {
            Ok(link) => {
                self.link = Some(link);
                self.machine.on_open(self.now_ms());
            }
            Err(error) => self.on_ended(&Ended::from(error)),
        }
    }

    fn on_ended(&mut self, ended: &Ended) {
        self.link = None;
        self.machine.on_ended(ended, self.now_ms());
    }

    fn now_ms(&self) -> u64 {
        elapsed_ms(self.started)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.disconnect();
    }
}

fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
