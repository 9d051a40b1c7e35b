//! Starts and stops the thread of the links.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use crate::accept::accept;
use crate::complaints::Complaints;
use crate::context::{Context, Inbox};
use crate::dial::resolve;
use crate::event::LinkEvent;
use crate::handshake::Purpose;
use crate::limit::{LOOKUP_STOP_TIMEOUT, LOOKUPS_MAX};
use crate::listen;
use crate::remote::{Input, Remote};
use crate::settings::{Entry, LinkSettings, SettingsError};
use crate::status::{Contact, Counters, RemoteStatus};
use crate::tls::LinkTls;

/// The links cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// One of the four ports cannot be bound.
    #[error(
        "cannot listen for the members of the cluster on {0}; free the port or change ClusterMemberListen"
    )]
    Bind(io::Error),
    /// The system has no thread or no descriptor left.
    #[error("cannot start the links: {0}")]
    System(io::Error),
}

/// The running links. Dropped without [`Links::stop`] they end soon after.
#[derive(Debug)]
pub struct Links {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    watch: LinkWatch,
    tls: watch::Sender<Option<LinkTls>>,
}

/// What is known of the other members, for any thread.
#[derive(Clone, Debug)]
pub struct LinkWatch(Arc<[Watched]>);

#[derive(Debug)]
struct Watched {
    slot: u16,
    member: String,
    contact: watch::Receiver<Contact>,
    counters: Arc<Counters>,
}

/// Binds the four ports and begins to dial the other members. `on_event` is called on the thread of the links, for one
/// event after the other; it must not wait, because all links wait with it, nor panic, nor stop the links. May take some
/// seconds if the own name is slow to resolve.
///
/// # Errors
/// The settings are wrong, a port is taken, or the system has no thread left.
pub fn start(
    settings: LinkSettings,
    on_event: impl Fn(LinkEvent) + Send + Sync + 'static,
) -> Result<Links, StartError> {
    let entries = settings.check()?;
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(LOOKUPS_MAX).build();
    let runtime = runtime.map_err(StartError::System)?;
    let (stop, stopped) = oneshot::channel();
    let (started, starting) = std_mpsc::sync_channel(1);
    let run = move || {
        match runtime.block_on(begin(settings, entries, Box::new(on_event))) {
            Ok((watch, context)) => {
                let _ = started.send(Ok((watch, context.tls.clone())));
                runtime.block_on(async {
                    let _ = stopped.await;
                    end(&context).await;
                });
            }
            Err(error) => drop(started.send(Err(error))),
        }
        runtime.shutdown_timeout(LOOKUP_STOP_TIMEOUT);
    };
    let thread = thread::Builder::new().name("links".to_owned()).spawn(run).map_err(StartError::System)?;
    let (watch, tls) = starting.recv().expect("the thread tells how its start went")?;
    Ok(Links { stop, thread, watch, tls })
}

/// Binds the ports and starts the tasks.
async fn begin(
    settings: LinkSettings,
    entries: Vec<Entry>,
    on_event: Box<dyn Fn(LinkEvent) + Send + Sync>,
) -> Result<(LinkWatch, Arc<Context>), StartError> {
    let own = &entries[usize::from(settings.slot)];
    let resolved = resolve(own).await.ok().and_then(|addresses| addresses.first().map(SocketAddr::ip));
    let listeners = listen::bind(own, resolved).map_err(StartError::Bind)?;
    let listeners: Result<Vec<_>, _> = listeners.into_iter().map(TcpListener::from_std).collect();
    let listeners = listeners.map_err(StartError::System)?;

    let (complaints, writing) = Complaints::new();
    tokio::spawn(writing);
    let (context, inboxes) = Context::new(settings, entries, complaints, on_event);
    let context = Arc::new(context);
    let mut watched = Vec::with_capacity(inboxes.len());
    for Inbox { slot, sender, receiver } in inboxes {
        let (status, contact) = watch::channel(Contact::default());
        let member = context.settings.members[usize::from(slot)].clone();
        watched.push(Watched {
            slot,
            member,
            contact,
            counters: context.counters[usize::from(slot)].clone(),
        });
        tokio::spawn(Remote::new(context.clone(), slot, receiver, sender, status).run());
    }
    let purposes = [Purpose::Log, Purpose::Forward, Purpose::Transfer, Purpose::Admin];
    for (listener, purpose) in listeners.into_iter().zip(purposes) {
        tokio::spawn(accept(listener, purpose, context.clone()));
    }
    Ok((LinkWatch(watched.into()), context))
}

/// Ends the links, all at the same time.
async fn end(context: &Context) {
    let stop = |remote: &UnboundedSender<Input>| {
        let (done, ended) = oneshot::channel();
        let _ = remote.send(Input::Stop(done));
        ended
    };
    let ending: Vec<_> = context.remotes.iter().flatten().map(stop).collect();
    for ended in ending {
        let _ = ended.await;
    }
}

impl Links {
    /// What is known of the other members.
    #[must_use]
    pub fn watch(&self) -> LinkWatch {
        self.watch.clone()
    }

    /// Takes other certificates for the connections that come; those that are there keep theirs. Links that began without
    /// TLS go on without it.
    pub fn set_tls(&self, tls: LinkTls) {
        if self.tls.borrow().is_some() {
            self.tls.send_replace(Some(tls));
        }
    }

    /// Sends what waits, for half a second at most, then ends every connection and joins the thread. No event comes
    /// after this, and none tells of links that end by it. Only a lookup of a name that hangs may outlive it.
    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

impl LinkWatch {
    /// The other members, in the order of their slots.
    #[must_use]
    pub fn read(&self) -> Vec<RemoteStatus> {
        let read = |watched: &Watched| RemoteStatus {
            slot: watched.slot,
            member: watched.member.clone(),
            link: match &*watched.contact.borrow() {
                Contact::Linked(link) => Some(link.clone()),
                Contact::Sought | Contact::Absent => None,
            },
            traffic: watched.counters.read(),
        };
        self.0.iter().map(read).collect()
    }

    /// Whether all other members were looked for, and none of them is running: a name without an address, or a machine that
    /// refuses. One that does not answer may be there.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.0.iter().all(|watched| matches!(*watched.contact.borrow(), Contact::Absent))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bytes::Bytes;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;
    use tokio::runtime::Runtime;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::time::{Duration, sleep, timeout};

    use super::*;
    use crate::authenticate;
    use crate::dial::dial;
    use crate::event::Channel;
    use crate::link::Link;
    use crate::proof::ClusterKey;
    use crate::stream;

    /// A member whose tasks run on the test's own thread, so that two of them act in step.
    struct Member {
        context: Arc<Context>,
        watch: LinkWatch,
        events: UnboundedReceiver<LinkEvent>,
    }

    impl Member {
        async fn begin(settings: LinkSettings) -> Self {
            let entries = settings.check().unwrap();
            let (sender, events) = unbounded_channel();
            let on_event = Box::new(move |event| drop(sender.send(event)));
            let (watch, context) = begin(settings, entries, on_event).await.unwrap();
            Self { context, watch, events }
        }

        async fn next(&mut self) -> LinkEvent {
            timeout(Duration::from_secs(10), self.events.recv()).await.expect("an event in time").unwrap()
        }

        async fn up(&mut self) -> (u128, Link) {
            match self.next().await {
                LinkEvent::Up { nonce, link, .. } => (nonce, link),
                other => panic!("{other:?} instead of Up"),
            }
        }

        async fn frame(&mut self) -> Bytes {
            match self.next().await {
                LinkEvent::Frame { bytes, .. } => bytes,
                other => panic!("{other:?} instead of a frame"),
            }
        }
    }

    /// Two members on free ports of a network that no other test uses.
    fn pair(network: u8) -> [LinkSettings; 2] {
        let free = |ip: Ipv4Addr| {
            // Below the ports that the system chooses itself.
            let port = (10_000..30_000)
                .step_by(4)
                .find(|port| (*port..port + 4).all(|port| std::net::TcpListener::bind((ip, port)).is_ok()));
            format!("{ip}:{}", port.unwrap())
        };
        let members = vec![free(Ipv4Addr::new(127, 1, network, 1)), free(Ipv4Addr::new(127, 1, network, 2))];
        [0, 1].map(|slot| {
            LinkSettings::new(slot, u128::from(slot) + 1, members.clone(), 2, ClusterKey::new(b"secret"))
        })
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Which of the two dialled the link that both have; panics if they have not exactly one, or ever had another.
    async fn meet(first: LinkSettings, second: LinkSettings, head_start: Duration) -> u16 {
        let mut one = Member::begin(first).await;
        sleep(head_start).await;
        let mut other = Member::begin(second).await;
        let ((_, to_other), (_, to_one)) = (one.up().await, other.up().await);
        // By then each has long dealt with the other's dial.
        for _ in 0..20 {
            for channel in Channel::ALL {
                to_other.send(channel, Bytes::from_static(b"there"));
                assert_eq!(other.frame().await, "there");
                to_one.send(channel, Bytes::from_static(b"back"));
                assert_eq!(one.frame().await, "back");
            }
        }
        let dialled = |member: &Member| member.watch.read()[0].link.as_ref().unwrap().dialled;
        assert_ne!(dialled(&one), dialled(&other));
        let dialler = if dialled(&one) { &one } else { &other };
        let slot = dialler.context.identity.slot;
        assert!(one.events.try_recv().is_err() && other.events.try_recv().is_err());
        end(&one.context).await;
        end(&other.context).await;
        slot
    }

    #[test]
    fn two_members_that_dial_at_once_keep_one_link() {
        let [low, high] = pair(1);
        let mut dialled = [0; 2];
        for round in 0..200 {
            let (low, high) = (low.clone(), high.clone());
            let (first, second) = if round % 2 == 0 { (low, high) } else { (high, low) };
            // Without a head start both ports are bound before either dials, so that both dials succeed.
            let head_start = Duration::from_millis(if round % 8 < 6 { 0 } else { round % 5 });
            dialled[usize::from(runtime().block_on(meet(first, second, head_start)))] += 1;
        }
        assert!(dialled[0] > 0 && dialled[1] > 0, "the links are those of both members: {dialled:?}");
    }

    #[test]
    fn a_new_process_of_a_slot_replaces_the_link_of_the_old_one() {
        runtime().block_on(async {
            let [low, high] = pair(2);
            let mut one = Member::begin(low).await;
            let mut old = Member::begin(high.clone()).await;
            assert_eq!((one.up().await.0, old.up().await.0), (2, 1));

            let newer = LinkSettings { nonce: 3, ..high };
            let (entries, (complaints, _)) = (newer.check().unwrap(), Complaints::new());
            let (context, _) = Context::new(newer, entries, complaints, Box::new(|_| {}));
            let _newer = dial(&context, 0).await.unwrap();
            assert!(matches!(one.next().await, LinkEvent::Down { slot: 1 }));
            assert_eq!(one.up().await.0, 3);
        });
    }

    #[test]
    fn a_connection_of_no_known_link_is_let_go() {
        runtime().block_on(async {
            let [low, high] = pair(3);
            let mut one = Member::begin(low).await;
            let (entries, (complaints, _)) = (high.check().unwrap(), Complaints::new());
            let (stranger, _) = Context::new(high.clone(), entries, complaints, Box::new(|_| {}));
            let Entry { host, port } = &stranger.entries[0];
            for (purpose, distance) in [(Purpose::Forward, 1), (Purpose::Transfer, 2)] {
                let tcp = TcpStream::connect((host.as_str(), port + distance)).await.unwrap();
                let mut stream = stream::dialled(tcp, host, None).await.unwrap();
                let proved = authenticate::dial(&mut stream, &stranger.identity, purpose, 0, [9; 16]).await;
                assert_eq!(proved.unwrap().slot, 0);
                assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            }
            let mut other = Member::begin(high).await;
            assert_eq!((one.up().await.0, other.up().await.0), (2, 1));
        });
    }
}
