//! What members tell each other besides the agreement's own frames: publishes on their way to the leader, standard
//! messages, in `Standard` mode snapshots, and how many clients each has.

use bytes::{BufMut, Bytes, BytesMut};

use crate::store::codec::{Malformed, RawMessage, Reader};
use crate::store::command::{Op, Origin, VERSION, read_op};

mod kind {
    pub(super) const FORWARD: u8 = 1;
    pub(super) const RELAY: u8 = 2;
    pub(super) const SNAPSHOTS: u8 = 3;
    pub(super) const TAKEN: u8 = 4;
    pub(super) const LOAD: u8 = 5;
}

/// How many clients a member has, and how many it should have compared with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Clients with a session.
    pub clients: u64,
    /// Its share of all clients is to be in proportion to this; 0 if it takes none.
    pub capacity: u32,
}

/// One frame of the forward channel.
#[derive(Debug)]
pub(super) enum Frame<'a> {
    /// A batch for the log.
    Forward {
        /// The incarnation that made it.
        origin: Origin,
        /// Its number.
        number: u64,
        /// Its operations, whole and valid.
        ops: &'a [u8],
    },
    /// Standard messages, accepted at this Unix time.
    Relay {
        /// Milliseconds.
        time_ms: u64,
        /// The messages.
        ops: Reader<'a>,
    },
    /// Snapshots: the time of each in Unix milliseconds, and the message.
    Snapshots(Reader<'a>),
    /// Snapshots were taken in.
    Taken,
    /// The clients of the member that sends it.
    Load(Load),
}

pub(super) fn forward(origin: Origin, number: u64, ops: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(32 + ops.len());
    out.put_u8(VERSION);
    out.put_u8(kind::FORWARD);
    out.put_u128(origin);
    out.put_u64(number);
    out.put_slice(ops);
    out.freeze()
}

pub(super) fn relay(time_ms: u64, ops: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(16 + ops.len());
    out.put_u8(VERSION);
    out.put_u8(kind::RELAY);
    out.put_u64(time_ms);
    out.put_slice(ops);
    out.freeze()
}

pub(super) fn snapshots(chunk: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + chunk.len());
    out.put_u8(VERSION);
    out.put_u8(kind::SNAPSHOTS);
    out.put_slice(chunk);
    out.freeze()
}

pub(super) fn taken() -> Bytes {
    Bytes::from_static(&[VERSION, kind::TAKEN])
}

/// The next snapshot of a frame: its time and the message.
pub(super) fn next_snapshot<'a>(reader: &mut Reader<'a>) -> Result<(u64, RawMessage<'a>), Malformed> {
    Ok((reader.u64("time")?, reader.message()?))
}

pub(super) fn load(load: Load) -> Bytes {
    let mut out = BytesMut::with_capacity(16);
    out.put_u8(VERSION);
    out.put_u8(kind::LOAD);
    out.put_u64(load.clients);
    out.put_u32(load.capacity);
    out.freeze()
}

/// Reads a frame; what is in it is checked to its end, so that nothing strange gets into the log.
pub(super) fn read(bytes: &[u8]) -> Result<Frame<'_>, Malformed> {
    let mut reader = Reader(bytes);
    match reader.u8("version")? {
        VERSION => {}
        other => return Err(Malformed::Version(other)),
    }
    let kind = reader.u8("kind")?;
    let frame = match kind {
        kind::FORWARD => {
            let (origin, number) = (reader.u128("origin")?, reader.u64("number")?);
            Frame::Forward { origin, number, ops: reader.0 }
        }
        kind::RELAY => Frame::Relay { time_ms: reader.u64("time")?, ops: reader },
        kind::SNAPSHOTS => Frame::Snapshots(reader),
        kind::TAKEN if reader.is_empty() => Frame::Taken,
        kind::LOAD => {
            // What a later version appends is not for this one.
            let (clients, capacity) = (reader.u64("clients")?, reader.u32("capacity")?);
            return Ok(Frame::Load(Load { clients, capacity }));
        }
        _ => return Err(Malformed::Value("kind")),
    };
    while !reader.is_empty() {
        if kind == kind::SNAPSHOTS {
            next_snapshot(&mut reader)?;
            continue;
        }
        let op = read_op(&mut reader)?;
        if kind == kind::RELAY && !matches!(op, Op::Publish(_)) {
            return Err(Malformed::Value("operation"));
        }
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use sterna_model::{Message, Subject};

    use super::*;
    use crate::store::command::Ops;

    #[test]
    fn frames_come_back_and_their_beginnings_are_refused() {
        let mut ops = Ops::default();
        let subject = Subject::parse("/a").unwrap();
        ops.publish(&Message::new(subject.clone(), *b"x"), None);
        let publish = ops.take();
        let bytes = forward(7, 8, &publish);
        assert!(
            matches!(read(&bytes), Ok(Frame::Forward { origin: 7, number: 8, ops }) if ops == &publish[..])
        );
        for end in (0..bytes.len()).filter(|end| *end != 26) {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        assert!(matches!(read(&relay(9, &publish)), Ok(Frame::Relay { time_ms: 9, .. })));
        let told = Load { clients: 10, capacity: 2 };
        let bytes = load(told);
        assert!(matches!(read(&bytes), Ok(Frame::Load(heard)) if heard == told));
        assert!(read(&bytes[..bytes.len() - 1]).is_err());
        ops.touch(&subject);
        assert_eq!(read(&relay(9, &ops.take())).unwrap_err(), Malformed::Value("operation"));
    }

    proptest::proptest! {
        #[test]
        fn strange_frames_are_refused_and_nothing_else_happens(at: u16, value: u8, end: u16, bytes: Vec<u8>) {
            let mut ops = Ops::default();
            let subject = Subject::parse("/a").unwrap();
            let stamp = sterna_model::PublisherStamp { publisher: "p".into(), seq: 1 };
            ops.publish(&Message::new(subject.clone(), *b"content"), Some(&stamp));
            ops.touch(&subject);
            let whole = ops.take();
            let _ = read(&bytes);
            for frame in [forward(7, 8, &whole), relay(9, &whole)] {
                let mut frame = frame.to_vec();
                let place = usize::from(at) % frame.len();
                frame[place] = value;
                frame.truncate(usize::from(end) % (2 * frame.len()));
                if let Ok(Frame::Forward { ops, .. }) = read(&frame) {
                    let mut ops = Reader(ops);
                    while !ops.is_empty() {
                        assert!(read_op(&mut ops).is_ok(), "what is taken is valid to its end");
                    }
                }
            }
        }
    }
}
