//! What requests and server frames mean, as the JSON that the conformance vectors use (see conformance/README.md).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sterna_model::{Kind, Publish, Record, Request, SubscribeItem};
use sterna_wire::native::{Refusal, ServerFrame};

pub(crate) fn of_request(request: &Request) -> Value {
    match request {
        Request::Connect { version, token, client } => {
            json!({"op": "connect", "version": version, "token": token, "client": client})
        }
        Request::Subscribe { id, items } => {
            let items: Vec<Value> = items.iter().map(of_item).collect();
            json!({"op": "subscribe", "id": id, "items": items})
        }
        Request::Unsubscribe { id, subjects } => {
            json!({"op": "unsubscribe", "id": id, "subjects": subjects})
        }
        Request::Publish { id, subject, reply_to, publish } => of_publish(*id, subject, reply_to, publish),
        Request::Ping { id } => json!({"op": "ping", "id": id}),
        Request::RenewToken { id, token } => json!({"op": "token", "id": id, "token": token}),
    }
}

fn of_item(item: &SubscribeItem) -> Value {
    let resume = item.start.resume;
    json!({
        "subject": item.subject,
        "epoch": resume.map(|position| position.epoch.0),
        "seq": resume.map(|position| position.seq.0),
        "history": item.start.history,
        "conflation_ms": item.conflation_ms,
    })
}

fn of_publish(id: Option<u64>, subject: &str, reply_to: &Option<Box<str>>, publish: &Publish) -> Value {
    let meaning = json!({
        "op": "publish",
        "id": id,
        "subject": subject,
        "closure": publish.closure,
        "retained": publish.retained,
        "qos": publish.qos.name(),
        "reply_to": reply_to,
        "compression": publish.compression.map(|compression| compression.name()),
        "publisher": publish.stamp.as_ref().map(|stamp| &stamp.publisher),
        "publisher_seq": publish.stamp.as_ref().map(|stamp| stamp.seq),
    });
    with_content(meaning, &publish.content)
}

pub(crate) fn of_message(kind: Kind, record: &Record) -> Value {
    let message = &record.message;
    let meaning = json!({
        "op": "message",
        "type": kind.name(),
        "subject": message.subject.as_str(),
        "epoch": record.position.epoch.0,
        "seq": record.position.seq.0,
        "time_ms": record.time_ms,
        "closure": message.closure,
        "retained": message.retained,
        "qos": message.qos.name(),
        "reply_to": message.reply_to.as_ref().map(|subject| subject.as_str()),
        "compression": message.compression.map(|compression| compression.name()),
    });
    with_content(meaning, &message.content)
}

fn with_content(mut meaning: Value, content: &[u8]) -> Value {
    let (name, value) = match std::str::from_utf8(content) {
        Ok(text) => ("content", text.to_owned()),
        Err(_) => ("content_base64", STANDARD.encode(content)),
    };
    meaning[name] = value.into();
    meaning
}

pub(crate) fn of_server_frame(frame: &ServerFrame) -> Value {
    match frame {
        ServerFrame::Connected {
            session,
            version,
            server,
            delivery,
            message_bytes_max,
            keep_alive_ms,
            token_expires_in_ms,
        } => json!({
            "op": "connected",
            "session": session,
            "version": version,
            "server": server,
            "delivery": delivery.name(),
            "message_bytes_max": message_bytes_max,
            "keep_alive_ms": keep_alive_ms,
            "token_expires_in_ms": token_expires_in_ms,
        }),
        ServerFrame::Subscribed { id, subject, recovery, position, missed } => json!({
            "op": "subscribed",
            "id": id,
            "subject": subject,
            "recovery": recovery.name(),
            "epoch": position.epoch.0,
            "seq": position.seq.0,
            "missed": missed.map(|(from, to)| json!({"from": from.0, "to": to.0})),
        }),
        ServerFrame::Message { kind, record } => of_message(*kind, record),
        ServerFrame::Unsubscribed { id, subject } => {
            json!({"op": "unsubscribed", "id": id, "subject": subject})
        }
        ServerFrame::Published { id, closure, outcome: Ok(accepted) } => json!({
            "op": "published",
            "id": id,
            "closure": closure,
            "status": "OK",
            "epoch": accepted.position.map(|position| position.epoch.0),
            "seq": accepted.position.map(|position| position.seq.0),
            "duplicate": accepted.duplicate,
        }),
        ServerFrame::Published { id, closure, outcome: Err(refused) } => {
            let status = refused.status.name();
            let detail = &refused.detail;
            let meaning =
                json!({"op": "published", "id": id, "closure": closure, "status": status, "detail": detail});
            with_refusal(meaning, &refused.refusal)
        }
        ServerFrame::Error { id, refusal, subject, detail } => {
            let meaning = json!({"op": "error", "id": id, "subject": subject, "detail": detail});
            with_refusal(meaning, refusal)
        }
        ServerFrame::Pong { id } => json!({"op": "pong", "id": id}),
        ServerFrame::TokenRenewed { id, expires_in_ms } => {
            json!({"op": "token_renewed", "id": id, "expires_in_ms": expires_in_ms})
        }
        ServerFrame::TokenToExpire { expires_in_ms } => {
            json!({"op": "notice", "notice": "token_to_expire", "expires_in_ms": expires_in_ms})
        }
        ServerFrame::GoingAway { reconnect_after_ms, servers } => json!({
            "op": "notice",
            "notice": "going_away",
            "reconnect_after_ms": reconnect_after_ms,
            "servers": servers,
        }),
        ServerFrame::Other { name } => json!({"op": "other", "name": name}),
    }
}

fn with_refusal(mut meaning: Value, refusal: &Refusal) -> Value {
    meaning["code"] = refusal.number.into();
    meaning["name"] = (*refusal.name).into();
    meaning["class"] = refusal.class().map(|class| class.name()).into();
    meaning["advice"] = (*refusal.advice).into();
    meaning
}
