//! `publish`: one message for one subject. The hot path of the codec.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sterna_model::limit::{CLOSURE_BYTES_MAX, PUBLISHER_ID_BYTES_MAX};
use sterna_model::{Compression, Publish, PublisherStamp, Qos, Request};

use super::deliver::compression_name;
use super::frame::{Fault, Field, Fields, NUMBER_MAX};
use super::json::Object;

pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Request, Fault> {
    fields.allow(&[
        Field::Op,
        Field::Id,
        Field::Subject,
        Field::Content,
        Field::Encoding,
        Field::Closure,
        Field::Retained,
        Field::Qos,
        Field::ReplyTo,
        Field::Compressed,
        Field::Compression,
        Field::Publisher,
        Field::PublisherSeq,
    ])?;
    let id = fields.id()?;
    let subject = fields.take_required_text(Field::Subject)?.into();
    let publish = Publish {
        content: read_content(fields)?,
        closure: fields.text(Field::Closure, 0..=CLOSURE_BYTES_MAX)?.unwrap_or_default().into(),
        retained: fields.flag(Field::Retained)?.unwrap_or(true),
        qos: fields.named(Field::Qos, "guaranteed or standard", read_qos)?.unwrap_or_default(),
        compression: read_compression(fields)?,
        stamp: read_stamp(fields)?,
    };
    let reply_to = fields.take_text(Field::ReplyTo)?.map(Into::into);
    Ok(Request::Publish { id, subject, reply_to, publish: Box::new(publish) })
}

fn read_content(fields: &mut Fields<'_>) -> Result<Box<[u8]>, Fault> {
    let content = fields.take_required_text(Field::Content)?;
    let is_base64 = |name: &str| (name == "base64").then_some(());
    if fields.named(Field::Encoding, "base64", is_base64)?.is_none() {
        return Ok(content.into_owned().into_bytes().into());
    }
    let fault = |_| Fault::parameter(Field::Content, "base64 with padding", "something else");
    STANDARD.decode(content.as_bytes()).map(Into::into).map_err(fault)
}

/// Names are exact in this protocol.
fn read_qos(name: &str) -> Option<Qos> {
    Qos::from_name(name).filter(|qos| qos.name() == name)
}

fn read_compression(fields: &Fields<'_>) -> Result<Option<Compression>, Fault> {
    let compressed = fields.flag(Field::Compressed)?.unwrap_or(false);
    let expected = "deflate, gzip, brotli or zstd";
    match fields.named(Field::Compression, expected, Compression::from_name)? {
        Some(_) if !compressed => {
            Err(Fault::parameter(Field::Compression, "nothing without compressed true", "a text"))
        }
        named => Ok(compressed.then_some(named.unwrap_or(Compression::Deflate))),
    }
}

fn read_stamp(fields: &Fields<'_>) -> Result<Option<PublisherStamp>, Fault> {
    let publisher = fields.text(Field::Publisher, 1..=PUBLISHER_ID_BYTES_MAX)?;
    match (publisher, fields.number(Field::PublisherSeq, NUMBER_MAX)?) {
        (Some(publisher), Some(seq)) => Ok(Some(PublisherStamp { publisher: publisher.into(), seq })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Fault::missing(Field::PublisherSeq, "a number beside publisher")),
        (None, Some(_)) => Err(Fault::missing(Field::Publisher, "a text beside publisher_seq")),
    }
}

pub(super) fn encode(
    id: Option<u64>,
    subject: &str,
    reply_to: Option<&str>,
    publish: &Publish,
    out: &mut Vec<u8>,
) {
    let stamp = publish.stamp.as_ref();
    Object::begin(out)
        .text("op", "publish")
        .number("id", id)
        .text("subject", subject)
        .content(&publish.content)
        .text("closure", (!publish.closure.is_empty()).then_some(&*publish.closure))
        .flag("retained", (!publish.retained).then_some(false))
        .text("qos", (publish.qos != Qos::default()).then_some(publish.qos.name()))
        .text("reply_to", reply_to)
        .flag("compressed", publish.compression.map(|_| true))
        .text("compression", compression_name(publish.compression))
        .text("publisher", stamp.map(|stamp| &*stamp.publisher))
        .number("publisher_seq", stamp.map(|stamp| stamp.seq))
        .end();
}
