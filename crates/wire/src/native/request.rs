//! Requests of clients: which operation a frame is, and how a refused one is answered.

use sterna_model::limit::CLOSURE_BYTES_MAX;
use sterna_model::{Code, Reply, Request};

use super::frame::{Fault, Field, Fields};
use super::{connect, ping, publish, subscribe, token, unsubscribe};

/// Longest operation name that is looked at.
const OPERATION_BYTES_MAX: usize = 32;

/// A frame that is not a valid request. `id` and `closure` are there if the frame had them in valid form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub code: Code,
    /// The client's number for the request.
    pub id: Option<u64>,
    /// The publisher's name for the message.
    pub closure: Option<Box<str>>,
    /// Whether the frame was a publish, which is answered by a result instead of an error.
    pub publish: bool,
    /// Which field or value, for a person. Holds no value that could be a secret.
    pub detail: Box<str>,
}

impl Refused {
    /// The one reply to the frame.
    #[must_use]
    pub fn into_reply(self) -> Reply {
        if self.publish {
            let closure = self.closure.unwrap_or_default();
            return Reply::Published {
                id: self.id,
                closure,
                outcome: Err(self.code),
                detail: Some(self.detail),
            };
        }
        Reply::Error { id: self.id, code: self.code, subject: None, detail: Some(self.detail) }
    }
}

/// Reads one text frame of a client. Texts that the session judges (subjects, empty content, the size of the
/// content) are passed on as they are.
///
/// # Errors
/// The frame breaks a rule of the protocol; the refusal holds all that is needed to answer it.
pub fn decode(text: &str) -> Result<Request, Refused> {
    let mut fields = Fields::default();
    if let Err(Fault { code, detail }) = fields.read(text) {
        return Err(Refused { code, id: None, closure: None, publish: false, detail });
    }
    decode_operation(&mut fields).map_err(|Fault { code, detail }| Refused {
        code,
        id: fields.id().ok().flatten(),
        closure: fields.text(Field::Closure, 0..=CLOSURE_BYTES_MAX).ok().flatten().map(Into::into),
        publish: matches!(operation(&fields), Ok("publish")),
        detail,
    })
}

fn operation<'f>(fields: &'f Fields<'_>) -> Result<&'f str, Fault> {
    fields.text(Field::Op, 1..=OPERATION_BYTES_MAX)?.ok_or_else(|| Fault::missing(Field::Op, "a text"))
}

fn decode_operation(fields: &mut Fields<'_>) -> Result<Request, Fault> {
    let decode = match operation(fields)? {
        "publish" => publish::decode,
        "subscribe" => subscribe::decode,
        "unsubscribe" => unsubscribe::decode,
        "ping" => ping::decode,
        "connect" => connect::decode,
        "token" => token::decode,
        unknown => return Err(Fault::unknown_operation(unknown)),
    };
    decode(fields)
}

/// Appends the frame of `request`, as a client sends it.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    match request {
        Request::Connect { version, token, client } => {
            connect::encode(*version, token.as_deref(), client.as_deref(), out);
        }
        Request::Subscribe { id, items } => subscribe::encode(*id, items, out),
        Request::Unsubscribe { id, subjects } => unsubscribe::encode(*id, subjects, out),
        Request::Publish { id, subject, reply_to, publish } => {
            publish::encode(*id, subject, reply_to.as_deref(), publish, out);
        }
        Request::Ping { id } => ping::encode(*id, out),
        Request::RenewToken { id, token } => token::encode(*id, token, out),
    }
}
