//! Replies and notices: what the server says besides messages.

use sterna_model::{Accepted, Code, Position, PublishStatus, Recovery, Reply, Seq, ServerInfo, SessionId};

use super::json::{Object, push_text};

/// The protocol version of this codec.
const VERSION: u64 = 1;

/// Appends the frame of `reply`.
pub fn encode_reply(reply: &Reply, out: &mut Vec<u8>) {
    let object = Object::begin(out);
    match reply {
        Reply::Connected { session, info, token_expires_in_ms } => {
            push_connected(object, *session, info, *token_expires_in_ms);
        }
        Reply::Subscribed { id, subject, recovery, position, missed } => {
            let object = object.text("op", "subscribed").number("id", *id).text("subject", &**subject);
            push_recovery(object, *recovery, *position, *missed);
        }
        Reply::Unsubscribed { id, subject } => {
            object.text("op", "unsubscribed").number("id", *id).text("subject", &**subject).end();
        }
        Reply::Published { id, closure, outcome, detail } => {
            push_published(object, *id, closure, *outcome, detail.as_deref());
        }
        Reply::Error { id, code, subject, detail } => {
            push_code(object.text("op", "error").number("id", *id), *code)
                .text("subject", subject.as_deref())
                .text("detail", detail.as_deref())
                .text("advice", code.advice())
                .end();
        }
        Reply::Pong { id } => object.text("op", "pong").number("id", *id).end(),
        Reply::TokenRenewed { id, expires_in_ms } => {
            object
                .text("op", "token_renewed")
                .number("id", *id)
                .number("expires_in_ms", *expires_in_ms)
                .end();
        }
        Reply::TokenToExpire { expires_in_ms } => {
            object
                .text("op", "notice")
                .text("notice", "token_to_expire")
                .number("expires_in_ms", *expires_in_ms)
                .end();
        }
        Reply::GoingAway { reconnect_after_ms, servers } => {
            object
                .text("op", "notice")
                .text("notice", "going_away")
                .number("reconnect_after_ms", *reconnect_after_ms)
                .list("servers", servers, |out, server| push_text(out, server))
                .end();
        }
    }
}

fn push_connected(
    object: Object<'_>,
    session: SessionId,
    info: &ServerInfo,
    token_expires_in_ms: Option<u64>,
) {
    object
        .text("op", "connected")
        .text("session", session.to_string().as_str())
        .number("version", VERSION)
        .text("server", info.software)
        .text("delivery", info.mode.name())
        .number("message_bytes_max", info.message_bytes_max as u64)
        .number("keep_alive_ms", info.keep_alive_ms)
        .number("token_expires_in_ms", token_expires_in_ms)
        .end();
}

fn push_recovery(object: Object<'_>, recovery: Recovery, position: Position, missed: Option<(Seq, Seq)>) {
    let object = push_position(object.text("recovery", recovery.name()), Some(position));
    let object = match missed {
        Some((from, to)) => {
            object.object("missed", |missed| missed.number("from", from.0).number("to", to.0).end())
        }
        None => object,
    };
    object.end();
}

fn push_published(
    object: Object<'_>,
    id: Option<u64>,
    closure: &str,
    outcome: Result<Accepted, Code>,
    detail: Option<&str>,
) {
    let object = object
        .text("op", "published")
        .number("id", id)
        .text("closure", (!closure.is_empty()).then_some(closure));
    let object = match outcome {
        Ok(accepted) => push_position(object.text("status", PublishStatus::Ok.name()), accepted.position)
            .flag("duplicate", accepted.duplicate.then_some(true)),
        Err(code) => push_code(object.text("status", code.publish_status().name()), code)
            .text("detail", detail)
            .text("advice", code.advice()),
    };
    object.end();
}

fn push_position(object: Object<'_>, position: Option<Position>) -> Object<'_> {
    object
        .number("epoch", position.map(|position| position.epoch.0))
        .number("seq", position.map(|position| position.seq.0))
}

fn push_code(object: Object<'_>, code: Code) -> Object<'_> {
    object
        .number("code", u64::from(code.number()))
        .text("name", code.name())
        .text("class", code.class().name())
}
