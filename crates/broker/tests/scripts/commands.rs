//! The commands of a story.

use sterna_broker::core::{CoreLimits, Event, Reading};
use sterna_model::{
    DeliveryMode, Position, Publish, PublisherStamp, Qos, Request, Start, Subject, SubscribeItem,
};

use crate::member::Member;
use crate::words::Words;

pub(crate) struct Story {
    member: Member,
    /// Events and effects stay in their queues until `core` and `shard` take them out.
    held: bool,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self { member: Member::new(7, limits(&mut Words::of("member").1)), held: false }
    }

    /// What has followed since the last call.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.member.lines)
    }

    pub(crate) fn run(&mut self, line: &str) {
        let (verb, mut words) = Words::of(line);
        match verb {
            "member" => {
                let epoch = words.number("epoch").unwrap_or(7);
                self.member = Member::new(epoch, limits(&mut words));
            }
            "rules" => {
                if let Some(max) = words.number("subscriptions_max") {
                    self.member.rules.subscriptions_max = max;
                }
            }
            "accept" => self.accept(&mut words),
            "connect" => self.connect(&mut words),
            "publish" => self.publish(&mut words),
            "subscribe" => self.subscribe(&mut words),
            "unsubscribe" => self.unsubscribe(&mut words),
            "renew" => {
                let client = words.word();
                let token = words.text("token").expect("token=").into();
                let id = words.number("id");
                self.member.request(client, Request::RenewToken { id, token });
            }
            "ping" => {
                let client = words.word();
                let id = words.number("id");
                self.member.request(client, Request::Ping { id });
            }
            "read" => self.read(&mut words),
            "disconnect" => self.member.disconnect(words.word()),
            "stall" => self.member.stall(words.word(), true),
            "unstall" => self.member.stall(words.word(), false),
            "saturated" => {
                let client = words.word();
                let saturated = self.member.is_saturated(client);
                self.member
                    .lines
                    .push(format!("{client} is {}saturated", if saturated { "" } else { "not " }));
            }
            "pass" => self.member.pass(milliseconds(words.word())),
            "hold" => self.held = true,
            "flow" => self.held = false,
            "core" => self.step_core(&mut words),
            "shard" => self.step_shard(&mut words),
            "sizes" => self.sizes(),
            "counters" => self.counters(),
            _ => panic!("no such command: {line}"),
        }
        words.end();
        if !self.held {
            self.settle();
        }
    }

    fn accept(&mut self, words: &mut Words<'_>) {
        let client = words.word();
        let may_publish = !words.flag("denied");
        self.member.accept(client, words.number("shard").unwrap_or(0), may_publish);
    }

    fn connect(&mut self, words: &mut Words<'_>) {
        let client = words.word();
        if !self.member.knows(client) {
            self.member.accept(client, words.number("shard").unwrap_or(0), true);
        }
        let version = words.number("version").unwrap_or(1);
        let token = words.text("token").map(Into::into);
        self.member.request(client, Request::Connect { version, token, client: None });
    }

    fn publish(&mut self, words: &mut Words<'_>) {
        let client = words.word();
        let subject = words.word();
        let qos = if words.flag("standard") { Qos::Standard } else { Qos::Guaranteed };
        let retained = !words.flag("unretained");
        let bytes = words.number("bytes").unwrap_or(0);
        let id = words.number("id");
        let closure = words.text("closure").unwrap_or_default();
        let reply_to: Option<&str> = words.text("reply_to");
        let mut stamp = words.text("stamp").map(|stamp| {
            let (publisher, seq) = stamp.split_once(':').expect("stamp=publisher:seq");
            PublisherStamp { publisher: publisher.into(), seq: seq.parse().expect("stamp=publisher:seq") }
        });
        for content in numbered(&words.rest()) {
            let mut content = content.into_bytes();
            content.resize(content.len().max(bytes), b'.');
            let publish = Publish {
                content: content.into(),
                closure: closure.into(),
                retained,
                qos,
                compression: None,
                stamp: stamp.clone(),
            };
            let publish = Request::Publish {
                id,
                subject: subject.into(),
                reply_to: reply_to.map(Into::into),
                publish: Box::new(publish),
            };
            self.member.request(client, publish);
            if let Some(stamp) = &mut stamp {
                stamp.seq += 1;
            }
        }
    }

    fn subscribe(&mut self, words: &mut Words<'_>) {
        let client = words.word();
        let id = words.number("id");
        let history = words.number("history").unwrap_or(0);
        let resume = words.text("from").map(position);
        let conflation_ms = words.number("conflate").unwrap_or(0);
        let item = |subject: &str| SubscribeItem {
            subject: subject.into(),
            start: Start { history, resume },
            conflation_ms,
        };
        let items = numbered(&words.rest()).iter().map(|subject| item(subject)).collect();
        self.member.request(client, Request::Subscribe { id, items });
    }

    fn unsubscribe(&mut self, words: &mut Words<'_>) {
        let client = words.word();
        let id = words.number("id");
        let subjects = numbered(&words.rest()).into_iter().map(Into::into).collect();
        self.member.request(client, Request::Unsubscribe { id, subjects });
    }

    fn read(&mut self, words: &mut Words<'_>) {
        let client = words.word();
        let (_, to) = self.member.place(client);
        let name = Subject::parse(words.word()).expect("a subject");
        let reading = match (words.text("after"), words.number("history")) {
            (Some(after), _) => Reading::After(position(after)),
            (None, Some(count)) => Reading::History(count),
            (None, None) => Reading::Snapshot,
        };
        self.member.to_core.push_back(Event::Read { to, name, reading });
    }

    fn step_core(&mut self, words: &mut Words<'_>) {
        for _ in 0..count(words, self.member.to_core.len()) {
            let (taken, given) = self.member.step_core().expect("the core has nothing to take");
            self.member.lines.push(format!("core takes {taken}"));
            self.member.lines.extend(given.iter().map(|effect| format!("core gives {effect}")));
        }
    }

    fn step_shard(&mut self, words: &mut Words<'_>) {
        let shard = words.word().parse::<usize>().expect("which shard");
        for _ in 0..count(words, self.member.shards[shard].mailbox.len()) {
            assert!(self.member.step_shard(shard), "the shard has nothing to take");
        }
    }

    fn settle(&mut self) {
        loop {
            let mut busy = false;
            while self.member.step_core().is_some() {
                busy = true;
            }
            for shard in 0..self.member.shards.len() {
                while self.member.step_shard(shard) {
                    busy = true;
                }
            }
            if !busy {
                return;
            }
        }
    }

    fn sizes(&mut self) {
        let sizes = self.member.core.sizes();
        let line = format!(
            "{} subjects, {} publishers, {} bytes",
            sizes.subjects, sizes.publishers, sizes.cache_bytes
        );
        self.member.lines.push(line);
    }

    fn counters(&mut self) {
        let counters = self.member.core.counters();
        let all = [
            ("published", counters.published),
            ("duplicates", counters.duplicates),
            ("refused", counters.refused),
            ("complete", counters.recoveries_complete),
            ("gap", counters.recoveries_gap),
            ("reset", counters.recoveries_reset),
            ("overrun", counters.recoveries_overrun),
            ("expired", counters.expired),
        ];
        let shown: Vec<_> =
            all.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{name} {n}")).collect();
        self.member.lines.push(shown.join(", "));
    }
}

fn limits(words: &mut Words<'_>) -> CoreLimits {
    CoreLimits {
        mode: if words.flag("standard") { DeliveryMode::Standard } else { DeliveryMode::Guaranteed },
        history_messages_max: words.number("history").unwrap_or(1000),
        history_expire_ms: words.text("expire").map_or(180_000, milliseconds),
        snapshot_expire_ms: words.text("snapshot_expire").map(milliseconds),
        cache_bytes_max: words.number("cache_bytes").unwrap_or(10_000_000),
        shards: words.number("shards").unwrap_or(2),
    }
}

/// `250ms` or `3s`.
fn milliseconds(text: &str) -> u64 {
    let number = |text: &str| text.parse::<u64>().expect("a time such as 3s or 250ms");
    match text.strip_suffix("ms") {
        Some(ms) => number(ms),
        None => number(text.strip_suffix('s').expect("a time such as 3s or 250ms")) * 1000,
    }
}

/// `7:41`.
fn position(text: &str) -> Position {
    let (epoch, seq) = text.split_once(':').expect("a position such as 7:41");
    Position::new(epoch.parse().expect("an epoch"), seq.parse().expect("a seq"))
}

/// How many: `2`, or all.
fn count(words: &mut Words<'_>, all: usize) -> usize {
    words.rest().first().map_or(all, |count| count.parse().expect("how many"))
}

/// Words, of which `m1..m4` or `/s1../s4` stands for four.
fn numbered(words: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for word in words {
        let Some((first, last)) = word.split_once("..") else {
            all.push((*word).to_owned());
            continue;
        };
        let stem = first.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = |text: &str| text[stem.len()..].parse::<u64>().expect("a number at the end");
        all.extend((number(first)..=number(last)).map(|number| format!("{stem}{number}")));
    }
    all
}
