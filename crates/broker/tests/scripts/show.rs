//! How replies, messages, events and effects are written in a story.

use std::fmt::Write as _;

use sterna_broker::core::{Cut, Effect, Event, Page, Reading};
use sterna_broker::session::Messages;
use sterna_model::{Accepted, Code, Kind, Position, Qos, Record, Reply, Seq, Start};

pub(crate) fn code(code: Code) -> String {
    format!("{} {}", code.number(), code.name())
}

fn id(id: Option<u64>) -> String {
    id.map_or_else(String::new, |id| format!(" id={id}"))
}

fn missed(missed: Option<(Seq, Seq)>) -> String {
    missed.map_or_else(String::new, |(from, to)| format!(" missed={}..{}", from.0, to.0))
}

fn expires(in_ms: Option<u64>) -> String {
    in_ms.map_or_else(String::new, |in_ms| format!(" expires_in={in_ms}ms"))
}

pub(crate) fn cut(cut: &Cut) -> String {
    format!("{} {}{}", cut.recovery.name(), cut.position, missed(cut.missed))
}

fn outcome(outcome: &Result<Accepted, Code>) -> String {
    match outcome {
        Ok(Accepted { position, duplicate }) => {
            let position = position.map_or_else(String::new, |position: Position| format!(" {position}"));
            format!("OK{position}{}", if *duplicate { " duplicate" } else { "" })
        }
        Err(why) => format!("{} {}", why.publish_status().name(), code(*why)),
    }
}

pub(crate) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Connected { token_expires_in_ms, .. } => format!("connected{}", expires(*token_expires_in_ms)),
        Reply::Subscribed { id: of, subject, recovery, position, missed: lost } => {
            format!("subscribed {subject} {} {position}{}{}", recovery.name(), missed(*lost), id(*of))
        }
        Reply::Unsubscribed { id: of, subject } => format!("unsubscribed {subject}{}", id(*of)),
        Reply::Published { id: of, closure, outcome: became, .. } => {
            let closure = if closure.is_empty() { String::new() } else { format!(" closure={closure}") };
            format!("{}{closure}{}", outcome(became), id(*of))
        }
        Reply::Error { id: of, code: why, subject, .. } => {
            let subject = subject.as_ref().map_or_else(String::new, |subject| format!(" {subject}"));
            format!("error {}{subject}{}", code(*why), id(*of))
        }
        Reply::Pong { id: of } => format!("pong{}", id(*of)),
        Reply::TokenRenewed { id: of, expires_in_ms } => {
            format!("token renewed{}{}", expires(*expires_in_ms), id(*of))
        }
        Reply::TokenToExpire { expires_in_ms } => format!("token expires in {expires_in_ms}ms"),
        Reply::GoingAway { .. } => "going away".to_owned(),
    }
}

/// `update 7:4 m4`, with what is not as usual behind it.
fn placed(kind: Kind, record: &Record) -> String {
    let message = &record.message;
    let content = String::from_utf8_lossy(&message.content);
    let mut line = format!("{} {} {}", kind.name(), record.position, content.trim_end_matches('.'));
    if message.qos == Qos::Standard {
        line.push_str(" standard");
    }
    if !message.retained {
        line.push_str(" unretained");
    }
    line
}

pub(crate) fn message(kind: Kind, record: &Record) -> String {
    format!("{} {}", record.message.subject, placed(kind, record))
}

pub(crate) fn messages(messages: &Messages) -> String {
    let shown: Vec<_> = messages.iter().map(|(kind, record)| placed(*kind, record)).collect();
    format!("[{}]", shown.join(", "))
}

fn start(start: &Start) -> String {
    let mut line = String::new();
    if let Some(position) = start.resume {
        let _ = write!(line, " from={position}");
    }
    if start.history > 0 {
        let _ = write!(line, " history={}", start.history);
    }
    line
}

/// An event on its way to the core, without its sender.
pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Publish(publish) => {
            format!(
                "publish {} {}",
                publish.message.subject,
                String::from_utf8_lossy(&publish.message.content).trim_end_matches('.')
            )
        }
        Event::Subscribe(event) => format!("subscribe {}{}", event.name, start(&event.start)),
        Event::Continue { .. } => "continue".to_owned(),
        Event::Unsubscribe { name, .. } => format!("unsubscribe {name}"),
        Event::Release { subjects, .. } => format!("release of {}", subjects.len()),
        Event::Read { name, reading, .. } => match reading {
            Reading::Snapshot => format!("read {name}"),
            Reading::History(count) => format!("read {name} history={count}"),
            Reading::After(position) => format!("read {name} after={position}"),
        },
    }
}

fn page(page: &Page) -> String {
    let more = if page.next.is_some() { " and more" } else { "" };
    format!("{}{more}", messages(&page.messages))
}

/// An effect of the core, without its addressee.
pub(crate) fn effect(effect: &Effect) -> String {
    match effect {
        Effect::PublishResult { outcome: became, .. } => outcome(became),
        Effect::Subscribed { name, cut: at, page: first, .. } => {
            format!("subscribed {name} {} {}", cut(at), page(first))
        }
        Effect::SubscribeRefused { name, code: why, .. } => format!("refused {name} {}", code(*why)),
        Effect::Caught { page: Some(further), .. } => format!("page {}", page(further)),
        Effect::Caught { page: None, .. } => "page is gone".to_owned(),
        Effect::Unsubscribed { name, .. } => format!("unsubscribed {name}"),
        Effect::Deliver { record, .. } => format!("deliver {}", message(Kind::Update, record)),
        Effect::ReadRefused { name, code: why, .. } => format!("read refused {name} {}", code(*why)),
        Effect::Disconnect { code: why, .. } => format!("disconnect {}", code(*why)),
        Effect::Interrupted { .. } => "interrupted".to_owned(),
        Effect::Answer { name, cut: at, messages: all, .. } => {
            format!("answer {name} {} {}", cut(at), messages(all))
        }
    }
}
