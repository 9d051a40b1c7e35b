//! Commands of the log: what all members apply in one order. A command holds batches of what members want, each with
//! the incarnation that made it and a number, so that a batch that was sent twice is applied once.

use bytes::{BufMut, Bytes, BytesMut};
use sterna_model::{Message, PublisherStamp, Seq, Subject};

use super::codec::{Malformed, RawMessage, Reader, put_message, put_text};

/// First byte of every command, batch and relay of this version.
pub(crate) const VERSION: u8 = 1;
/// A batch is sealed when it has this many bytes.
pub(crate) const BATCH_BYTES: usize = 64 * 1024;
/// Bytes of a command's head, of a batch's head.
const HEAD_BYTES: usize = 64;

mod op {
    pub(super) const PUBLISH: u8 = 1;
    pub(super) const TOUCH: u8 = 2;
}

mod section {
    pub(super) const BATCH: u8 = 1;
    pub(super) const FORGET: u8 = 2;
    pub(super) const ROTATE: u8 = 3;
}

/// The incarnation that made a batch: 128 random bits.
pub(crate) type Origin = u128;

/// What one member wants, in order.
#[derive(Debug, Default)]
pub(crate) struct Ops(BytesMut);

impl Ops {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= BATCH_BYTES
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn publish(&mut self, message: &Message, stamp: Option<&PublisherStamp>) {
        self.0.put_u8(op::PUBLISH);
        put_message(&mut self.0, message, stamp);
    }

    /// The subject is in use, although nobody publishes.
    pub(crate) fn touch(&mut self, subject: &Subject) {
        self.0.put_u8(op::TOUCH);
        put_text(&mut self.0, subject.as_str());
    }

    pub(crate) fn take(&mut self) -> Bytes {
        self.0.split().freeze()
    }
}

/// One thing that a member wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    Publish(RawMessage<'a>),
    Touch(&'a str),
}

/// The next thing of a batch.
pub(crate) fn read_op<'a>(reader: &mut Reader<'a>) -> Result<Op<'a>, Malformed> {
    match reader.u8("operation")? {
        op::PUBLISH => Ok(Op::Publish(reader.message()?)),
        op::TOUCH => Ok(Op::Touch(reader.subject()?)),
        _ => Err(Malformed::Value("operation")),
    }
}

/// A command as it is put together.
#[derive(Debug)]
pub(crate) struct CommandBuilder(BytesMut);

impl CommandBuilder {
    /// `time_ms` is Unix time, and the time that the rules go by.
    pub(crate) fn new(time_ms: u64, bytes: usize) -> Self {
        let mut out = BytesMut::with_capacity(HEAD_BYTES + bytes);
        out.put_u8(VERSION);
        out.put_u64(time_ms);
        Self(out)
    }

    pub(crate) fn batch(&mut self, origin: Origin, number: u64, ops: &[u8]) {
        self.0.put_u8(section::BATCH);
        self.0.put_u128(origin);
        self.0.put_u64(number);
        self.0.put_u32(u32::try_from(ops.len()).expect("a batch is small"));
        self.0.put_slice(ops);
    }

    /// Subjects that nobody has used for long, with their last seq.
    pub(crate) fn forget<'a>(&mut self, subjects: impl ExactSizeIterator<Item = (&'a Subject, Seq)>) {
        self.0.put_u8(section::FORGET);
        self.0.put_u32(u32::try_from(subjects.len()).expect("bounded by the caller"));
        for (subject, last) in subjects {
            put_text(&mut self.0, subject.as_str());
            self.0.put_u64(last.0);
        }
    }

    /// Publishers begin a new generation.
    pub(crate) fn rotate(&mut self) {
        self.0.put_u8(section::ROTATE);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

/// One part of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Section<'a> {
    Batch { origin: Origin, number: u64, ops: Reader<'a> },
    Forget(Forgotten<'a>),
    Rotate,
}

/// Subjects to be forgotten, still to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forgotten<'a> {
    left: u32,
    reader: Reader<'a>,
}

impl<'a> Forgotten<'a> {
    /// Name and last seq.
    pub(crate) fn next(&mut self) -> Result<Option<(&'a str, Seq)>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        Ok(Some((self.reader.subject()?, Seq(self.reader.u64("seq")?))))
    }
}

/// A command that is being read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command<'a> {
    pub(crate) time_ms: u64,
    reader: Reader<'a>,
}

impl<'a> Command<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        match reader.u8("version")? {
            VERSION => Ok(Self { time_ms: reader.u64("time")?, reader }),
            other => Err(Malformed::Version(other)),
        }
    }

    /// Whether it can be read to its end.
    pub(crate) fn check(mut self) -> Result<(), Malformed> {
        while self.next()?.is_some() {}
        Ok(())
    }

    pub(crate) fn next(&mut self) -> Result<Option<Section<'a>>, Malformed> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let section = match self.reader.u8("section")? {
            section::BATCH => Section::Batch {
                origin: self.reader.u128("origin")?,
                number: self.reader.u64("number")?,
                ops: Reader(self.reader.part("batch")?),
            },
            section::FORGET => {
                let left = self.reader.u32("count")?;
                let start = Forgotten { left, reader: self.reader };
                let mut all = start;
                while all.next()?.is_some() {}
                self.reader = all.reader;
                Section::Forget(start)
            }
            section::ROTATE => Section::Rotate,
            _ => return Err(Malformed::Value("section")),
        };
        Ok(Some(section))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_back_in_order() {
        let subject = Subject::parse("/a").unwrap();
        let mut ops = Ops::default();
        ops.publish(&Message::new(subject.clone(), *b"x"), None);
        ops.touch(&subject);
        let ops = ops.take();
        let mut command = CommandBuilder::new(77, 0);
        command.batch(5, 1, &ops);
        command.forget([(&subject, Seq(9))].into_iter());
        command.rotate();
        let bytes = command.finish();

        let mut command = Command::read(&bytes).unwrap();
        assert_eq!(command.time_ms, 77);
        let Some(Section::Batch { origin: 5, number: 1, mut ops }) = command.next().unwrap() else {
            panic!()
        };
        assert!(matches!(read_op(&mut ops), Ok(Op::Publish(message)) if message.content == b"x"));
        assert_eq!(read_op(&mut ops), Ok(Op::Touch("/a")));
        assert!(ops.is_empty());
        let Some(Section::Forget(mut forgotten)) = command.next().unwrap() else { panic!() };
        assert_eq!((forgotten.next(), forgotten.next()), (Ok(Some(("/a", Seq(9)))), Ok(None)));
        assert!(matches!(command.next(), Ok(Some(Section::Rotate))));
        assert!(matches!(command.next(), Ok(None)));
    }

    #[test]
    fn a_command_of_another_version_is_not_guessed_at() {
        assert_eq!(Command::read(&[2, 0, 0]).unwrap_err(), Malformed::Version(2));
        assert_eq!(Command::read(&[1, 0]).unwrap_err(), Malformed::Short("time"));
        let mut head = [0; 10];
        (head[0], head[9]) = (VERSION, 99);
        assert_eq!(Command::read(&head).unwrap().next().unwrap_err(), Malformed::Value("section"));
    }

    fn read_all(bytes: &[u8]) -> Result<(), Malformed> {
        let mut command = Command::read(bytes)?;
        while let Some(section) = command.next()? {
            match section {
                Section::Batch { mut ops, .. } => {
                    while !ops.is_empty() {
                        read_op(&mut ops)?;
                    }
                }
                Section::Forget(mut forgotten) => while forgotten.next()?.is_some() {},
                Section::Rotate => {}
            }
        }
        Ok(())
    }

    proptest::proptest! {
        #[test]
        fn strange_commands_are_refused_and_nothing_else_happens(at: u16, value: u8, end: u16, bytes: Vec<u8>) {
            let subject = Subject::parse("/a").unwrap();
            let mut ops = Ops::default();
            ops.publish(&Message::new(subject.clone(), *b"x"), None);
            let mut command = CommandBuilder::new(77, 0);
            command.batch(5, 1, &ops.take());
            command.forget([(&subject, Seq(9))].into_iter());
            command.rotate();
            let mut command = command.finish().to_vec();
            assert_eq!(read_all(&command), Ok(()));
            let _ = read_all(&bytes);
            let place = usize::from(at) % command.len();
            command[place] = value;
            command.truncate(usize::from(end) % (2 * command.len()));
            let _ = read_all(&command);
        }
    }
}
