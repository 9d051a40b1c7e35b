//! `latency`: how long a message takes from publisher to subscriber, at half of the highest rate.
//!
//! The schedule is open: each message has its time, whatever became of those before it, and its latency counts from
//! that time, so that a server that stalls is charged for every message that would have come meanwhile.

use std::time::{Duration, Instant};

use crate::arguments::Common;
use crate::error::{Failure, Result};
use crate::feed::{Feed, Shape, run_rounds};
use crate::histogram::Histogram;
use crate::load::{Load, frames};
use crate::report::{Cell, Figure, Report, grouped};
use crate::server::{AMPLE_MEMORY, Server};

/// Rounds of one message per subscriber that may be under way while the highest rate is sought.
const SATURATED_AHEAD: u64 = 2;
/// Time for which the highest rate is measured.
const SATURATED: Duration = Duration::from_secs(3);
/// How long the last messages may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Digits of the time in a message's content.
const STAMP_DIGITS: usize = 20;

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Latency {
    /// Subscribers, each a WebSocket
    #[arg(long, default_value_t = 1_000)]
    connections: usize,
    /// Subjects over which they are spread
    #[arg(long, default_value_t = 1_000)]
    subjects: usize,
    /// Bytes of each message's content
    #[arg(long, default_value_t = 200)]
    content_bytes: usize,
    /// Length of the measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Share of the highest rate
    #[arg(long, default_value_t = 0.5)]
    share: f64,
    /// Publishes a second, instead of a share of the highest rate
    #[arg(long)]
    rate: Option<f64>,
}

/// Publishes at times that are fixed beforehand.
struct Schedule {
    start: Instant,
    interval: Duration,
    count: u64,
    sent: u64,
    /// That the messages sent so far must lead to.
    deliveries: u64,
    shape: Shape,
    content: Vec<u8>,
}

/// What was seen while the schedule ran.
struct Seen {
    latencies: Histogram,
    /// Times between two turns of the load's own loop: what it adds itself, or loses to its neighbours.
    turns: Histogram,
}

pub(crate) fn run(arguments: &Latency, common: &Common) -> Result<Report> {
    let connections = common.sized(arguments.connections, 50);
    let shape = Shape { connections, subjects: arguments.subjects.clamp(1, connections) };
    let content_bytes = arguments.content_bytes.max(STAMP_DIGITS);
    let server = common.start_server(&[AMPLE_MEMORY])?;
    let mut load = Load::new()?;
    let mut feed = Feed::open(&mut load, &server.plain(), shape, content_bytes, 0)?;
    let saturated = common.sized(SATURATED, Duration::from_millis(200));
    let (highest, busy_at_highest) = highest_rate(&mut load, &server, &mut feed, shape, saturated)?;
    let rate = arguments.rate.unwrap_or(highest * arguments.share);
    let time = Duration::from_secs(common.sized(arguments.seconds, 1));

    let cpu_before = server.cpu()?;
    let mut schedule = Schedule::new(shape, content_bytes, rate, time);
    let seen = schedule.run(&mut load, feed.publisher())?;
    let busy = (server.cpu()? - cpu_before).total().as_secs_f64() / schedule.start.elapsed().as_secs_f64();

    let about = format!(
        "{} WebSockets on {} subjects, {content_bytes} B of content, publishes on a schedule of their own",
        grouped(connections as u64),
        grouped(shape.subjects as u64)
    );
    let mut report = Report::new("latency", about);
    report.columns = vec!["times, us", "number", "p50", "p90", "p99", "p99.9", "max"];
    report.rows = vec![row("publish to deliver", &seen.latencies), row("turns of the load", &seen.turns)];
    let milliseconds = |share| seen.latencies.quantile(share) as f64 / 1e6;
    report.figures = vec![
        Figure::new("highest rate", highest, "publishes a second"),
        Figure::new("server busy at the highest rate", busy_at_highest, "of its core"),
        Figure::new("rate", rate, "publishes a second"),
        Figure::new("server busy", busy, "of its core"),
        Figure::new("p50", milliseconds(0.5), "ms").at_most(0.5, 0.3),
        Figure::new("p99", milliseconds(0.99), "ms").at_most(4.0, 2.0),
        Figure::new("max", seen.latencies.max() as f64 / 1e6, "ms").at_most(20.0, 20.0),
    ];
    Ok(report)
}

/// Publishes a second with as much under way as helps, and how busy the server is then.
fn highest_rate(
    load: &mut Load,
    server: &Server,
    feed: &mut Feed,
    shape: Shape,
    time: Duration,
) -> Result<(f64, f64)> {
    let mut rounds = 4;
    loop {
        let before = server.cpu()?;
        let start = Instant::now();
        run_rounds(load, feed, shape.connections, rounds, SATURATED_AHEAD)?;
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= time.as_secs_f64() {
            let publishes = rounds * shape.subjects as u64;
            let busy = (server.cpu()? - before).total().as_secs_f64() / seconds;
            return Ok((publishes as f64 / seconds, busy));
        }
        rounds *= 2;
    }
}

impl Schedule {
    fn new(shape: Shape, content_bytes: usize, rate: f64, time: Duration) -> Self {
        let interval = Duration::from_secs_f64(1.0 / rate);
        let count = (time.as_secs_f64() * rate) as u64;
        let content = vec![b'x'; content_bytes];
        Self { start: Instant::now(), interval, count, sent: 0, deliveries: 0, shape, content }
    }

    /// Runs to its end, and until every message has arrived. The load does not sleep meanwhile: what is measured is
    /// the server, not how fast this machine wakes a client.
    fn run(&mut self, load: &mut Load, publisher: usize) -> Result<Seen> {
        let mut seen = Seen { latencies: Histogram::new(), turns: Histogram::new() };
        let mut strange = None;
        self.start = Instant::now();
        let start = self.start;
        let (mut last_turn, mut last_sent) = (Duration::ZERO, Duration::ZERO);
        while self.sent < self.count || seen.latencies.count() < self.deliveries {
            let now = start.elapsed();
            seen.turns.record(nanoseconds(now - last_turn));
            last_turn = now;
            if self.publish_due(now, load, publisher)? {
                last_sent = now;
            } else if now - last_sent > PATIENCE {
                let (arrived, expected) = (seen.latencies.count(), self.deliveries);
                return Err(Failure::broken(format!("{arrived} messages of {expected} arrived")));
            }
            load.turn(Duration::ZERO, |_, text| match stamp_of(text) {
                Some(stamp) => seen.latencies.record(nanoseconds(start.elapsed()).saturating_sub(stamp)),
                None => strange = Some(text.to_owned()),
            })?;
            if let Some(text) = strange {
                return Err(Failure::broken(format!("the server says {text}")));
            }
        }
        Ok(seen)
    }

    /// Publishes everything whose time has come; whether there was anything.
    fn publish_due(&mut self, now: Duration, load: &mut Load, publisher: usize) -> Result<bool> {
        let mut out = Vec::new();
        while self.sent < self.count {
            let due = self.interval.mul_f64(self.sent as f64);
            if due > now {
                break;
            }
            let stamp = format!("{:0STAMP_DIGITS$}", nanoseconds(due));
            self.content[..STAMP_DIGITS].copy_from_slice(stamp.as_bytes());
            let subject = (self.sent % self.shape.subjects as u64) as usize;
            frames::publish(None, subject, &self.content, &mut out);
            self.sent += 1;
            self.deliveries += self.shape.audience(subject);
        }
        if !out.is_empty() {
            load.send(publisher, &out)?;
        }
        Ok(!out.is_empty())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("a measurement does not last for centuries")
}

/// When a message should have been published, nanoseconds from the start.
fn stamp_of(text: &str) -> Option<u64> {
    let (_, content) = text.split_once("\"content\":\"")?;
    content.get(..STAMP_DIGITS)?.parse().ok()
}

fn row(name: &str, times: &Histogram) -> Vec<Cell> {
    let microseconds = |nanoseconds: u64| Cell::Number(nanoseconds as f64 / 1e3, 0);
    let mut row = vec![name.into(), Cell::Count(times.count())];
    row.extend([0.5, 0.9, 0.99, 0.999].map(|share| microseconds(times.quantile(share))));
    row.push(microseconds(times.max()));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_found_in_a_message() {
        let text =
            "{\"op\":\"message\",\"seq\":1,\"content\":\"00000000000000012345xxx\",\"retained\":false}";
        assert_eq!(stamp_of(text), Some(12_345));
        assert_eq!(stamp_of("{\"op\":\"message\",\"content\":\"1\"}"), None);
    }
}
