//! Frames on a connection: u32 length, big-endian, then the bytes. A length of 0 is a keep-alive.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter, ReadHalf, WriteHalf,
};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::context::Context;
use crate::event::{Channel, LinkEvent, Receipt};
use crate::limit::{BUFFER_BYTES, FRAME_BYTES_MAX, TURN_BYTES};
use crate::link::{Outgoing, Waiting};
use crate::stream::Stream;

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the other side closed it")]
    Closed(Channel),
    #[error("the connection for {0:?} ended: {1}")]
    Lost(Channel, io::Error),
    #[error("nothing was heard for too long")]
    Silent,
    #[error("a frame for {0:?} is longer than allowed")]
    Oversized(Channel),
    #[error("too much waited to be sent for {0:?}; the member or the network to it is too slow")]
    Overflow(Channel),
    #[error("a new link replaces it")]
    Replaced,
}

/// Hands the frames of one connection of a link to the owner, in order.
pub(crate) struct Reader {
    pub(crate) context: Arc<Context>,
    pub(crate) slot: u16,
    pub(crate) channel: Channel,
    /// Bytes that the owner may yet leave unhandled.
    pub(crate) room: Arc<Semaphore>,
}

impl Reader {
    /// Reads until the connection ends.
    pub(crate) async fn run(self, stream: ReadHalf<Stream>) -> End {
        let mut stream = BufReader::with_capacity(BUFFER_BYTES, stream);
        loop {
            if let Err(end) = self.read(&mut stream).await {
                return end;
            }
        }
    }

    async fn read(&self, stream: &mut BufReader<ReadHalf<Stream>>) -> Result<(), End> {
        let length = self.heard(stream.read_u32()).await? as usize;
        if length == 0 {
            return Ok(());
        }
        if length > FRAME_BYTES_MAX {
            return Err(End::Oversized(self.channel));
        }
        let room = length.min(self.context.settings.unhandled_bytes_max);
        let room = u32::try_from(room).expect("both bounds are below");
        let permit = self.room.clone().acquire_many_owned(room).await.expect("it is never closed");
        // Of its own size: a frame may be kept for long, and must not keep its neighbours.
        let mut frame = BytesMut::with_capacity(length);
        while frame.len() < length {
            let piece = (length - frame.len()).min(TURN_BYTES);
            let mut rest = (&mut *stream).take(piece as u64);
            if self.heard(rest.read_buf(&mut frame)).await? == 0 {
                return Err(End::Closed(self.channel));
            }
            if frame.len() < length {
                yield_now().await;
            }
        }
        self.context.counters[usize::from(self.slot)].count_in(self.channel, length);
        let (slot, channel, receipt) = (self.slot, self.channel, Receipt::new(permit));
        self.context.tell(LinkEvent::Frame { slot, channel, bytes: frame.freeze(), receipt });
        Ok(())
    }

    /// Silence is judged on the log connection alone, and only while it is being read.
    async fn heard<T>(&self, read: impl Future<Output = io::Result<T>>) -> Result<T, End> {
        let read = match self.channel {
            Channel::Log => timeout(self.context.settings.silence, read).await.map_err(|_| End::Silent)?,
            _ => read.await,
        };
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => End::Closed(self.channel),
            _ => End::Lost(self.channel, error),
        })
    }
}

/// Writes what waits for one connection of a link.
pub(crate) struct Writer {
    pub(crate) context: Arc<Context>,
    pub(crate) slot: u16,
    pub(crate) channel: Channel,
    pub(crate) waiting: Waiting,
    /// A byte before the first frame.
    pub(crate) first: Option<u8>,
}

impl Writer {
    /// Writes until the connection ends; `None` if it was closed from this side.
    pub(crate) async fn run(mut self, stream: WriteHalf<Stream>) -> Option<End> {
        let mut stream = BufWriter::with_capacity(BUFFER_BYTES, stream);
        self.write(&mut stream).await.err().map(|error| End::Lost(self.channel, error))
    }

    async fn write(&mut self, stream: &mut BufWriter<WriteHalf<Stream>>) -> io::Result<()> {
        if let Some(first) = self.first {
            stream.write_u8(first).await?;
            stream.flush().await?;
        }
        let mut turn_bytes = 0;
        loop {
            let next = match self.waiting.frames.try_recv() {
                Ok(next) => Some(next),
                Err(_) => {
                    stream.flush().await?;
                    self.wait().await
                }
            };
            match next {
                Some(Outgoing::Frame(frame)) => {
                    stream.write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?).await?;
                    for piece in frame.chunks(TURN_BYTES) {
                        stream.write_all(piece).await?;
                        turn_bytes += piece.len();
                        if turn_bytes >= TURN_BYTES {
                            turn_bytes = 0;
                            yield_now().await;
                        }
                    }
                    self.waiting.written(&frame);
                    self.context.counters[usize::from(self.slot)].count_out(self.channel, frame.len());
                }
                Some(Outgoing::Close) => return stream.shutdown().await,
                None => stream.write_u32(0).await?,
            }
        }
    }

    /// The next thing to write; `None` if it is time for a keep-alive.
    async fn wait(&mut self) -> Option<Outgoing> {
        let next = self.waiting.frames.recv();
        let next = match self.channel {
            Channel::Log => timeout(keep_alive(self.context.settings.silence), next).await.ok()?,
            _ => next.await,
        };
        // The link, which holds the other end, ends this task before it goes.
        Some(next.unwrap_or(Outgoing::Close))
    }
}

/// Several keep-alives fit into the time after which a link counts as silent.
fn keep_alive(silence: Duration) -> Duration {
    silence / 4
}

/// Writes one frame.
pub(crate) async fn write_frame(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    stream.write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?).await?;
    stream.write_all(frame).await
}

/// Reads one frame; a longer one than `bytes_max` is refused before anything is allocated for it.
pub(crate) async fn read_frame(stream: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> io::Result<Bytes> {
    let length = stream.read_u32().await? as usize;
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than allowed"));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(frame.into())
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex, split};
    use tokio::runtime::Builder;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::complaints::Complaints;
    use crate::proof::ClusterKey;
    use crate::settings::LinkSettings;

    const SILENCE: Duration = Duration::from_millis(100);
    const ROOM: usize = 10;

    /// A reader, the other end of its connection, and what it tells.
    fn reader(channel: Channel) -> (impl Future<Output = End>, DuplexStream, UnboundedReceiver<LinkEvent>) {
        let members = vec!["a:1".to_owned(), "b:1".to_owned()];
        let settings = LinkSettings::new(0, 1, members, 1, ClusterKey::new(b""));
        let settings = LinkSettings { silence: SILENCE, unhandled_bytes_max: ROOM, ..settings };
        let (sender, events) = unbounded_channel();
        let on_event = Box::new(move |event| drop(sender.send(event)));
        let entries = settings.check().unwrap();
        let (context, _) = Context::new(settings, entries, Complaints::new().0, on_event);
        let (near, far) = duplex(1 << 20);
        let room = Arc::new(Semaphore::new(ROOM));
        let reader = Reader { context: Arc::new(context), slot: 1, channel, room };
        let (read_half, _) = split::<Stream>(Box::new(near));
        (reader.run(read_half), far, events)
    }

    fn block_on<T>(test: impl Future<Output = T>) -> T {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    #[test]
    fn a_length_beyond_the_bound_ends_the_link() {
        block_on(async {
            let (reading, mut far, mut events) = reader(Channel::Transfer);
            far.write_u32(u32::MAX).await.unwrap();
            assert!(matches!(reading.await, End::Oversized(Channel::Transfer)));
            assert!(events.recv().await.is_none());
        });
    }

    #[test]
    fn keep_alives_are_no_frames_and_silence_ends_the_link() {
        block_on(async {
            let (reading, mut far, mut events) = reader(Channel::Log);
            far.write_u32(0).await.unwrap();
            write_frame(&mut far, b"one").await.unwrap();
            far.write_u32(0).await.unwrap();
            assert!(matches!(reading.await, End::Silent));
            assert!(matches!(events.recv().await, Some(LinkEvent::Frame { bytes, .. }) if bytes == "one"));
            assert!(events.recv().await.is_none());
        });
    }

    #[test]
    fn a_channel_is_not_read_while_too_much_is_unhandled() {
        block_on(async {
            let (reading, mut far, mut events) = reader(Channel::Forward);
            for frame in [&b"12345678"[..], b"more than there is room for at all", b"last"] {
                write_frame(&mut far, frame).await.unwrap();
            }
            drop(far);
            let reading = tokio::spawn(reading);
            let mut lengths = Vec::new();
            while let Some(LinkEvent::Frame { bytes, receipt, .. }) = events.recv().await {
                lengths.push(bytes.len());
                yield_now().await;
                assert!(events.try_recv().is_err(), "read on with {} bytes unhandled", bytes.len());
                drop(receipt);
            }
            assert_eq!(lengths, [8, 34, 4]);
            assert!(matches!(reading.await.unwrap(), End::Closed(Channel::Forward)));
        });
    }

    #[test]
    fn a_frame_of_administration_has_its_own_bound() {
        block_on(async {
            let (mut near, mut far) = duplex(100);
            write_frame(&mut near, b"12345").await.unwrap();
            assert_eq!(read_frame(&mut far, 5).await.unwrap(), "12345");
            write_frame(&mut near, b"123456").await.unwrap();
            assert_eq!(read_frame(&mut far, 5).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        });
    }
}
