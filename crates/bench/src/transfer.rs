//! `transfer`: how long a publish takes while a member that was killed, and came back empty, gets all messages.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::arguments::Common;
use crate::cost::median;
use crate::error::{Failure, Result};
use crate::histogram::Histogram;
use crate::load::{Load, frames};
use crate::members::{HAS_LEADER, MEMBERS, MemberPublishers, leader_of, wait_for_leader};
use crate::publishing::Publishing;
use crate::report::{Cell, Figure, Report, grouped};
use crate::scrape::Metrics;
use crate::server::Server;

/// Publishes under way at each member while the messages come into being.
const FILL_AHEAD: u64 = 500;
/// Bytes of the messages' contents.
const CONTENT_BYTES: std::ops::RangeInclusive<usize> = 200..=1_000;
/// Publishes, without a time, in which the others notice that a member is gone.
const UNTIMED: u64 = 100;
/// How long the others publish without the member.
const AWAY: Duration = Duration::from_secs(2);
/// How long the member may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(50);
/// `MaxCachedMessagesPerSubject`, as it is by default.
const HISTORY: u32 = 1_000;
/// Subjects that are read back together.
const READ_SUBJECTS: usize = 100;
const READY: &str = "sterna_ready";
const SUBJECTS: &str = "sterna_subjects";

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Transfer {
    /// Content that the cluster holds, MB
    #[arg(long, default_value_t = 128)]
    megabytes: u64,
    /// Subjects over which it is spread
    #[arg(long, default_value_t = 1_000)]
    subjects: usize,
    /// `Memory` of each member
    #[arg(long, default_value = "512MB")]
    memory: String,
    /// Length of the measurement before, seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often a follower comes back empty, and as often what was the leader
    #[arg(long, default_value_t = 3)]
    repeat: usize,
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    Follower,
    Leader,
}

/// A member's way back.
struct Return {
    lost: Lost,
    before: Histogram,
    away: Histogram,
    during: Histogram,
    seconds: f64,
    content_bytes: u64,
}

pub(crate) fn run(arguments: &Transfer, common: &Common) -> Result<Report> {
    let subjects = common.sized(arguments.subjects, 100);
    let megabytes = common.sized(arguments.megabytes, 2);
    let before = common.sized(Duration::from_secs(arguments.seconds), Duration::from_millis(200));
    // No message may expire meanwhile: all of them are read back in the end.
    let parameters = [("Memory", arguments.memory.as_str()), ("CacheExpireTime", "86400")];
    let mut members = common.start_cluster(MEMBERS, &parameters)?;
    wait_for_leader(&members)?;
    let mut publishing = Publishing::new(subjects, CONTENT_BYTES);
    let messages = megabytes * 1_000_000 / ((CONTENT_BYTES.start() + CONTENT_BYTES.end()) / 2) as u64;
    let mut publishers = MemberPublishers::open(&members)?;
    publishing.flood(&mut publishers, FILL_AHEAD, |acknowledged| acknowledged < messages)?;
    drop(publishers);
    let mut returns = Vec::new();
    for _ in 0..common.sized(arguments.repeat, 1) {
        for lost in [Lost::Follower, Lost::Leader] {
            returns.push(Return::measure(&mut members, lost, &mut publishing, before)?);
        }
    }
    let about = format!(
        "{MEMBERS} members on two cores hold {} messages, {} MB of content over {} subjects; one is killed and comes back empty, while the others get one publish after the other, 1 ms apart",
        grouped(publishing.sent()),
        publishing.sent_bytes() / 1_000_000,
        grouped(subjects as u64)
    );
    let mut report = Report::new("transfer", about);
    report.columns = vec![
        "what comes back was",
        "member is",
        "publishes",
        "p50, us",
        "p99, us",
        "max, us",
        "seconds",
        "MB",
    ];
    report.rows = returns.iter().flat_map(Return::rows).collect();
    report.figures = figures(&returns);
    Ok(report)
}

impl Lost {
    fn name(self) -> &'static str {
        match self {
            Self::Follower => "a follower",
            Self::Leader => "the leader",
        }
    }
}

impl Return {
    /// Publishes at the other two members before, without and while the member comes back; then reads everything from it.
    fn measure(
        members: &mut [Server],
        lost: Lost,
        publishing: &mut Publishing,
        before: Duration,
    ) -> Result<Self> {
        wait_for_leader(members)?;
        let leader = leader_of(members)?;
        let lost_member = match lost {
            Lost::Follower => (leader + 1) % members.len(),
            Lost::Leader => leader,
        };
        let others = members.iter().enumerate().filter(|(number, _)| *number != lost_member);
        let mut publishers = MemberPublishers::open(others.map(|(_, member)| member))?;
        let member = &mut members[lost_member];
        let [mut times, mut away, mut during] = [Histogram::new(), Histogram::new(), Histogram::new()];
        publishing.one_by_one(&mut publishers, &mut times, lasts(before))?;
        let subjects = member.metrics()?.sum(SUBJECTS)?;
        member.kill()?;
        publishing.one_by_one(&mut publishers, &mut Histogram::new(), |number| number < UNTIMED)?;
        publishing.one_by_one(&mut publishers, &mut away, lasts(before.min(AWAY)))?;
        let content_bytes = publishing.sent_bytes();
        let start = Instant::now();
        member.start_again()?;
        let watch = watch(member.metrics_address(), subjects);
        publishing.one_by_one(&mut publishers, &mut during, |_| !watch.is_finished())?;
        let ready = watch.join().expect("it does not panic")?;
        read_back(member, publishing, subjects as usize)?;
        let seconds = (ready - start).as_secs_f64();
        Ok(Self { lost, before: times, away, during, seconds, content_bytes })
    }

    /// How many times as long a publish takes, by its 99th percentile.
    fn ratio(&self) -> f64 {
        self.during.quantile(0.99) as f64 / self.before.quantile(0.99) as f64
    }

    fn rows(&self) -> [Vec<Cell>; 3] {
        let row = |phase: &str, times: &Histogram| {
            let microseconds = |nanoseconds: u64| Cell::Number(nanoseconds as f64 / 1e3, 0);
            vec![
                self.lost.name().into(),
                phase.into(),
                Cell::Count(times.count()),
                microseconds(times.quantile(0.5)),
                microseconds(times.quantile(0.99)),
                microseconds(times.max()),
                Cell::Empty,
                Cell::Empty,
            ]
        };
        let mut coming = row("coming back", &self.during);
        coming.truncate(6);
        coming.extend([Cell::Number(self.seconds, 2), Cell::Count(self.content_bytes / 1_000_000)]);
        [row("there", &self.before), row("away", &self.away), coming]
    }
}

fn lasts(time: Duration) -> impl FnMut(u64) -> bool {
    let start = Instant::now();
    move |_| start.elapsed() < time
}

/// Waits, in a thread of its own, until the member serves clients and has all subjects; tells when.
fn watch(metrics: SocketAddr, subjects: u64) -> JoinHandle<Result<Instant>> {
    std::thread::spawn(move || {
        let end = Instant::now() + PATIENCE;
        loop {
            // Until the member listens, and while it is blank, it has no figures.
            let is_ready = Metrics::scrape(metrics).is_ok_and(|metrics| {
                [(READY, 1), (HAS_LEADER, 1), (SUBJECTS, subjects)]
                    .iter()
                    .all(|(name, value)| metrics.sum(name).is_ok_and(|found| found == *value))
            });
            let now = Instant::now();
            if is_ready {
                return Ok(now);
            }
            if now > end {
                return Err(Failure::broken("the member that came back does not become ready"));
            }
            std::thread::sleep(LOOK);
        }
    })
}

/// Everything that was published must be there.
fn read_back(member: &Server, publishing: &Publishing, subjects: usize) -> Result<()> {
    let mut load = Load::new()?;
    let mut expected = 0;
    for first in (0..subjects).step_by(READ_SUBJECTS) {
        let read = first..subjects.min(first + READ_SUBJECTS);
        let mut begin = Vec::new();
        frames::connect(&mut begin);
        frames::subscribe(read.clone(), HISTORY, &mut begin);
        load.open(&member.plain(), begin)?;
        expected += read.map(|subject| publishing.sent_to(subject).min(u64::from(HISTORY))).sum::<u64>();
        load.run_until("read everything from the member that came back", |now| now.messages >= expected)?;
    }
    match load.counts().messages {
        messages if messages == expected => Ok(()),
        messages => Err(Failure::broken(format!("{messages} messages came back, of {expected}"))),
    }
}

fn figures(returns: &[Return]) -> Vec<Figure> {
    let of = |lost, figure: fn(&Return) -> f64| {
        returns.iter().filter(move |it| it.lost == lost).map(figure).collect::<Vec<_>>()
    };
    let worst = returns.iter().map(|it| it.seconds).fold(0.0, f64::max);
    vec![
        Figure::new("longest time until the member was ready", worst, "s").at_most(10.0, 5.0),
        Figure::new("p99 coming back / there, a follower", median(of(Lost::Follower, Return::ratio)), "x")
            .at_most(3.0, 2.0),
        Figure::new("p99 coming back / there, the leader", median(of(Lost::Leader, Return::ratio)), "x")
            .at_most(3.0, 2.0),
    ]
}
