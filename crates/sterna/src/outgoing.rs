//! Publishing many messages: as many at once as the client allows, and every result accounted for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sterna_client::{Client, ClientError, Event, Published, Settings, Shown};
use sterna_model::Message;

use crate::exit::{Exit, tell};

/// How long a result is waited for at once.
const WAIT: Duration = Duration::from_millis(100);

/// Messages on their way, and what became of those before.
pub(crate) struct Outgoing {
    client: Client,
    command: &'static str,
    verbose: bool,
    /// Lines of the messages without a result.
    lines: BTreeMap<u64, Option<u64>>,
    /// Messages that were accepted.
    pub(crate) accepted: u64,
    /// Messages that were not.
    pub(crate) failed: u64,
    first_failure: Option<Exit>,
    /// Why there is no connection.
    trouble: Option<String>,
    /// Messages that no server took in time, beside the first: said once, at the end.
    unreached: u64,
    given_up: bool,
}

impl Outgoing {
    /// Connects as soon as events are waited for.
    pub(crate) fn new(settings: Settings, command: &'static str, verbose: bool) -> Result<Self, ClientError> {
        let mut client = Client::new(settings)?;
        client.connect();
        Ok(Self {
            client,
            command,
            verbose,
            lines: BTreeMap::new(),
            accepted: 0,
            failed: 0,
            first_failure: None,
            trouble: None,
            unreached: 0,
            given_up: false,
        })
    }

    /// Publishes a message, which stood in this line of the input if there were several. Waits while too many are
    /// without a result.
    pub(crate) fn publish(&mut self, message: &Message, line: Option<u64>) {
        loop {
            if let Ok(publisher_seq) = self.client.publish(message.clone()) {
                self.lines.insert(publisher_seq, line);
                return;
            }
            self.wait(WAIT);
        }
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.client.unanswered() == 0
    }

    /// Whether a message found no server in time, so that further ones would only wait as long.
    pub(crate) fn has_given_up(&self) -> bool {
        self.given_up
    }

    /// How the first failure would end the command.
    pub(crate) fn exit(&self) -> Exit {
        self.first_failure.unwrap_or(Exit::Done)
    }

    /// Waits for one event, then takes what else is there.
    pub(crate) fn wait(&mut self, wait: Duration) {
        let mut event = self.client.next_event(wait);
        while let Some(happened) = event {
            self.on_event(happened);
            event = self.client.queued_event();
        }
    }

    /// Waits for the results, up to `wait`; the messages without one have failed then.
    pub(crate) fn finish(&mut self, wait: Duration) {
        let begin = Instant::now();
        while !self.is_quiet() && begin.elapsed() < wait {
            self.wait(WAIT);
        }
        self.client.disconnect();
        while let Some(event) = self.client.queued_event() {
            self.on_event(event);
        }
        if self.unreached > 0 {
            tell(self.command, &format!("{} more messages that were on their way", self.unreached));
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Published(published) => self.on_published(&published),
            Event::ServerDown { server, reason, .. } => {
                let trouble = format!("no connection to {server}: {reason}");
                if self.verbose {
                    tell(self.command, &trouble);
                }
                self.trouble = Some(trouble);
            }
            Event::ConnectOk(_) => self.trouble = None,
            Event::ConnectDeny(refusal) => {
                self.first_failure.get_or_insert(Exit::from(&refusal));
                self.trouble = Some(Shown(&refusal).to_string());
            }
            Event::TokenExpired(refusal) | Event::Refused { refusal, .. } => {
                tell(self.command, &Shown(&refusal));
            }
            _ => {}
        }
    }

    fn on_published(&mut self, published: &Published) {
        let line = self.lines.remove(&published.publisher_seq).flatten();
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        match &published.outcome {
            Ok(accepted) => {
                self.accepted += 1;
                if self.verbose {
                    let position = accepted.position.map_or("-".to_owned(), |position| position.to_string());
                    let duplicate = if accepted.duplicate { ", published before" } else { "" };
                    tell(self.command, &format!("{place}OK {position}{duplicate}"));
                }
            }
            Err(failure) => {
                self.failed += 1;
                self.first_failure.get_or_insert(Exit::from(failure));
                let trouble = match (&failure.refusal, &self.trouble) {
                    (None, Some(_)) if self.given_up => {
                        self.unreached += 1;
                        return;
                    }
                    (None, Some(trouble)) => {
                        self.given_up = true;
                        format!("; {trouble}")
                    }
                    _ => String::new(),
                };
                tell(self.command, &format!("{place}{failure}{trouble}"));
            }
        }
    }
}
