//! One other member: dials it, takes its connections, and keeps exactly one link to it.
//!
//! Of two members the one with the lower slot decides. Each opens links, and the lower slot chooses the first of them
//! that is complete; both sides then have that link and no other. A second link of the same process is not looked at
//! while the first is up, and one of another process replaces it, because a slot has one process at most.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::authenticate::{Process, Proved};
use crate::carry::End;
use crate::context::Context;
use crate::dial::{DialError, be_chosen, dial};
use crate::event::{Channel, LinkEvent};
use crate::handshake::LinkId;
use crate::limit::{ARRIVING_MAX, DIAL_PAUSE_MAX, DIAL_PAUSE_MIN, UNREACHABLE_NOTICE};
use crate::running::Running;
use crate::status::{Contact, LinkStatus};
use crate::stream::Stream;

/// What can happen to a member's task.
pub(crate) enum Input {
    /// The member has opened a connection and proved itself.
    Arrived(Arrival),
    /// A link is complete and, on the side that does not decide, chosen.
    Ready(Candidate),
    /// A dial has failed.
    DialFailed {
        /// Which one.
        attempt: u64,
        /// Why.
        error: DialError,
    },
    /// A link cannot go on.
    Ended {
        /// Which one.
        link: u64,
        /// Why.
        end: End,
    },
    /// The links stop; to be told when it is done.
    Stop(oneshot::Sender<()>),
}

/// A connection that was accepted and proved.
pub(crate) struct Arrival {
    pub(crate) channel: Channel,
    pub(crate) address: SocketAddr,
    pub(crate) stream: Stream,
    pub(crate) proved: Proved,
}

/// A link whose connections are complete.
pub(crate) struct Candidate {
    pub(crate) process: Process,
    /// The other end of the log connection.
    pub(crate) address: SocketAddr,
    pub(crate) dialled: bool,
    /// In the order of `Channel::ALL`.
    pub(crate) streams: [Stream; 3],
}

/// A link that was accepted and whose connections are not all there yet.
struct Arriving {
    id: LinkId,
    process: Process,
    address: SocketAddr,
    log: Stream,
    forward: Option<Stream>,
    transfer: Option<Stream>,
}

/// One other member.
pub(crate) struct Remote {
    context: Arc<Context>,
    slot: u16,
    status: watch::Sender<Contact>,
    inbox: UnboundedReceiver<Input>,
    /// The other end of `inbox`.
    own: UnboundedSender<Input>,
    link: Option<Running>,
    links: u64,
    arriving: Vec<Arriving>,
    dialling: Option<(u64, AbortHandle)>,
    attempts: u64,
    /// None while dialling, and while a link is up.
    dial_at: Option<Instant>,
    pause: Duration,
    unreachable: Unreachable,
}

/// How long there has been no link.
struct Unreachable {
    since: Instant,
    told: bool,
}

impl Remote {
    pub(crate) fn new(
        context: Arc<Context>,
        slot: u16,
        inbox: UnboundedReceiver<Input>,
        own: UnboundedSender<Input>,
        status: watch::Sender<Contact>,
    ) -> Self {
        let now = Instant::now();
        Self {
            context,
            slot,
            status,
            inbox,
            own,
            link: None,
            links: 0,
            arriving: Vec::new(),
            dialling: None,
            attempts: 0,
            dial_at: Some(now),
            pause: DIAL_PAUSE_MIN,
            unreachable: Unreachable { since: now, told: false },
        }
    }

    /// Keeps the link until the links stop.
    pub(crate) async fn run(mut self) {
        loop {
            let next = self.inbox.recv();
            let input = match self.dial_at {
                Some(at) => timeout_at(at, next).await,
                None => Ok(next.await),
            };
            match input {
                Err(_) => self.dial(),
                Ok(Some(Input::Arrived(arrival))) => self.arrive(arrival).await,
                Ok(Some(Input::Ready(candidate))) => self.consider(candidate).await,
                Ok(Some(Input::DialFailed { attempt, error })) => self.dial_failed(attempt, &error),
                Ok(Some(Input::Ended { link, end })) => self.ended(link, &end).await,
                Ok(Some(Input::Stop(done))) => {
                    self.stop().await;
                    let _ = done.send(());
                    return;
                }
                Ok(None) => return,
            }
        }
    }

    fn member(&self) -> &str {
        &self.context.settings.members[usize::from(self.slot)]
    }

    fn has_link_to(&self, nonce: u128) -> bool {
        self.link.as_ref().is_some_and(|link| link.nonce == nonce)
    }

    fn dial(&mut self) {
        self.dial_at = None;
        self.attempts += 1;
        let (attempt, context, slot, own) =
            (self.attempts, self.context.clone(), self.slot, self.own.clone());
        let task = tokio::spawn(async move {
            let input = match dial(&context, slot).await {
                Ok(candidate) => Input::Ready(candidate),
                Err(error) => Input::DialFailed { attempt, error },
            };
            let _ = own.send(input);
        });
        self.dialling = Some((attempt, task.abort_handle()));
    }

    fn dial_failed(&mut self, attempt: u64, error: &DialError) {
        if self.dialling.as_ref().is_none_or(|(current, _)| *current != attempt) {
            return;
        }
        self.dialling = None;
        self.dial_later();
        self.status.send_replace(if error.is_absence() { Contact::Absent } else { Contact::Sought });
        tracing::debug!(member = self.member(), %error, "no link yet");
        let Unreachable { since, told } = self.unreachable;
        if !told && since.elapsed() >= UNREACHABLE_NOTICE {
            self.unreachable.told = true;
            tracing::info!(
                member = self.member(), seconds = since.elapsed().as_secs(), %error,
                "no link to this member; if it should be running, see its log and its name; dialling goes on"
            );
        }
    }

    fn dial_later(&mut self) {
        self.dial_at = Some(Instant::now() + jittered(self.pause));
        self.pause = (self.pause * 2).min(DIAL_PAUSE_MAX);
    }

    fn stop_dialling(&mut self) {
        self.dial_at = None;
        if let Some((_, task)) = self.dialling.take() {
            task.abort();
        }
    }

    async fn arrive(&mut self, arrival: Arrival) {
        let Arrival { channel, address, stream, proved } = arrival;
        let Proved { process, link: id, .. } = proved;
        if self.context.decides_over(self.slot) && self.has_link_to(process.nonce) {
            return;
        }
        let is_meant = |arriving: &Arriving| arriving.id == id && arriving.process.nonce == process.nonce;
        let found = self.arriving.iter().position(is_meant);
        match (channel, found) {
            (Channel::Log, None) => {
                if self.arriving.len() >= ARRIVING_MAX {
                    self.arriving.remove(0);
                }
                let (forward, transfer) = (None, None);
                self.arriving.push(Arriving { id, process, address, log: stream, forward, transfer });
            }
            (Channel::Forward, Some(at)) => self.arriving[at].forward = Some(stream),
            (Channel::Transfer, Some(at)) => self.arriving[at].transfer = Some(stream),
            // The link has been given up meanwhile.
            _ => return,
        }
        if let Some(at) = self.arriving.iter().position(Arriving::is_complete) {
            let candidate = self.arriving.remove(at).complete();
            self.propose(candidate).await;
        }
    }

    /// A link that was accepted is complete.
    async fn propose(&mut self, mut candidate: Candidate) {
        if self.context.decides_over(self.slot) {
            return self.consider(candidate).await;
        }
        let (context, own) = (self.context.clone(), self.own.clone());
        tokio::spawn(async move {
            let [log, ..] = &mut candidate.streams;
            if be_chosen(&context, log).await.is_ok() {
                let _ = own.send(Input::Ready(candidate));
            }
        });
    }

    /// A link could go up: the side that decides keeps what it has if the process is the same, the other side obeys.
    async fn consider(&mut self, candidate: Candidate) {
        if self.context.decides_over(self.slot) && self.has_link_to(candidate.process.nonce) {
            return;
        }
        self.stop_dialling();
        self.arriving.clear();
        if self.link.is_some() {
            self.lower(&End::Replaced).await;
        }
        let Candidate { address, dialled, .. } = candidate;
        let Process { nonce, software: version, .. } = candidate.process.clone();
        tracing::info!(member = self.member(), %address, dialled, %version, "link is up");
        let since = SystemTime::now();
        self.status.send_replace(Contact::Linked(LinkStatus { since, address, dialled, nonce, version }));
        self.unreachable.told = false;
        self.links += 1;
        self.link = Some(Running::start(&self.context, self.slot, self.links, candidate, &self.own));
    }

    async fn ended(&mut self, number: u64, end: &End) {
        if self.link.as_ref().is_none_or(|link| link.number() != number) {
            return;
        }
        let lived = self.lower(end).await;
        if lived >= DIAL_PAUSE_MAX {
            self.pause = DIAL_PAUSE_MIN;
        }
        self.dial_later();
    }

    /// The link, if there is one, is down. Gives how long it was up.
    async fn lower(&mut self, end: &End) -> Duration {
        let Some(link) = self.link.take() else { return Duration::ZERO };
        let lived = link.since.elapsed();
        link.end(end).await;
        self.status.send_replace(Contact::Sought);
        self.unreachable.since = Instant::now();
        self.context.tell(LinkEvent::Down { slot: self.slot });
        match end {
            End::Overflow(_) | End::Oversized(_) => {
                tracing::warn!(member = self.member(), "link is down: {end}");
            }
            _ => tracing::info!(member = self.member(), "link is down: {end}"),
        }
        lived
    }

    async fn stop(&mut self) {
        self.stop_dialling();
        self.arriving.clear();
        if let Some(link) = self.link.take() {
            link.close().await;
        }
        self.status.send_replace(Contact::Sought);
    }
}

impl Arriving {
    fn is_complete(&self) -> bool {
        self.forward.is_some() && self.transfer.is_some()
    }

    fn complete(self) -> Candidate {
        let Self { process, address, log, forward, transfer, .. } = self;
        let (forward, transfer) = forward.zip(transfer).expect("is_complete was asked");
        Candidate { process, address, dialled: false, streams: [log, forward, transfer] }
    }
}

/// Between half of the pause and all of it, so that members do not dial in step.
fn jittered(pause: Duration) -> Duration {
    // Without chance the pause is whole; that is no worse than slow.
    let chance = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_jittered_downwards_by_half_at_most() {
        for _ in 0..1000 {
            let pause = jittered(DIAL_PAUSE_MIN);
            assert!(pause >= DIAL_PAUSE_MIN / 2 && pause <= DIAL_PAUSE_MIN, "{pause:?}");
        }
    }
}
