//! `cluster`: publishes that a quorum of three members has stored: how long one takes, and how many a second.

use std::time::{Duration, Instant};

use crate::arguments::Common;
use crate::error::{Failure, Result};
use crate::feed::open_publisher;
use crate::histogram::Histogram;
use crate::load::{Load, frames};
use crate::report::{Cell, Figure, Report, grouped};
use crate::server::{AMPLE_MEMORY, Server};

/// Members, which are all seeds: two of them are a quorum.
const MEMBERS: usize = 3;
/// Pause between two publishes at light load.
const PAUSE: Duration = Duration::from_millis(1);
/// Length of a window in which the rate is measured.
const WINDOW: Duration = Duration::from_secs(5);
/// How long the members may take to agree on a leader.
const FORMATION: Duration = Duration::from_secs(20);
/// 1 on a member that hears a leader.
const HAS_LEADER: &str = "sterna_cluster_has_leader";

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Cluster {
    /// Publishes at light load, one after the other, at each member in turn
    #[arg(long, default_value_t = 10_000)]
    publishes: u64,
    /// Subjects
    #[arg(long, default_value_t = 10_000)]
    subjects: usize,
    /// Bytes of each message's content
    #[arg(long, default_value_t = 200)]
    content_bytes: usize,
    /// Publishes without a result on each of the three connections when the highest rate is sought
    #[arg(long, default_value_t = 4_000)]
    ahead: u64,
    /// How often the highest rate is measured
    #[arg(long, default_value_t = 3)]
    repeat: usize,
}

/// One publisher at each member.
struct Publishers {
    places: Vec<usize>,
    subjects: usize,
    content: Vec<u8>,
    /// Publishes so far.
    sent: u64,
}

pub(crate) fn run(arguments: &Cluster, common: &Common) -> Result<Report> {
    let members = common.start_cluster(MEMBERS, &[AMPLE_MEMORY])?;
    wait_for_leader(&members)?;
    let mut load = Load::new()?;
    let mut publishers = Publishers {
        places: members.iter().map(|it| open_publisher(&mut load, &it.plain())).collect::<Result<_>>()?,
        subjects: common.sized(arguments.subjects, 100),
        content: vec![b'x'; arguments.content_bytes],
        sent: 0,
    };
    let times = publishers.one_by_one(&mut load, common.sized(arguments.publishes, 100))?;
    let window = common.sized(WINDOW, Duration::from_millis(200));
    let about = format!(
        "{MEMBERS} members on two cores, one publisher at each, {} subjects, {} B of content, every publish stored by a quorum",
        grouped(publishers.subjects as u64),
        arguments.content_bytes
    );
    let mut report = Report::new("cluster", about);
    report.columns = vec!["acknowledged, up to so many ahead", "number", "a second", "us of CPU each"];
    let mut rates = Vec::new();
    for _ in 0..common.sized(arguments.repeat, 1) {
        let before = busy(&members)?;
        let (count, rate) = publishers.flood(&mut load, arguments.ahead, window)?;
        let each_us = (busy(&members)? - before).as_secs_f64() * 1e6 / count as f64;
        report.rows.push(vec![
            Cell::Count(arguments.ahead * MEMBERS as u64),
            Cell::Count(count),
            Cell::Number(rate, 0),
            Cell::Number(each_us, 1),
        ]);
        rates.push(rate);
    }
    let milliseconds = |share| times.quantile(share) as f64 / 1e6;
    report.figures = vec![
        Figure::new("light load, p50", milliseconds(0.5), "ms").at_most(0.5, 0.25),
        Figure::new("light load, p99", milliseconds(0.99), "ms").at_most(2.0, 1.0),
        Figure::new("light load, max", times.max() as f64 / 1e6, "ms"),
        Figure::new("acknowledged", crate::cost::median(rates), "a second").at_least(100_000.0, 100_000.0),
    ];
    Ok(report)
}

/// CPU time of all members.
fn busy(members: &[Server]) -> Result<Duration> {
    members.iter().map(|member| Ok(member.cpu()?.total())).sum()
}

fn wait_for_leader(members: &[Server]) -> Result<()> {
    let end = Instant::now() + FORMATION;
    for member in members {
        while member.metrics()?.sum(HAS_LEADER)? == 0 {
            if Instant::now() > end {
                return Err(Failure::broken("the members do not agree on a leader"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

impl Publishers {
    /// Publishes and waits for the result, again and again, at each member in turn.
    fn one_by_one(&mut self, load: &mut Load, publishes: u64) -> Result<Histogram> {
        let mut times = Histogram::new();
        for number in 0..publishes {
            let place = self.places[(number % MEMBERS as u64) as usize];
            let mut out = Vec::new();
            self.publish(&mut out);
            let accepted = load.counts().accepted + 1;
            let start = Instant::now();
            load.send(place, &out)?;
            load.run_until("publish", |now| now.accepted >= accepted)?;
            times.record(u64::try_from(start.elapsed().as_nanos()).expect("no publish takes centuries"));
            std::thread::sleep(PAUSE);
        }
        Ok(times)
    }

    /// Publishes with `ahead` under way on each connection; how many were acknowledged, and how many a second.
    fn flood(&mut self, load: &mut Load, ahead: u64, time: Duration) -> Result<(u64, f64)> {
        let before = load.counts().accepted;
        let mut under_way = [0_u64; MEMBERS];
        let start = Instant::now();
        while start.elapsed() < time {
            for (place, under_way) in self.places.clone().into_iter().zip(&mut under_way) {
                // Not for a few: a write costs as much as many publishes.
                if *under_way > ahead / 2 {
                    continue;
                }
                let mut out = Vec::new();
                while *under_way < ahead {
                    self.publish(&mut out);
                    *under_way += 1;
                }
                load.send(place, &out)?;
            }
            let places = &self.places;
            load.turn(Duration::from_millis(1), |place, text| {
                if let Some(member) = places.iter().position(|it| *it == place)
                    && text.starts_with("{\"op\":\"published\"")
                {
                    under_way[member] -= 1;
                }
            })?;
            if load.counts().refused > 0 {
                return Err(Failure::broken("a member refuses publishes"));
            }
        }
        let count = load.counts().accepted - before;
        let rate = count as f64 / start.elapsed().as_secs_f64();
        let all = load.counts().accepted + under_way.iter().sum::<u64>();
        load.run_until("acknowledge", |now| now.accepted >= all)?;
        Ok((count, rate))
    }

    fn publish(&mut self, out: &mut Vec<u8>) {
        let subject = (self.sent % self.subjects as u64) as usize;
        self.sent += 1;
        frames::publish(Some(self.sent), subject, &self.content, out);
    }
}
