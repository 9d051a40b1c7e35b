//! `sterna sub`: messages of subjects, one line each.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sterna_client::{Client, Event, Shown, Subscribed};
use sterna_model::{Kind, Position, Record, Recovery, Start, Subject};
use sterna_wire::native::encode_message;

use crate::connection::ConnectionOptions;
use crate::exit::{EXIT_CODES, Exit, tell};
use crate::stop::Stop;

const COMMAND: &str = "sub";
/// How long events are waited for at once, so that a signal is not kept waiting.
const WAIT: Duration = Duration::from_millis(200);

const EXAMPLES: &str = "\
Examples:
  sterna sub /stocks/IBM                           contents, a line each
  sterna sub /stocks/IBM /stocks/AAPL              subject, a tab, content
  sterna sub /stocks/IBM --history 10 --json       whole messages, a JSON object each
  sterna sub /stocks/IBM --count 1 --timeout 5     the snapshot or the next message, or exit code 1
  sterna sub /stocks/IBM --since 1790000000:41     what came after that position

It connects again by itself and resumes; what could not be recovered is told on standard error. Ctrl-C ends it.";

pub(crate) fn help() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

/// What to subscribe to.
#[derive(Debug, clap::Args)]
pub(crate) struct SubscribeOptions {
    /// Subjects, such as /stocks/IBM
    #[arg(required = true, value_name = "SUBJECT", value_parser = Subject::parse)]
    subjects: Vec<Subject>,
    #[command(flatten)]
    connection: ConnectionOptions,
    /// Begin with up to so many messages of the cache
    #[arg(long, value_name = "N", default_value_t = 0)]
    history: u32,
    /// Print the newest message only, at most once per so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    conflation: u32,
    /// Begin after this position, as --verbose and --json show it; for one subject
    #[arg(long, value_name = "EPOCH:SEQ", value_parser = parse_position)]
    since: Option<Position>,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds, with exit code 1 if --count was not reached
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Print each message as the JSON object of the native protocol
    #[arg(long)]
    json: bool,
    /// Say what happens, and what each message is, on standard error
    #[arg(short, long)]
    verbose: bool,
}

fn parse_position(text: &str) -> Result<Position, &'static str> {
    let numbers =
        text.split_once(':').and_then(|(epoch, seq)| Some((epoch.parse().ok()?, seq.parse().ok()?)));
    numbers.map(|(epoch, seq)| Position::new(epoch, seq)).ok_or("write EPOCH:SEQ, such as 1790000000:41")
}

/// Prints messages until it has enough or is told to end.
pub(crate) fn run(options: SubscribeOptions) -> ExitCode {
    if options.since.is_some() && options.subjects.len() > 1 {
        tell(COMMAND, &"--since is a position of one subject; give one subject");
        return Exit::Usage.into();
    }
    let client = match Client::new(options.connection.settings()) {
        Ok(client) => client,
        Err(error) => {
            tell(COMMAND, &error);
            return Exit::from(&error).into();
        }
    };
    let stop = match Stop::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            tell(COMMAND, &error);
            return Exit::Failed.into();
        }
    };
    let page = BufWriter::new(io::stdout().lock());
    Printer { options, page, printed: 0, told_of_trouble: false }.run(client, &stop).into()
}

/// What is printed, and what was.
struct Printer {
    options: SubscribeOptions,
    page: BufWriter<StdoutLock<'static>>,
    printed: u64,
    told_of_trouble: bool,
}

impl Printer {
    fn run(mut self, mut client: Client, stop: &Stop) -> Exit {
        let SubscribeOptions { history, since, conflation, timeout, .. } = self.options;
        let until = timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
        client.connect();
        client.subscribe_with(
            self.options.subjects.iter().map(Subject::as_str),
            Start { history, resume: since },
            conflation,
        );
        let exit = loop {
            if let Some(exit) = self.print_events(&mut client) {
                break exit;
            }
            let is_over = until.is_some_and(|until| until <= Instant::now());
            if is_over || stop.is_asked() {
                break if self.options.count.is_some() { Exit::Failed } else { Exit::Done };
            }
        };
        client.disconnect();
        exit
    }

    /// Waits for an event and prints all that are there; gives the end, if it has come.
    fn print_events(&mut self, client: &mut Client) -> Option<Exit> {
        let mut event = client.next_event(WAIT);
        while let Some(happened) = event {
            match self.on_event(happened) {
                Ok(None) => {}
                Ok(end) => {
                    return end.map(|exit| self.flushed().map_or_else(|error| of_output(&error), |()| exit));
                }
                Err(error) => return Some(of_output(&error)),
            }
            event = client.queued_event();
        }
        self.flushed().err().map(|error| of_output(&error))
    }

    fn flushed(&mut self) -> io::Result<()> {
        self.page.flush()
    }

    fn on_event(&mut self, event: Event) -> io::Result<Option<Exit>> {
        match event {
            Event::Message { kind, record } => {
                self.print(kind, &record)?;
                self.printed += 1;
                return Ok((self.options.count == Some(self.printed)).then_some(Exit::Done));
            }
            Event::ConnectDeny(refusal) => {
                tell(COMMAND, &Shown(&refusal));
                return Ok(Some(Exit::from(&refusal)));
            }
            Event::SubscribeDeny { subject, refusal } => {
                tell(COMMAND, &format!("{subject}: {}", Shown(&refusal)));
                return Ok(Some(Exit::from(&refusal)));
            }
            Event::Subscribed(subscribed) => self.on_subscribed(&subscribed),
            Event::ServerDown { server, reason, .. } => {
                if self.options.verbose || !self.told_of_trouble {
                    tell(COMMAND, &format!("no connection to {server}: {reason}; trying again"));
                    self.told_of_trouble = true;
                }
            }
            Event::ConnectOk(info) => {
                self.told_of_trouble = false;
                self.explain(&format!("connected to {}, session {}", info.server, info.session));
            }
            Event::TokenExpired(refusal) | Event::Refused { refusal, .. } => {
                tell(COMMAND, &Shown(&refusal));
            }
            Event::GoingAway { reconnect_after_ms } => {
                self.explain(&format!("the member goes away; back in {reconnect_after_ms} ms"));
            }
            Event::ServerUp { server } => self.explain(&format!("reached {server}")),
            other => self.explain(&other.name()),
        }
        Ok(None)
    }

    fn on_subscribed(&self, subscribed: &Subscribed) {
        let Subscribed { subject, recovery, position, missed, .. } = subscribed;
        let line = format!("{subject}: {} at {position}", recovery.name());
        match (recovery, missed) {
            (Recovery::Gap, Some((from, to))) => {
                tell(COMMAND, &format!("{line}, messages {} to {} are lost", from.0, to.0));
            }
            (Recovery::Gap, None) => tell(COMMAND, &format!("{line}, messages may be lost")),
            (Recovery::Reset, _) => tell(COMMAND, &format!("{line}, the server's memory is a new one")),
            (Recovery::Fresh | Recovery::Complete, _) => self.explain(&line),
        }
    }

    fn print(&mut self, kind: Kind, record: &Record) -> io::Result<()> {
        let message = &record.message;
        if self.options.verbose {
            tell(COMMAND, &format!("{} {} {}", kind.name(), message.subject, record.position));
        }
        if self.options.json {
            let mut frame = Vec::new();
            encode_message(kind, record, &mut frame);
            self.page.write_all(&frame)?;
        } else {
            if self.options.subjects.len() > 1 {
                write!(self.page, "{}\t", message.subject)?;
            }
            self.page.write_all(&message.content)?;
        }
        self.page.write_all(b"\n")
    }

    fn explain(&self, what: &dyn std::fmt::Display) {
        if self.options.verbose {
            tell(COMMAND, what);
        }
    }
}

/// A reader that has enough ends us without a fault.
fn of_output(error: &io::Error) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit::Done;
    }
    tell(COMMAND, &format!("standard output: {error}"));
    Exit::Failed
}
