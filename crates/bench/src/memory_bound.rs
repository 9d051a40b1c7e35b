//! `memory-bound`: an hour's publishes in minutes, against a small `Memory`.
//!
//! The server must keep within its bound by refusing what it cannot keep, and still have everything that it accepted
//! and promised to keep: of each subject the newest messages, up to `MaxCachedMessagesPerSubject`, for `CacheExpireTime`.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use sterna_wire::native::{ServerFrame, decode_server};

use crate::arguments::Common;
use crate::error::{Failure, Result};
use crate::feed::open_publisher;
use crate::load::{Load, frames};
use crate::report::{Cell, Figure, Report, grouped};
use crate::scrape::MEMORY_USED;
use crate::server::Server;

/// Publishes that may await their result.
const AHEAD: usize = 1_000;
/// How long the publisher pauses when memory is full.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the memory is looked at.
const WATCH: Duration = Duration::from_millis(200);
/// Digits of the publish's number in a message's content.
const NUMBER_DIGITS: usize = 12;
/// Subjects that are read back together.
const READ_SUBJECTS: usize = 100;
const MIB: u64 = 1 << 20;

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct MemoryBound {
    /// Publishes: an hour of 200 a second
    #[arg(long, default_value_t = 720_000)]
    publishes: u64,
    /// Subjects over which they are spread
    #[arg(long, default_value_t = 1_000)]
    subjects: usize,
    /// Bytes of each message's content
    #[arg(long, default_value_t = 512)]
    content_bytes: usize,
    /// `Memory` of the server, MB
    #[arg(long, default_value_t = 64)]
    memory_mb: u64,
    /// `MaxCachedMessagesPerSubject` of the server
    #[arg(long, default_value_t = 100)]
    history: usize,
    /// `CacheExpireTime` of the server, seconds
    #[arg(long, default_value_t = 10)]
    expire_s: u64,
}

/// An accepted message.
#[derive(Clone, Copy, Debug)]
struct Kept {
    number: u64,
    seq: u64,
    /// When the publisher sent it: no later than the server's own time of it.
    sent: Instant,
}

/// The publisher's side: what is under way, and what was accepted.
struct Publisher<'a> {
    sizes: &'a MemoryBound,
    /// Publishes that await their result, by number.
    under_way: HashMap<u64, Instant>,
    /// Refused ones, to be sent again.
    again: VecDeque<u64>,
    next: u64,
    total: u64,
    paused_until: Option<Instant>,
    refused: u64,
    accepted: u64,
    /// Of each subject the newest ones that were accepted.
    kept: Vec<VecDeque<Kept>>,
}

/// The highest that was seen, bytes.
#[derive(Default)]
struct Highest {
    accounted: u64,
    resident: u64,
}

pub(crate) fn run(arguments: &MemoryBound, common: &Common) -> Result<Report> {
    let history = arguments.history.to_string();
    let server = common.start_server(&[
        ("Memory", &format!("{}MB", arguments.memory_mb)),
        ("MaxCachedMessagesPerSubject", &history),
        ("CacheExpireTime", &arguments.expire_s.to_string()),
    ])?;
    let mut load = Load::new()?;
    let mut publisher = Publisher::new(arguments, common.sized(arguments.publishes, 20_000));
    let mut highest = Highest::default();
    let start = Instant::now();
    publisher.run(&mut load, &server, &mut highest)?;
    let seconds = start.elapsed().as_secs_f64();
    let (promised, subjects) = publisher.read_back(&server)?;
    highest.look(&server)?;

    let about = format!(
        "{} publishes of {} B over {} subjects, Memory={}MB, MaxCachedMessagesPerSubject={history}, CacheExpireTime={}",
        grouped(publisher.total),
        arguments.content_bytes,
        grouped(arguments.subjects as u64),
        arguments.memory_mb,
        arguments.expire_s
    );
    let mut report = Report::new("memory-bound", about);
    report.columns = vec!["what", "value"];
    report.rows = vec![
        vec!["accepted".into(), Cell::Count(publisher.accepted)],
        vec!["refused, and sent again".into(), Cell::Count(publisher.refused)],
        vec!["seconds".into(), Cell::Number(seconds, 1)],
        vec!["highest accounted, MiB".into(), Cell::Number(highest.accounted as f64 / MIB as f64, 1)],
        vec!["highest resident, MiB".into(), Cell::Number(highest.resident as f64 / MIB as f64, 1)],
        vec!["subjects read back".into(), Cell::Count(subjects)],
        vec!["messages promised, and all there".into(), Cell::Count(promised)],
    ];
    let bound = (arguments.memory_mb * MIB) as f64;
    report.figures = vec![
        Figure::new("accounted", highest.accounted as f64 / bound, "of Memory").at_most(1.0, 1.0),
        Figure::new("resident", highest.resident as f64 / bound, "of Memory").at_most(2.0, 2.0),
    ];
    Ok(report)
}

impl Highest {
    fn look(&mut self, server: &Server) -> Result<()> {
        self.accounted = self.accounted.max(server.metrics()?.sum(MEMORY_USED)?);
        self.resident = self.resident.max(server.memory()?.resident);
        Ok(())
    }
}

impl<'a> Publisher<'a> {
    fn new(sizes: &'a MemoryBound, total: u64) -> Self {
        Self {
            sizes,
            under_way: HashMap::new(),
            again: VecDeque::new(),
            next: 0,
            total,
            paused_until: None,
            refused: 0,
            accepted: 0,
            kept: vec![VecDeque::new(); sizes.subjects],
        }
    }

    /// Publishes until everything is accepted.
    fn run(&mut self, load: &mut Load, server: &Server, highest: &mut Highest) -> Result<()> {
        let place = open_publisher(load, &server.plain())?;
        let mut look_at = Instant::now();
        let mut progress = (0, Instant::now());
        while self.accepted < self.total {
            let now = Instant::now();
            if now >= look_at {
                look_at = now + WATCH;
                highest.look(server)?;
            }
            if progress.0 != self.accepted {
                progress = (self.accepted, now);
            } else if now - progress.1 > 3 * Duration::from_secs(self.sizes.expire_s) {
                return Err(Failure::broken("memory stays full although everything should have expired"));
            }
            let out = self.due(now);
            if !out.is_empty() {
                load.send(place, &out)?;
            }
            let mut results = Vec::new();
            load.turn(Duration::from_millis(5), |_, text| results.push(decode_server(text)))?;
            for result in results {
                self.take_result(result.map_err(|error| Failure::broken(error.to_string()))?)?;
            }
        }
        Ok(())
    }

    /// The frames that may be sent now.
    fn due(&mut self, now: Instant) -> Vec<u8> {
        let mut out = Vec::new();
        if self.paused_until.is_some_and(|end| now < end) {
            return out;
        }
        self.paused_until = None;
        while self.under_way.len() < AHEAD {
            let number = match self.again.pop_front() {
                Some(number) => number,
                None if self.next < self.total => {
                    self.next += 1;
                    self.next - 1
                }
                None => break,
            };
            self.under_way.insert(number, now);
            frames::publish(Some(number), self.subject_of(number), &self.content_of(number), &mut out);
        }
        out
    }

    fn subject_of(&self, number: u64) -> usize {
        (number % self.sizes.subjects as u64) as usize
    }

    fn content_of(&self, number: u64) -> Vec<u8> {
        let mut content = format!("{number:0NUMBER_DIGITS$}").into_bytes();
        content.resize(self.sizes.content_bytes.max(NUMBER_DIGITS), b'x');
        content
    }

    fn take_result(&mut self, frame: ServerFrame) -> Result<()> {
        let ServerFrame::Published { id: Some(number), outcome, .. } = frame else { return Ok(()) };
        let sent = self.under_way.remove(&number);
        let sent = sent.ok_or_else(|| Failure::broken(format!("a second result for publish {number}")))?;
        match outcome {
            Ok(accepted) => {
                let position =
                    accepted.position.ok_or_else(|| Failure::broken("a result without a position"))?;
                let subject = self.subject_of(number);
                let kept = &mut self.kept[subject];
                kept.push_back(Kept { number, seq: position.seq.0, sent });
                if kept.len() > self.sizes.history {
                    kept.pop_front();
                }
                self.accepted += 1;
            }
            Err(_) => {
                self.refused += 1;
                self.again.push_back(number);
                self.paused_until = Some(Instant::now() + PAUSE);
            }
        }
        Ok(())
    }

    /// Reads all subjects back with their history; returns how many messages were still promised, and all there, and
    /// how many subjects were read.
    fn read_back(&self, server: &Server) -> Result<(u64, u64)> {
        let mut promised = 0;
        let mut subjects = 0;
        for first in (0..self.kept.len()).step_by(READ_SUBJECTS) {
            let last = self.kept.len().min(first + READ_SUBJECTS);
            let published =
                (first..last).filter(|subject| !self.kept[*subject].is_empty()).collect::<Vec<_>>();
            let read = Reading::read(server, &published, self.sizes.history)?;
            for subject in published {
                promised += self.check(subject, &read)?;
                subjects += 1;
            }
        }
        Ok((promised, subjects))
    }

    /// How many messages of the subject were still promised when it was read; all of them must have been there.
    fn check(&self, subject: usize, read: &Reading) -> Result<u64> {
        let name = frames::subject(subject);
        let state = &read.subjects[&name];
        let expire = Duration::from_secs(self.sizes.expire_s);
        let newest = self.kept[subject].back().map(|kept| kept.seq);
        let mut promised = 0;
        for kept in &self.kept[subject] {
            // The newest is the snapshot, which does not expire.
            if kept.sent + expire <= state.subscribed && Some(kept.seq) != newest {
                continue;
            }
            promised += 1;
            match state.numbers.get(&kept.seq) {
                Some(number) if *number == kept.number => {}
                found => {
                    let message = format!(
                        "{name} seq {}: publish {} is promised, found {found:?}",
                        kept.seq, kept.number
                    );
                    return Err(Failure::broken(message));
                }
            }
        }
        Ok(promised)
    }
}

/// What a new subscriber gets.
struct Reading {
    subjects: HashMap<Box<str>, SubjectRead>,
}

/// One subject of it.
struct SubjectRead {
    subscribed: Instant,
    last_seq: u64,
    /// Number of the publish by seq.
    numbers: HashMap<u64, u64>,
}

impl Reading {
    /// Subscribes with history and waits for everything up to each subject's last message.
    fn read(server: &Server, subjects: &[usize], history: usize) -> Result<Self> {
        let mut load = Load::new()?;
        let mut first = Vec::new();
        frames::connect(&mut first);
        frames::subscribe(subjects.iter().copied(), history as u32, &mut first);
        load.open(&server.plain(), first)?;
        let mut reading = Self { subjects: HashMap::new() };
        let deadline = Instant::now() + Duration::from_secs(20);
        while reading.subjects.len() < subjects.len()
            || !reading.subjects.values().all(SubjectRead::is_complete)
        {
            if Instant::now() > deadline {
                return Err(Failure::broken("the history does not arrive in full"));
            }
            let mut heard = Vec::new();
            load.turn(Duration::from_millis(100), |_, text| heard.push(decode_server(text)))?;
            for frame in heard {
                reading.take(frame.map_err(|error| Failure::broken(error.to_string()))?)?;
            }
        }
        Ok(reading)
    }

    fn take(&mut self, frame: ServerFrame) -> Result<()> {
        match frame {
            ServerFrame::Subscribed { subject, position, .. } => {
                let state = SubjectRead {
                    subscribed: Instant::now(),
                    last_seq: position.seq.0,
                    numbers: HashMap::new(),
                };
                self.subjects.insert(subject, state);
            }
            ServerFrame::Message { record, .. } => {
                let state = self.subjects.get_mut(record.message.subject.as_str());
                let state = state.ok_or_else(|| Failure::broken("a message before its subscription"))?;
                let number = std::str::from_utf8(&record.message.content)
                    .ok()
                    .and_then(|content| content.get(..NUMBER_DIGITS)?.parse().ok());
                let number = number.ok_or_else(|| Failure::broken("a content that was never published"))?;
                if state.numbers.insert(record.position.seq.0, number).is_some() {
                    return Err(Failure::broken("a message came twice"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl SubjectRead {
    fn is_complete(&self) -> bool {
        self.numbers.contains_key(&self.last_seq)
    }
}
