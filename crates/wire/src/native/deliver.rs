//! `message`: a record on its way to subscribers. Encoded once and shared by all of them.

use sterna_model::{Compression, Kind, Qos, Record};

use super::json::Object;

/// Bytes of a message frame besides content, subjects and closure; an estimate that saves growing the buffer.
const FRAME_BYTES_TYPICAL: usize = 160;

/// Appends the frame that delivers `record` as a message of type `kind`.
pub fn encode_message(kind: Kind, record: &Record, out: &mut Vec<u8>) {
    reserve(record, out);
    push_fields(Object::begin(out).text("op", "message"), kind, record);
}

/// Appends the same object without its `op`, for carriers that name the event themselves.
pub fn encode_message_body(kind: Kind, record: &Record, out: &mut Vec<u8>) {
    reserve(record, out);
    push_fields(Object::begin(out), kind, record);
}

fn reserve(record: &Record, out: &mut Vec<u8>) {
    let message = &record.message;
    let texts_bytes = message.content.len() + message.subject.as_str().len() + message.closure.len();
    out.reserve(FRAME_BYTES_TYPICAL + texts_bytes + texts_bytes / 8);
}

fn push_fields(object: Object<'_>, kind: Kind, record: &Record) {
    let message = &record.message;
    object
        .text("subject", message.subject.as_str())
        .text("type", kind.name())
        .number("epoch", record.position.epoch.0)
        .number("seq", record.position.seq.0)
        .number("time_ms", record.time_ms)
        .content(&message.content)
        .text("closure", (!message.closure.is_empty()).then_some(&*message.closure))
        .flag("retained", (!message.retained).then_some(false))
        .text("qos", (message.qos != Qos::default()).then_some(message.qos.name()))
        .text("reply_to", message.reply_to.as_ref().map(|subject| subject.as_str()))
        .flag("compressed", message.compression.map(|_| true))
        .text("compression", compression_name(message.compression))
        .end();
}

/// The name beside `compressed`, unless it is the default there.
pub(super) fn compression_name(compression: Option<Compression>) -> Option<&'static str> {
    compression.filter(|algorithm| *algorithm != Compression::Deflate).map(Compression::name)
}
