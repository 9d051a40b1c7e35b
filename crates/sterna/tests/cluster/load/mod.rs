//! Load for a cluster, and the verdict: publishers and subscribers outside of it, whose every observation goes to the
//! history checker.

mod publisher;
mod subscriber;
mod witness;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sterna_client::{Client, ReconnectPolicy, Server, Settings};
use sterna_model::Subject;

use crate::kube::{Cluster, enter};
use publisher::Publisher;
use subscriber::Subscriber;
pub(crate) use witness::Verdict;
use witness::Witness;

/// The shipped token, which the manifest does not change.
const TOKEN: &str = "some-token";
/// How long anything may take that must happen: a client needs 70 s to notice that its member is gone without a word.
const END_MAX: Duration = Duration::from_secs(120);
/// How long no acknowledgement comes when none can come any more.
const SILENCE: Duration = Duration::from_secs(5);
/// Longest wait for an event.
const TICK: Duration = Duration::from_millis(5);

/// Who publishes and subscribes.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) publishers: u64,
    /// Each subscribes to everything.
    pub(crate) subscribers: u64,
    pub(crate) subjects: u64,
    /// Of all publishers together.
    pub(crate) messages_per_second: u32,
    /// Where publishers connect.
    pub(crate) publish_at: Vec<String>,
    /// Where subscribers connect.
    pub(crate) subscribe_at: Vec<String>,
}

/// Publishers and subscribers at work.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    publishers: Vec<JoinHandle<()>>,
    subscribers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    plan: Plan,
    subjects: Vec<Subject>,
    witness: Witness,
    /// Nothing new is published any more.
    is_over: AtomicBool,
    /// All publishes have their results; subscribers leave when they have everything.
    is_answered: AtomicBool,
}

impl Plan {
    /// A moderate load through the load balancer, as the tutorial's clients come.
    pub(crate) fn at(cluster: &Cluster) -> Self {
        Self {
            publishers: 3,
            subscribers: 4,
            // A subscriber notices only after 70 s that its node is gone, and a subject's history has 1,000 messages.
            subjects: 128,
            messages_per_second: 1_000,
            publish_at: vec![cluster.service()],
            subscribe_at: vec![cluster.service()],
        }
    }

    /// The same, but every client knows these members and no load balancer.
    pub(crate) fn at_members(cluster: &Cluster, ordinals: &[usize]) -> Self {
        let members: Vec<_> = ordinals.iter().map(|ordinal| cluster.member(*ordinal)).collect();
        Self { publish_at: members.clone(), subscribe_at: members, ..Self::at(cluster) }
    }

    /// Starts it, and waits until every subscriber has its subscriptions and a publish was acknowledged.
    pub(crate) fn begin(self, cluster: &Cluster) -> Load {
        let name = |number| Subject::parse(&format!("/cluster/{number}")).expect("a subject");
        let shared = Arc::new(Shared {
            subjects: (0..self.subjects).map(name).collect(),
            witness: Witness::default(),
            is_over: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
            plan: self,
        });
        let Plan { publishers, subscribers, subscribe_at, .. } = shared.plan.clone();
        let mut load = Load { shared, publishers: Vec::new(), subscribers: Vec::new() };
        for _ in 0..subscribers {
            load.add_subscriber(cluster, &subscribe_at, 0);
        }
        for number in 0..publishers {
            let work = move |shared: &Shared| Publisher::new(number, shared).publish(shared);
            load.publishers.push(load.start(cluster, work));
        }
        load.expect_acknowledgement(END_MAX);
        load
    }
}

impl Load {
    /// Lets one more subscriber begin at these servers, with up to `history` messages of the past, and waits until it
    /// has its subscriptions.
    pub(crate) fn add_subscriber(&mut self, cluster: &Cluster, servers: &[String], history: u32) {
        let number = self.subscribers.len() as u64;
        let servers = servers.to_owned();
        let work = move |shared: &Shared| Subscriber::new(number, &servers).follow(history, shared);
        self.subscribers.push(self.start(cluster, work));
        self.shared.witness.wait_for_subscriptions((number + 1) * self.shared.plan.subjects);
    }

    fn start(&self, cluster: &Cluster, work: impl FnOnce(&Shared) + Send + 'static) -> JoinHandle<()> {
        let (shared, namespace) = (self.shared.clone(), cluster.clients());
        thread::spawn(move || {
            enter(&namespace);
            work(&shared);
        })
    }

    /// Waits for an acknowledgement of something that was published after this call.
    ///
    /// # Panics
    /// There is none in time, or a promise was broken.
    pub(crate) fn expect_acknowledgement(&self, time: Duration) {
        let begin = Instant::now();
        while !self.shared.witness.has_acknowledged_since(begin) {
            assert!(begin.elapsed() < time, "no publish was acknowledged within {time:?}");
            thread::sleep(TICK);
        }
    }

    /// Lets it work until that many more publishes are acknowledged.
    ///
    /// # Panics
    /// There are fewer in time, or a promise was broken.
    pub(crate) fn work(&self, publishes: u64) {
        let end = Instant::now() + END_MAX;
        let goal = self.shared.witness.acknowledged() + publishes;
        while self.shared.witness.acknowledged() < goal {
            assert!(Instant::now() < end, "{publishes} publishes were not acknowledged within {END_MAX:?}");
            thread::sleep(TICK);
        }
    }

    /// Waits until acknowledgements stop, and expects that none comes for a while.
    ///
    /// # Panics
    /// They do not stop, or a promise was broken.
    pub(crate) fn expect_silence(&self) {
        let end = Instant::now() + END_MAX;
        let mut seen = (self.shared.witness.acknowledged(), Instant::now());
        while seen.1.elapsed() < SILENCE {
            assert!(Instant::now() < end, "publishes are still acknowledged after {END_MAX:?}");
            thread::sleep(TICK);
            let acknowledged = self.shared.witness.acknowledged();
            if acknowledged != seen.0 {
                seen = (acknowledged, Instant::now());
            }
        }
    }

    /// Ends it: every publish gets its result, every subscriber gets everything; then the verdict.
    ///
    /// # Panics
    /// A promise was broken.
    pub(crate) fn end(mut self) -> Verdict {
        self.shared.is_over.store(true, Relaxed);
        join(&mut self.publishers);
        self.shared.is_answered.store(true, Relaxed);
        join(&mut self.subscribers);
        let verdict = self.shared.witness.finish();
        println!("{verdict}");
        verdict
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Relaxed);
        self.shared.is_answered.store(true, Relaxed);
        self.shared.witness.give_up();
    }
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        thread.join().expect("a client does not panic");
    }
}

/// A client that may publish. Of several servers the client with that number prefers one, so that all have clients;
/// the others are for when that one fails.
fn client(servers: &[String], number: u64) -> Client {
    let preferred = number as usize % servers.len();
    let server = |(index, address): (usize, &String)| Server {
        weight: if index == preferred { 100 } else { 0 },
        ..address.parse().expect("host and port")
    };
    let mut settings = Settings::new(servers.iter().enumerate().map(server).collect());
    settings.token = Some(TOKEN.into());
    settings.connect_timeout_ms = 2_000;
    // A publish is given up only when the cluster does not come back at all.
    settings.publish_timeout_ms = 120_000;
    // After the quick retries of the documented default, once a second: a test does not want to wait 20 s.
    settings.reconnect.policy = ReconnectPolicy::ConstantWindow;
    settings.reconnect.interval_ms = 1_000;
    Client::new(settings).expect("random numbers")
}
