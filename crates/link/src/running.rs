//! A link that is up: the tasks that read and write its three connections.

use std::sync::Arc;

use tokio::io::split;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::authenticate::Process;
use crate::carry::{End, Reader, Writer};
use crate::context::Context;
use crate::dial::CHOSEN;
use crate::event::{Channel, LinkEvent};
use crate::limit::FLUSH_TIMEOUT;
use crate::link::Link;
use crate::remote::{Candidate, Input};

/// A link that is up.
pub(crate) struct Running {
    pub(crate) nonce: u128,
    pub(crate) since: Instant,
    link: Link,
    readers: JoinSet<()>,
    writers: JoinSet<()>,
}

impl Running {
    /// Tells the owner that the link is up, and starts its tasks. They report to `remote`.
    pub(crate) fn start(
        context: &Arc<Context>,
        slot: u16,
        number: u64,
        candidate: Candidate,
        remote: &UnboundedSender<Input>,
    ) -> Self {
        let Candidate { process: Process { nonce, advertised, .. }, streams, .. } = candidate;
        let (link, waiting) = Link::new(number, context.settings.queue_bytes_max, remote.clone());
        context.tell(LinkEvent::Up { slot, nonce, advertised, link: link.clone() });
        let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
        for ((channel, stream), waiting) in Channel::ALL.into_iter().zip(streams).zip(waiting) {
            let (read_half, write_half) = split(stream);
            let room = Arc::new(Semaphore::new(context.settings.unhandled_bytes_max));
            let reader = Reader { context: context.clone(), slot, channel, room };
            let report = remote.clone();
            readers.spawn(async move {
                let end = reader.run(read_half).await;
                let _ = report.send(Input::Ended { link: number, end });
            });
            let first = (channel == Channel::Log && context.decides_over(slot)).then_some(CHOSEN);
            let writer = Writer { context: context.clone(), slot, channel, waiting, first };
            let report = remote.clone();
            writers.spawn(async move {
                if let Some(end) = writer.run(write_half).await {
                    let _ = report.send(Input::Ended { link: number, end });
                }
            });
        }
        Self { nonce, since: Instant::now(), link, readers, writers }
    }

    /// The link's number, by which its tasks report.
    pub(crate) fn number(&self) -> u64 {
        self.link.number()
    }

    /// Ends the link. After this no frame of it comes. If the other side has closed it in order, what it sent before
    /// comes first, on every channel.
    pub(crate) async fn end(mut self, why: &End) {
        if matches!(why, End::Closed(_)) {
            let _ = timeout(FLUSH_TIMEOUT, all(&mut self.readers)).await;
        }
        self.readers.shutdown().await;
        self.writers.shutdown().await;
    }

    /// Closes the link in order: after what the owner has sent, and once the other side has closed it, too; or when that
    /// takes too long.
    pub(crate) async fn close(mut self) {
        self.link.close();
        let closed = async {
            all(&mut self.writers).await;
            all(&mut self.readers).await;
        };
        let _ = timeout(FLUSH_TIMEOUT, closed).await;
        self.readers.shutdown().await;
        self.writers.shutdown().await;
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}
