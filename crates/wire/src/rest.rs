//! The REST endpoints: what a produce or a consume asks for, and the JSON that answers it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use sterna_model::limit::{CLOSURE_BYTES_MAX, HISTORY_MAX};
use sterna_model::{Accepted, Code, Kind, Publish, PublishStatus, Qos, Record, Start};

use crate::http::{Parameters, Refusal, Request, Response};

/// Longest time that a consume may wait for a message, seconds.
pub const WAIT_SECONDS_MAX: u64 = 60;

/// What `POST /rest/produce` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produce {
    /// Entitlement token.
    pub token: Option<Box<str>>,
    /// Where to publish, not yet judged.
    pub subject: Box<str>,
    /// What to publish. The closure is never empty, for the answer repeats it.
    pub publish: Publish,
}

/// What `GET /rest/consume` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consume {
    /// Entitlement token.
    pub token: Option<Box<str>>,
    /// Whose messages, not yet judged.
    pub subject: Box<str>,
    /// From where.
    pub start: Start,
    /// How long to wait for a message if there is none yet, seconds.
    pub wait_seconds: u64,
}

/// Reads a produce request and takes its body. Without a closure, it is the time of the request,
/// `received_ms`.
///
/// # Errors
/// Names the parameter that is missing, unknown or out of bounds.
pub fn decode_produce(request: &mut Request, received_ms: u64) -> Result<Produce, Refusal> {
    let body = std::mem::take(&mut request.body);
    let query = Parameters::read(request, &["subject", "token", "closure", "retained", "qos"], None)?;
    let closure = match query.bounded_text("closure", CLOSURE_BYTES_MAX)? {
        Some(closure) => closure.into(),
        None => received_ms.to_string().into(),
    };
    let qos = match query.text("qos") {
        Some(name) => Qos::from_name(name)
            .ok_or_else(|| Refusal::parameter("qos", "expected guaranteed or standard"))?,
        None => Qos::default(),
    };
    Ok(Produce {
        token: query.token()?,
        subject: query.required("subject")?.into(),
        publish: Publish {
            content: body,
            closure,
            retained: query.flag("retained")?.unwrap_or(true),
            qos,
            compression: None,
            stamp: None,
        },
    })
}

/// Reads a consume request.
///
/// # Errors
/// Names the parameter that is missing, unknown or out of bounds.
pub fn decode_consume(request: &Request) -> Result<Consume, Refusal> {
    let query = Parameters::read(request, &["subject", "token", "history", "epoch", "seq", "wait"], None)?;
    Ok(Consume {
        token: query.token()?,
        subject: query.required("subject")?.into(),
        start: Start { history: history(&query)?, resume: query.position()? },
        wait_seconds: query.number("wait", WAIT_SECONDS_MAX)?.unwrap_or(0),
    })
}

/// The parameter `history`: more than the bound is treated as the bound.
pub(crate) fn history(query: &Parameters<'_>) -> Result<u32, Refusal> {
    let history = query.number("history", u64::MAX)?.unwrap_or(0);
    Ok(u32::try_from(history).map_or(HISTORY_MAX, |history| history.min(HISTORY_MAX)))
}

#[derive(Serialize)]
struct ProduceResult<'a> {
    subject: &'a str,
    closure: &'a str,
    status: &'a str,
}

/// The answer to a produce request: accepted, or the code that says why not.
#[must_use]
pub fn produce_result(subject: &str, closure: &str, outcome: &Result<Accepted, Code>) -> Response {
    let publish_status = outcome.map_or_else(Code::publish_status, |_| PublishStatus::Ok);
    let status = match publish_status {
        PublishStatus::Denied => "DENY",
        other => other.name(),
    };
    let body =
        serde_json::to_vec(&ProduceResult { subject, closure, status }).expect("texts always serialize");
    match outcome {
        Ok(_) => Response::json(200, body),
        Err(code) => Response::json_for(*code, body),
    }
}

#[derive(Serialize)]
struct ConsumedMessage<'a> {
    message_type: String,
    content: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    closure: Option<&'a str>,
    retained: bool,
    compressed: bool,
    epoch: u64,
    seq: u64,
}

/// The answer to a consume request, built message by message so that its owner can bound it.
#[derive(Debug, Default)]
pub struct ConsumeResult {
    body: Vec<u8>,
    has_messages: bool,
}

impl ConsumeResult {
    /// An answer without messages.
    #[must_use]
    pub fn new(subject: &str) -> Self {
        let mut body = b"{\"subject\":".to_vec();
        write_json(&subject, &mut body);
        body.extend_from_slice(b",\"messages\":[");
        Self { body, has_messages: false }
    }

    /// Adds a message. Content that is no UTF-8 text is given in base64, and says so.
    pub fn push(&mut self, kind: Kind, record: &Record) {
        if self.has_messages {
            self.body.push(b',');
        }
        self.has_messages = true;
        let message = &record.message;
        let (content, encoding) = match simdutf8::basic::from_utf8(&message.content) {
            Ok(text) => (text.into(), None),
            Err(_) => (BASE64.encode(&message.content).into(), Some("base64")),
        };
        let entry = ConsumedMessage {
            message_type: kind.name().to_ascii_uppercase(),
            content,
            encoding,
            closure: Some(&*message.closure).filter(|closure| !closure.is_empty()),
            retained: message.retained,
            compressed: message.compression.is_some(),
            epoch: record.position.epoch.0,
            seq: record.position.seq.0,
        };
        write_json(&entry, &mut self.body);
    }

    /// Whether no message was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_messages
    }

    /// Bytes of memory held for the answer so far.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.body.capacity()
    }

    /// The whole answer.
    #[must_use]
    pub fn into_response(mut self) -> Response {
        self.body.extend_from_slice(b"]}");
        Response::json(200, self.body)
    }
}

fn write_json<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value)
        .expect("texts, numbers and flags always serialize, and a Vec takes every byte");
}
