//! A machine with a clock of its own, and short texts for what it says.

use sterna_client::machine::{Effect, Ended, Machine};
use sterna_client::{Event, Published, Server, Settings, Subscribed};
use sterna_model::{Message, Recovery, Start, Subject, SubscribeItem};

/// The server's answer to a connect request.
pub(crate) const CONNECTED: &str = r#"{"op":"connected","session":"00ab","version":1,"server":"sterna/0",
    "delivery":"guaranteed","message_bytes_max":1000,"keep_alive_ms":30000}"#;

/// The machine asks for a sign of life.
pub(crate) const PING: &str = r#"{"op":"ping"}"#;

/// A machine and its time.
pub(crate) struct Scene {
    pub(crate) machine: Machine,
    pub(crate) now_ms: u64,
}

pub(crate) fn settings(servers: &[&str]) -> Settings {
    let servers = servers.iter().map(|server| server.parse().unwrap()).collect();
    Settings { publisher: Some("p".into()), client: "test/1".into(), ..Settings::new(servers) }
}

impl Scene {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { machine: Machine::new(settings, 42), now_ms: 1_000_000 }
    }

    /// A scene with a session on the server `a:1`, and nothing left to look at.
    pub(crate) fn connected() -> Self {
        Self::connected_with(settings(&["a:1"]))
    }

    pub(crate) fn connected_with(settings: Settings) -> Self {
        let mut scene = Self::new(settings);
        scene.machine.connect();
        scene.join();
        scene.effects();
        scene.events();
        scene
    }

    /// The transport opens what was asked for, and the server says connected.
    pub(crate) fn join(&mut self) {
        self.machine.on_open(self.now_ms);
        self.frame(CONNECTED);
    }

    pub(crate) fn frame(&mut self, text: &str) {
        self.machine.on_frame(text, self.now_ms);
    }

    /// Time passes, and the machine is told when it wants to be.
    pub(crate) fn advance(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        let mut rounds = 0;
        while let Some(deadline_ms) = self.machine.deadline_ms().filter(|deadline_ms| *deadline_ms <= end_ms)
        {
            rounds = if deadline_ms > self.now_ms { 0 } else { rounds + 1 };
            assert!(rounds < 5, "a timer that is due again and again");
            self.now_ms = self.now_ms.max(deadline_ms);
            self.machine.on_timer(self.now_ms);
        }
        self.now_ms = end_ms;
    }

    /// The connection breaks.
    pub(crate) fn lose(&mut self) {
        self.machine.on_ended(&Ended::Failed("connection reset".into()), self.now_ms);
    }

    /// The server closes.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.machine.on_ended(&Ended::Closed(Some(code), reason.into()), self.now_ms);
    }

    /// Goes through the delay of a lost connection, and joins again.
    pub(crate) fn rejoin(&mut self) {
        self.advance(2_000);
        self.join();
    }

    pub(crate) fn subscribe(&mut self, subject: &str, start: Start) {
        let item = SubscribeItem { subject: subject.into(), start, conflation_ms: 0 };
        self.machine.subscribe([item], self.now_ms);
    }

    pub(crate) fn publish(&mut self, subject: &str, content: &str) -> u64 {
        self.machine.publish(message(subject, content), self.now_ms).unwrap()
    }

    /// What the transport was asked to do, as texts.
    pub(crate) fn effects(&mut self) -> Vec<String> {
        let effects = std::iter::from_fn(|| self.machine.poll_effect());
        effects
            .map(|effect| match effect {
                Effect::Open(server) => format!("open {server}"),
                Effect::Send(frame) => String::from_utf8(frame).unwrap(),
                Effect::Close => "close".to_owned(),
            })
            .collect()
    }

    /// What the user is told, as texts.
    pub(crate) fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.machine.poll_event()).map(|event| describe(&event)).collect()
    }
}

pub(crate) fn message(subject: &str, content: &str) -> Message {
    Message::new(Subject::parse(subject).unwrap(), content.as_bytes())
}

pub(crate) fn server(address: &str) -> Server {
    address.parse().unwrap()
}

/// `subscribed` of a server.
pub(crate) fn subscribed(subject: &str, recovery: &str, epoch: u64, seq: u64) -> String {
    format!(
        r#"{{"op":"subscribed","subject":"{subject}","recovery":"{recovery}","epoch":{epoch},"seq":{seq}}}"#
    )
}

/// `message` of a server.
pub(crate) fn delivered(subject: &str, kind: &str, epoch: u64, seq: u64) -> String {
    format!(
        r#"{{"op":"message","subject":"{subject}","type":"{kind}","epoch":{epoch},"seq":{seq},"time_ms":1,"content":"x"}}"#
    )
}

/// `published` of a server, with status OK.
pub(crate) fn published(id: u64, seq: u64) -> String {
    format!(r#"{{"op":"published","id":{id},"status":"OK","epoch":7,"seq":{seq}}}"#)
}

/// `published` of a server that refuses.
pub(crate) fn refused(id: u64, status: &str, code: u16, name: &str) -> String {
    format!(
        r#"{{"op":"published","id":{id},"status":"{status}","code":{code},"name":"{name}","advice":"Do."}}"#
    )
}

/// `error` of a server, with more fields in `rest`.
pub(crate) fn error(rest: &str, code: u16, name: &str) -> String {
    format!(r#"{{"op":"error",{rest}"code":{code},"name":"{name}","advice":"Do."}}"#)
}

fn describe(event: &Event) -> String {
    let name = event.name();
    match event {
        Event::ServerUp { server } => format!("{name} {server}"),
        Event::ServerDown { server, reason, .. } => format!("{name} {server}: {reason}"),
        Event::ConnectDeny(refusal) | Event::TokenExpired(refusal) | Event::TokenInvalid(refusal) => {
            format!("{name} {}", refusal.number)
        }
        Event::Subscribed(Subscribed { subject, recovery, position, missed, .. }) => {
            let promise = if *recovery == Recovery::Complete { "" } else { recovery.name() };
            let missed = missed.map_or(String::new(), |(from, to)| format!(" missed {}-{}", from.0, to.0));
            format!("{name} {subject} {position} {promise}{missed}")
        }
        Event::SubscribeDeny { subject, refusal } => format!("{name} {subject} {}", refusal.number),
        Event::Unsubscribed { subject } => format!("{name} {subject}"),
        Event::Message { kind, record } => {
            format!("{name} {} {} {}", kind.name(), record.message.subject, record.position)
        }
        Event::Published(Published { publisher_seq, outcome, .. }) => match outcome {
            Ok(accepted) => {
                let position = accepted.position.map_or("-".to_owned(), |position| position.to_string());
                let duplicate = if accepted.duplicate { " duplicate" } else { "" };
                format!("{name} {publisher_seq} {position}{duplicate}")
            }
            Err(failure) => {
                let number = failure.refusal.as_ref().map_or(0, |refusal| refusal.refusal.number);
                let uncertain = if failure.uncertain { " uncertain" } else { "" };
                format!("{name} {publisher_seq} {number}{uncertain}")
            }
        },
        Event::TokenToExpire { expires_in_ms } => format!("{name} {expires_in_ms}"),
        Event::GoingAway { reconnect_after_ms } => format!("{name} {reconnect_after_ms}"),
        Event::Refused { refusal, .. } => format!("{name} {}", refusal.number),
        Event::ConnectOk(_) | Event::TokenRenewed { .. } => name.to_owned(),
    }
}
