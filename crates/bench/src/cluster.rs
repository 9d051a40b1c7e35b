//! `cluster`: publishes that a quorum of three members has stored: how long one takes, and how many a second. On request
//! beside the same publishes to NATS `JetStream`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::arguments::Common;
use crate::cost::median;
use crate::error::Result;
use crate::histogram::Histogram;
use crate::members::{MEMBERS, MemberPublishers, wait_for_leader};
use crate::nats::{NatsCluster, NatsPublishers};
use crate::publishing::{Publishers, Publishing};
use crate::report::{Cell, Figure, Report, grouped};
use crate::server::{AMPLE_MEMORY, Server};
use crate::usage::CpuTime;

/// Length of a window in which the rate is measured.
const WINDOW: Duration = Duration::from_secs(5);
/// Publishes at light load until it is the other product's turn.
const TURN: u64 = 1_000;

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
    /// Do the same, in turn, to three servers of that nats-server program
    #[arg(long, value_name = "PATH")]
    beside_nats: Option<PathBuf>,
}

/// A product, and what was found.
struct Side {
    name: &'static str,
    processes: Vec<u32>,
    publishers: Box<dyn Publishers>,
    publishing: Publishing,
    times: Histogram,
    rates: Vec<f64>,
}

pub(crate) fn run(arguments: &Cluster, common: &Common) -> Result<Report> {
    let subjects = common.sized(arguments.subjects, 100);
    let side = |name, processes, publishers| Side {
        name,
        processes,
        publishers,
        publishing: Publishing::new(subjects, arguments.content_bytes..=arguments.content_bytes),
        times: Histogram::new(),
        rates: Vec::new(),
    };
    let members = common.start_cluster(MEMBERS, &[AMPLE_MEMORY])?;
    wait_for_leader(&members)?;
    let processes = members.iter().map(Server::process).collect();
    let mut sides = vec![side("Sterna", processes, Box::new(MemberPublishers::open(&members)?))];
    let nats = arguments.beside_nats.as_ref();
    let nats = nats.map(|program| NatsCluster::start(program, common.shared_cores(), MEMBERS)).transpose()?;
    if let Some(nats) = &nats {
        sides.push(side("NATS", nats.processes(), Box::new(NatsPublishers::open(nats)?)));
    }

    let about = format!(
        "{MEMBERS} members on two cores, one publisher at each, {} subjects, {} B of content, every publish stored by a quorum",
        grouped(subjects as u64),
        arguments.content_bytes
    );
    let mut report = Report::new("cluster", about);
    report.columns =
        vec!["product", "under way", "number", "p50, us", "p99, us", "max, us", "a second", "us of CPU each"];
    light(&mut sides, common.sized(arguments.publishes, 100), &mut report)?;
    let window = common.sized(WINDOW, Duration::from_millis(200));
    for _ in 0..common.sized(arguments.repeat, 1) {
        for side in &mut sides {
            side.flood(arguments.ahead, window, &mut report)?;
        }
    }
    report.figures = figures(sides);
    Ok(report)
}

/// One publish after the other, at each side in turn.
fn light(sides: &mut [Side], publishes: u64, report: &mut Report) -> Result<()> {
    let mut cpu = vec![Duration::ZERO; sides.len()];
    for first in (0..publishes).step_by(TURN as usize) {
        for (side, cpu) in sides.iter_mut().zip(&mut cpu) {
            let before = side.cpu()?;
            let count = TURN.min(publishes - first);
            side.publishing.one_by_one(&mut *side.publishers, &mut side.times, |number| number < count)?;
            *cpu += side.cpu()? - before;
        }
    }
    for (side, cpu) in sides.iter().zip(cpu) {
        let microseconds = |nanoseconds: u64| Cell::Number(nanoseconds as f64 / 1e3, 0);
        report.rows.push(vec![
            side.name.into(),
            Cell::Count(1),
            Cell::Count(publishes),
            microseconds(side.times.quantile(0.5)),
            microseconds(side.times.quantile(0.99)),
            microseconds(side.times.max()),
            Cell::Empty,
            Cell::Number(cpu.as_secs_f64() * 1e6 / publishes as f64, 1),
        ]);
    }
    Ok(())
}

impl Side {
    /// CPU time of all members.
    fn cpu(&self) -> Result<Duration> {
        self.processes.iter().map(|process| Ok(CpuTime::of(*process)?.total())).sum()
    }

    fn flood(&mut self, ahead: u64, window: Duration, report: &mut Report) -> Result<()> {
        let before = self.cpu()?;
        let start = Instant::now();
        let flooded = self.publishing.flood(&mut *self.publishers, ahead, |_| start.elapsed() < window)?;
        let each_us = (self.cpu()? - before).as_secs_f64() * 1e6 / flooded.acknowledged as f64;
        let rate = flooded.acknowledged as f64 / flooded.seconds;
        report.rows.push(vec![
            self.name.into(),
            Cell::Count(ahead * MEMBERS as u64),
            Cell::Count(flooded.acknowledged),
            Cell::Empty,
            Cell::Empty,
            Cell::Empty,
            Cell::Number(rate, 0),
            Cell::Number(each_us, 1),
        ]);
        self.rates.push(rate);
        Ok(())
    }

    fn milliseconds(&self, share: f64) -> f64 {
        self.times.quantile(share) as f64 / 1e6
    }
}

fn figures(sides: Vec<Side>) -> Vec<Figure> {
    let found = sides.into_iter().map(|side| {
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| side.milliseconds(share));
        [p50, p99, max, median(side.rates)]
    });
    let found: Vec<[f64; 4]> = found.collect();
    let [p50, p99, max, rate] = found[0];
    let mut figures = vec![
        Figure::new("light load, p50", p50, "ms").at_most(0.5, 0.25),
        Figure::new("light load, p99", p99, "ms").at_most(2.0, 1.0),
        Figure::new("light load, max", max, "ms"),
        Figure::new("acknowledged", rate, "a second").at_least(100_000.0, 100_000.0),
    ];
    if let Some([nats_p50, nats_p99, nats_max, nats_rate]) = found.get(1) {
        figures.extend([
            Figure::new("NATS, light load, p50", *nats_p50, "ms"),
            Figure::new("NATS, light load, p99", *nats_p99, "ms"),
            Figure::new("NATS, light load, max", *nats_max, "ms"),
            Figure::new("NATS, acknowledged", *nats_rate, "a second"),
            Figure::new("p50, NATS / Sterna", nats_p50 / p50, "x"),
            Figure::new("p99, NATS / Sterna", nats_p99 / p99, "x"),
            Figure::new("acknowledged, Sterna / NATS", rate / nats_rate, "x"),
        ]);
    }
    figures
}
