//! Numbers, texts and messages as bytes: for the log, for members, for state transfers. Strict and bounded.

use bytes::{BufMut, BytesMut};
use sterna_model::limit::{CLOSURE_BYTES_MAX, PUBLISHER_ID_BYTES_MAX};
use sterna_model::{Compression, Message, PublisherStamp, Qos, Subject};

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// They end too early.
    #[error("the bytes end inside their {0}")]
    Short(&'static str),
    /// A value that nothing can have.
    #[error("the {0} is not valid")]
    Value(&'static str),
    /// Another version of the format.
    #[error("version {0} of the format is not known here; update this member")]
    Version(u8),
}

mod flag {
    pub(super) const RETAINED: u8 = 1;
    pub(super) const STANDARD: u8 = 1 << 1;
    pub(super) const REPLY: u8 = 1 << 2;
    pub(super) const STAMP: u8 = 1 << 3;
    /// Above it: number of the compression, 0 for none.
    pub(super) const COMPRESSION_SHIFT: u8 = 4;
}

/// A message as it stands in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawMessage<'a> {
    pub(crate) subject: &'a str,
    pub(crate) content: &'a [u8],
    pub(crate) closure: &'a str,
    pub(crate) reply_to: Option<&'a str>,
    pub(crate) retained: bool,
    pub(crate) qos: Qos,
    pub(crate) compression: Option<Compression>,
    pub(crate) stamp: Option<RawStamp<'a>>,
}

/// What makes a retry recognisable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawStamp<'a> {
    pub(crate) publisher: &'a str,
    pub(crate) seq: u64,
}

impl<'a> RawMessage<'a> {
    /// A message that was not sent through bytes.
    pub(crate) fn of(message: &'a Message) -> Self {
        Self {
            subject: message.subject.as_str(),
            content: &message.content,
            closure: &message.closure,
            reply_to: message.reply_to.as_ref().map(Subject::as_str),
            retained: message.retained,
            qos: message.qos,
            compression: message.compression,
            stamp: None,
        }
    }

    /// The message, with a subject that is known already.
    pub(crate) fn to_message(self, subject: Subject) -> Message {
        Message {
            subject,
            content: self.content.into(),
            closure: self.closure.into(),
            reply_to: self.reply_to.map(|text| Subject::parse(text).expect("checked while reading")),
            retained: self.retained,
            qos: self.qos,
            compression: self.compression,
        }
    }
}

/// Appends a message. Its parts are within their limits since they came in.
pub(crate) fn put_message(out: &mut BytesMut, message: &Message, stamp: Option<&PublisherStamp>) {
    let compression = message.compression.map_or(0, |one| 1 + one as u8);
    let flags = [
        (message.retained, flag::RETAINED),
        (message.qos == Qos::Standard, flag::STANDARD),
        (message.reply_to.is_some(), flag::REPLY),
        (stamp.is_some(), flag::STAMP),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum::<u8>();
    out.put_u8(flags | compression << flag::COMPRESSION_SHIFT);
    put_text(out, message.subject.as_str());
    put_text(out, &message.closure);
    out.put_u32(u32::try_from(message.content.len()).expect("MaxMessageSize is far below 4 GB"));
    out.put_slice(&message.content);
    if let Some(reply_to) = &message.reply_to {
        put_text(out, reply_to.as_str());
    }
    if let Some(stamp) = stamp {
        put_text(out, &stamp.publisher);
        out.put_u64(stamp.seq);
    }
}

/// Appends a text of at most 65,535 bytes.
pub(crate) fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u16(u16::try_from(text.len()).expect("names are short"));
    out.put_slice(text.as_bytes());
}

/// Reads from the front.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn bytes(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Malformed::Short(what))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed::Short(what))?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u128(&mut self, what: &'static str) -> Result<u128, Malformed> {
        Ok(u128::from_be_bytes(self.array(what)?))
    }

    /// A part that has its length in front.
    pub(crate) fn part(&mut self, what: &'static str) -> Result<&'a [u8], Malformed> {
        let length = self.u32(what)?;
        self.bytes(length as usize, what)
    }

    pub(crate) fn text(&mut self, bytes_max: usize, what: &'static str) -> Result<&'a str, Malformed> {
        let length = usize::from(self.u16(what)?);
        if length > bytes_max {
            return Err(Malformed::Value(what));
        }
        str::from_utf8(self.bytes(length, what)?).map_err(|_| Malformed::Value(what))
    }

    pub(crate) fn subject(&mut self) -> Result<&'a str, Malformed> {
        let text = self.text(usize::from(u16::MAX), "subject")?;
        Subject::check(text).map_err(|_| Malformed::Value("subject"))?;
        Ok(text)
    }

    pub(crate) fn message(&mut self) -> Result<RawMessage<'a>, Malformed> {
        let flags = self.u8("flags")?;
        let compression = match flags >> flag::COMPRESSION_SHIFT {
            0 => None,
            number => {
                let compression = Compression::ALL.get(usize::from(number) - 1).copied();
                Some(compression.ok_or(Malformed::Value("compression"))?)
            }
        };
        let has = |flag| flags & flag != 0;
        let subject = self.subject()?;
        let closure = self.text(CLOSURE_BYTES_MAX, "closure")?;
        let content = self.part("content")?;
        let reply_to = if has(flag::REPLY) { Some(self.subject()?) } else { None };
        let stamp = if has(flag::STAMP) { Some(self.stamp()?) } else { None };
        Ok(RawMessage {
            subject,
            content,
            closure,
            reply_to,
            retained: has(flag::RETAINED),
            qos: if has(flag::STANDARD) { Qos::Standard } else { Qos::Guaranteed },
            compression,
            stamp,
        })
    }

    fn stamp(&mut self) -> Result<RawStamp<'a>, Malformed> {
        Ok(RawStamp {
            publisher: self.text(PUBLISHER_ID_BYTES_MAX, "publisher")?,
            seq: self.u64("publisher seq")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_as_they_were() {
        let subject = |text| Subject::parse(text).unwrap();
        let message = Message {
            closure: "c".into(),
            reply_to: Some(subject("/answers")),
            retained: false,
            qos: Qos::Standard,
            compression: Some(Compression::Zstd),
            ..Message::new(subject("/a/b"), *b"content")
        };
        let stamp = PublisherStamp { publisher: "p".into(), seq: 7 };
        for (message, stamp) in [(message, Some(stamp)), (Message::new(subject("/a"), *b"x"), None)] {
            let mut bytes = BytesMut::new();
            put_message(&mut bytes, &message, stamp.as_ref());
            let mut reader = Reader(&bytes);
            let raw = reader.message().unwrap();
            assert!(reader.is_empty());
            assert_eq!(
                raw.stamp.map(|it| (it.publisher.into(), it.seq)),
                stamp.map(|it| (it.publisher, it.seq))
            );
            assert_eq!(raw.to_message(message.subject.clone()), message);
            for end in 0..bytes.len() {
                assert!(Reader(&bytes[..end]).message().is_err(), "{end}");
            }
        }
    }

    #[test]
    fn strange_values_are_refused() {
        let mut bytes = BytesMut::new();
        put_message(&mut bytes, &Message::new(Subject::parse("/a").unwrap(), *b"x"), None);
        for (at, value, fault) in
            [(0, 0x71, "compression"), (3, b'x', "subject"), (4, 0xff, "subject"), (5, 0xff, "closure")]
        {
            let mut bad = bytes.clone();
            bad[at] = value;
            assert_eq!(Reader(&bad).message(), Err(Malformed::Value(fault)), "{at}");
        }
    }
}
