//! The client's side: every frame of a server, read with tolerance for what later servers may add.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sterna_model::{
    Accepted, Class, Code, Compression, DeliveryMode, GroupId, Kind, Message, Position, PublishStatus, Qos,
    Record, Recovery, Seq, Subject,
};

/// One frame of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame {
    /// The session stands.
    Connected {
        /// Its number, opaque to the client.
        session: Box<str>,
        /// Protocol version in force.
        version: u32,
        /// Name and version of the server software.
        server: Box<str>,
        /// Promise in force.
        delivery: DeliveryMode,
        /// Largest content, bytes.
        message_bytes_max: u64,
        /// The server says something at least this often, milliseconds.
        keep_alive_ms: u64,
        /// Milliseconds until the token expires, if it does.
        token_expires_in_ms: Option<u64>,
    },
    /// A subscription stands; its first messages follow.
    Subscribed {
        /// From the request.
        id: Option<u64>,
        /// Subject subscribed to.
        subject: Box<str>,
        /// What is promised about the past.
        recovery: Recovery,
        /// Position of the cut.
        position: Position,
        /// With a gap: the first and the last seq that are lost.
        missed: Option<(Seq, Seq)>,
    },
    /// A message of a subject.
    Message {
        /// Why it came.
        kind: Kind,
        /// The message in its place; its group is not told to clients and 0 here.
        record: Box<Record>,
    },
    /// A subscription ended.
    Unsubscribed {
        /// From the request.
        id: Option<u64>,
        /// Subject.
        subject: Box<str>,
    },
    /// The one result of a publish.
    Published {
        /// From the request.
        id: Option<u64>,
        /// From the request, empty if it had none.
        closure: Box<str>,
        /// Position, or why not.
        outcome: Result<Accepted, PublishRefusal>,
    },
    /// A request (or, without an id, a frame) was refused.
    Error {
        /// From the request.
        id: Option<u64>,
        /// What is wrong.
        refusal: Refusal,
        /// Subject concerned.
        subject: Option<Box<str>>,
        /// Which field or value, for a person.
        detail: Option<Box<str>>,
    },
    /// Sign of life.
    Pong {
        /// From the request.
        id: Option<u64>,
    },
    /// The new token is in force.
    TokenRenewed {
        /// From the request.
        id: Option<u64>,
        /// Milliseconds until it expires, if it does.
        expires_in_ms: Option<u64>,
    },
    /// The token is about to expire; renew it.
    TokenToExpire {
        /// Milliseconds left.
        expires_in_ms: u64,
    },
    /// The member goes away; come back later.
    GoingAway {
        /// Milliseconds to wait before the next connect.
        reconnect_after_ms: u64,
        /// Where to go; empty means the client's own list.
        servers: Vec<Box<str>>,
    },
    /// An operation or notice of a later server; a client passes over it.
    Other {
        /// Its name.
        name: Box<str>,
    },
}

/// A code as the server told it. A later server may have codes that this table does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Number of the code.
    pub number: u16,
    /// Name of the code.
    pub name: Box<str>,
    /// What to do, for a person.
    pub advice: Box<str>,
}

impl Refusal {
    /// What the client should do; follows from the number alone.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        Class::of(self.number)
    }

    /// The code, if this version knows it.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        Code::from_number(self.number)
    }
}

/// Why a publish was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRefusal {
    /// Never `Ok`.
    pub status: PublishStatus,
    /// The code behind it.
    pub refusal: Refusal,
    /// Which field or value, for a person.
    pub detail: Option<Box<str>>,
}

/// A server's frame that does not follow the protocol. The server is at fault, or is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable server frame: {0}")]
pub struct Unreadable(Box<str>);

impl Unreadable {
    fn missing(field: &'static str) -> Self {
        Self(format!("{field} is missing").into())
    }

    fn unknown(field: &'static str) -> Self {
        Self(format!("{field} has no known value").into())
    }
}

/// All fields that server frames have; within version 1 a name has the same type wherever it stands.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
    id: Option<u64>,
    session: Option<Box<str>>,
    version: Option<u32>,
    server: Option<Box<str>>,
    delivery: Option<Box<str>>,
    message_bytes_max: Option<u64>,
    keep_alive_ms: Option<u64>,
    token_expires_in_ms: Option<u64>,
    subject: Option<Box<str>>,
    recovery: Option<Box<str>>,
    epoch: Option<u64>,
    seq: Option<u64>,
    missed: Option<Missed>,
    r#type: Option<Box<str>>,
    time_ms: Option<u64>,
    content: Option<String>,
    encoding: Option<Box<str>>,
    #[serde(default)]
    closure: Box<str>,
    retained: Option<bool>,
    qos: Option<Box<str>>,
    reply_to: Option<Box<str>>,
    compressed: Option<bool>,
    compression: Option<Box<str>>,
    status: Option<Box<str>>,
    duplicate: Option<bool>,
    code: Option<u16>,
    #[serde(default)]
    name: Box<str>,
    #[serde(default)]
    advice: Box<str>,
    detail: Option<Box<str>>,
    notice: Option<Box<str>>,
    expires_in_ms: Option<u64>,
    reconnect_after_ms: Option<u64>,
    #[serde(default)]
    servers: Vec<Box<str>>,
}

#[derive(Deserialize)]
struct Missed {
    from: u64,
    to: u64,
}

/// Reads one text frame of a server.
///
/// # Errors
/// The frame is not JSON, lacks a field, or has a value that version 1 does not know where it must.
pub fn decode_server(text: &str) -> Result<ServerFrame, Unreadable> {
    let fields: Fields<'_> =
        serde_json::from_str(text).map_err(|error| Unreadable(error.to_string().into()))?;
    match &*fields.op {
        "message" => fields.into_message(),
        "published" => fields.into_published(),
        "subscribed" => fields.into_subscribed(),
        "unsubscribed" => {
            Ok(ServerFrame::Unsubscribed { id: fields.id, subject: required(fields.subject, "subject")? })
        }
        "connected" => fields.into_connected(),
        "error" => Ok(ServerFrame::Error {
            id: fields.id,
            refusal: refusal(fields.code, fields.name, fields.advice)?,
            subject: fields.subject,
            detail: fields.detail,
        }),
        "pong" => Ok(ServerFrame::Pong { id: fields.id }),
        "token_renewed" => {
            Ok(ServerFrame::TokenRenewed { id: fields.id, expires_in_ms: fields.expires_in_ms })
        }
        "notice" => fields.into_notice(),
        other => Ok(ServerFrame::Other { name: other.into() }),
    }
}

impl Fields<'_> {
    fn into_connected(self) -> Result<ServerFrame, Unreadable> {
        let modes = [DeliveryMode::Standard, DeliveryMode::Guaranteed];
        Ok(ServerFrame::Connected {
            session: required(self.session, "session")?,
            version: required(self.version, "version")?,
            server: required(self.server, "server")?,
            delivery: named(modes, DeliveryMode::name, self.delivery, "delivery")?,
            message_bytes_max: required(self.message_bytes_max, "message_bytes_max")?,
            keep_alive_ms: required(self.keep_alive_ms, "keep_alive_ms")?,
            token_expires_in_ms: self.token_expires_in_ms,
        })
    }

    fn into_subscribed(self) -> Result<ServerFrame, Unreadable> {
        let recoveries = [Recovery::Fresh, Recovery::Complete, Recovery::Gap, Recovery::Reset];
        Ok(ServerFrame::Subscribed {
            id: self.id,
            position: self.position()?,
            subject: required(self.subject, "subject")?,
            recovery: named(recoveries, Recovery::name, self.recovery, "recovery")?,
            missed: self.missed.map(|missed| (Seq(missed.from), Seq(missed.to))),
        })
    }

    fn into_message(self) -> Result<ServerFrame, Unreadable> {
        let kinds = [Kind::Update, Kind::Snapshot, Kind::Recovered, Kind::Historical];
        let position = self.position()?;
        let compression = match self.compression {
            None => self.compressed.unwrap_or(false).then_some(Compression::Deflate),
            name => Some(named(Compression::ALL, Compression::name, name, "compression")?),
        };
        let message = Message {
            subject: parse_subject(&required(self.subject, "subject")?, "subject")?,
            content: decode_content(required(self.content, "content")?, self.encoding.as_deref())?,
            closure: self.closure,
            reply_to: self.reply_to.map(|text| parse_subject(&text, "reply_to")).transpose()?,
            retained: self.retained.unwrap_or(true),
            qos: match self.qos {
                None => Qos::default(),
                name => named([Qos::Standard, Qos::Guaranteed], Qos::name, name, "qos")?,
            },
            compression,
        };
        let time_ms = required(self.time_ms, "time_ms")?;
        Ok(ServerFrame::Message {
            kind: named(kinds, Kind::name, self.r#type, "type")?,
            record: Box::new(Record { group: GroupId::default(), position, time_ms, message }),
        })
    }

    fn into_published(self) -> Result<ServerFrame, Unreadable> {
        let outcome = match self.status.as_deref() {
            Some("OK") => {
                let position = if self.epoch.is_some() { Some(self.position()?) } else { None };
                Ok(Accepted { position, duplicate: self.duplicate.unwrap_or(false) })
            }
            _ => {
                let refusals =
                    [PublishStatus::Failed, PublishStatus::Denied, PublishStatus::MessageSizeLimitExceeded];
                Err(PublishRefusal {
                    status: named(refusals, PublishStatus::name, self.status, "status")?,
                    refusal: refusal(self.code, self.name, self.advice)?,
                    detail: self.detail,
                })
            }
        };
        Ok(ServerFrame::Published { id: self.id, closure: self.closure, outcome })
    }

    fn into_notice(self) -> Result<ServerFrame, Unreadable> {
        let notice = required(self.notice, "notice")?;
        match &*notice {
            "token_to_expire" => Ok(ServerFrame::TokenToExpire {
                expires_in_ms: required(self.expires_in_ms, "expires_in_ms")?,
            }),
            "going_away" => Ok(ServerFrame::GoingAway {
                reconnect_after_ms: required(self.reconnect_after_ms, "reconnect_after_ms")?,
                servers: self.servers,
            }),
            _ => Ok(ServerFrame::Other { name: notice }),
        }
    }

    fn position(&self) -> Result<Position, Unreadable> {
        Ok(Position::new(required(self.epoch, "epoch")?, required(self.seq, "seq")?))
    }
}

fn required<T>(value: Option<T>, field: &'static str) -> Result<T, Unreadable> {
    value.ok_or_else(|| Unreadable::missing(field))
}

/// The one of `values` whose name is `text`.
fn named<T: Copy>(
    values: impl IntoIterator<Item = T>,
    name: fn(T) -> &'static str,
    text: Option<Box<str>>,
    field: &'static str,
) -> Result<T, Unreadable> {
    let text = required(text, field)?;
    values.into_iter().find(|value| name(*value) == &*text).ok_or_else(|| Unreadable::unknown(field))
}

fn refusal(number: Option<u16>, name: Box<str>, advice: Box<str>) -> Result<Refusal, Unreadable> {
    Ok(Refusal { number: required(number, "code")?, name, advice })
}

fn parse_subject(text: &str, field: &'static str) -> Result<Subject, Unreadable> {
    Subject::parse(text).map_err(|error| Unreadable(format!("{field}: {error}").into()))
}

fn decode_content(content: String, encoding: Option<&str>) -> Result<Box<[u8]>, Unreadable> {
    match encoding {
        None => Ok(content.into_bytes().into()),
        Some("base64") => {
            STANDARD.decode(content).map(Into::into).map_err(|_| Unreadable::unknown("content"))
        }
        Some(_) => Err(Unreadable::unknown("encoding")),
    }
}
