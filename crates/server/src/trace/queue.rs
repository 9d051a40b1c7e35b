//! Log lines on their way out: handed over without waiting, written by a thread of their own.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Lines that may wait to be written; with more, the newest are lost and counted.
const LINES_MAX: usize = 4096;
/// Bytes of a line that travel in one piece.
const PIECE_BYTES_MAX: usize = 8 * 1024;
/// How long a flush may take when the disk does not answer.
const FLUSH_MAX: Duration = Duration::from_secs(2);

enum ToWriter {
    Line { sink: usize, text: Box<[u8]> },
    Flush(Sender<()>),
}

/// The way to the writing thread. Copies lead to the same one.
#[derive(Clone)]
pub(crate) struct Queue {
    sender: Sender<ToWriter>,
    lost: Arc<AtomicU64>,
}

/// The lines of one sink.
pub(super) struct Lines {
    queue: Queue,
    sink: usize,
}

impl Queue {
    /// Starts the thread that writes to these sinks, until the last copy is dropped.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(sinks: Vec<Box<dyn Write + Send>>) -> io::Result<Self> {
        let (sender, receiver) = bounded(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = Self { sender, lost: lost.clone() };
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&receiver, sinks, &lost))?;
        Ok(queue)
    }

    /// The way to one of the sinks.
    pub(super) fn lines(&self, sink: usize) -> Lines {
        Lines { queue: self.clone(), sink }
    }

    /// Lines that were given up because the disk or the reader of stdout was too slow, or full.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Waits, for a bounded time, until everything logged so far is written.
    pub(crate) fn flush(&self) {
        let (done, wait) = bounded(1);
        if self.sender.send_timeout(ToWriter::Flush(done), FLUSH_MAX).is_ok() {
            let _ = wait.recv_timeout(FLUSH_MAX);
        }
    }
}

impl Write for &Lines {
    /// Never waits and never fails: the server does not stand still for its log.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let piece = &line[..line.len().min(PIECE_BYTES_MAX)];
        let Queue { sender, lost } = &self.queue;
        if sender.try_send(ToWriter::Line { sink: self.sink, text: piece.into() }).is_err() {
            lost.fetch_add(1, Relaxed);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(receiver: &Receiver<ToWriter>, mut sinks: Vec<Box<dyn Write + Send>>, lost: &AtomicU64) {
    let mut told = 0;
    for message in receiver {
        let flushed = match message {
            ToWriter::Line { sink, text } => {
                if sinks[sink].write_all(&text).is_err() {
                    lost.fetch_add(1, Relaxed);
                }
                None
            }
            ToWriter::Flush(done) => Some(done),
        };
        if receiver.is_empty() || flushed.is_some() {
            let failed = sinks.iter_mut().filter_map(|sink| sink.flush().err()).count();
            let lines = lost.load(Relaxed) - told;
            if failed == 0 && lines > 0 {
                told += lines;
                tracing::warn!(lines, "log lines were lost; give the log a faster reader or more room");
            }
        }
        if let Some(done) = flushed {
            let _ = done.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands on what is written, once it is let.
    struct Gate {
        open: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.open.recv();
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn lines_arrive_in_order_and_a_flush_waits_for_them() {
        let (open, gate) = bounded(8);
        let (written, lines) = bounded(8);
        let queue = Queue::start(vec![Box::new(Gate { open: gate, written })]).unwrap();
        for line in ["one\n", "two\n"] {
            (&queue.lines(0)).write_all(line.as_bytes()).unwrap();
            open.send(()).unwrap();
        }
        queue.flush();
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [b"one\n", b"two\n"]);
    }

    #[test]
    fn a_writer_that_stands_still_costs_lines_but_never_waits() {
        let (_open, gate) = bounded(0);
        let (written, _lines) = bounded(8);
        let queue = Queue::start(vec![Box::new(Gate { open: gate, written })]).unwrap();
        for _ in 0..LINES_MAX + 10 {
            (&queue.lines(0)).write_all(b"line\n").unwrap();
        }
        // One line may be on its way to the disk already.
        assert!((9..=10).contains(&queue.lost()), "{}", queue.lost());
    }

    #[test]
    fn a_full_disk_is_counted_and_survived() {
        let queue = Queue::start(vec![Box::new(Full)]).unwrap();
        for _ in 0..3 {
            (&queue.lines(0)).write_all(b"line\n").unwrap();
        }
        queue.flush();
        assert_eq!(queue.lost(), 3);
    }
}
