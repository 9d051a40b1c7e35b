//! The player: reads a recording, waits as it says, publishes.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::recording::Recorded;
use crate::connection::ConnectionOptions;
use crate::exit::{EXIT_CODES, Exit, tell};
use crate::lines::{self, Line, Lines, Next};
use crate::outgoing::Outgoing;
use crate::stop::Stop;

const COMMAND: &str = "replay";
/// A recording that is standard input.
const STANDARD_INPUT: &str = "-";
/// Mistakes that are told before it is enough.
const MISTAKES_MAX: usize = 20;
/// How long is waited at once, so that a signal is not kept waiting.
const WAIT: Duration = Duration::from_millis(100);

/// How long results are waited for after a signal.
const STOP_WAIT: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
A recording has one JSON object a line:
  {\"subject\":\"/stocks/IBM\",\"content\":\"142.5\",\"time\":1790000000000}
content is a text, or any JSON value; time is milliseconds since 1970, or ISO 8601 (\"2000-01-31T12:00:00Z\"), and \
may be left out: such a message comes right behind the one before it. What `sterna sub --json` prints is a recording \
too. Only the distances between the times count. A file is checked as a whole before anything is published.

Examples:
  export STERNA_TOKEN=some-token
  sterna replay examples/stocks/stocks.ndjson --loop
  sterna replay recording.ndjson --speed 10
  sterna sub /stocks/IBM --json --server a | sterna replay - --speed 0 --server b";

pub(crate) fn help() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

/// What to replay.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayOptions {
    /// Recording; - is standard input
    file: PathBuf,
    #[command(flatten)]
    connection: ConnectionOptions,
    /// How many times as fast as it was recorded; 0 is as fast as possible
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = parse_speed, allow_negative_numbers = true)]
    speed: f64,
    /// Begin again at the end, until Ctrl-C
    #[arg(long = "loop")]
    again: bool,
    /// Time for each message to be accepted, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u32,
    /// Say what happens, on standard error
    #[arg(short, long)]
    verbose: bool,
}

fn parse_speed(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed >= 0.0).ok_or("write a number from 0")
}

/// Replays, and prints what became of it.
pub(crate) fn run(options: &ReplayOptions) -> ExitCode {
    match replay(options) {
        Ok(exit) => exit.into(),
        Err(Failure { exit, reason }) => {
            tell(COMMAND, &reason);
            exit.into()
        }
    }
}

/// Why nothing more is published.
struct Failure {
    exit: Exit,
    reason: String,
}

impl Failure {
    fn usage(reason: &dyn fmt::Display) -> Self {
        Self { exit: Exit::Usage, reason: reason.to_string() }
    }
}

fn replay(options: &ReplayOptions) -> Result<Exit, Failure> {
    let is_standard_input = options.file.as_os_str() == STANDARD_INPUT;
    if is_standard_input && options.again {
        return Err(Failure::usage(&"standard input cannot be read again; --loop needs a file"));
    }
    if !is_standard_input {
        check(options)?;
    }
    let stop =
        Stop::on_signals().map_err(|error| Failure { exit: Exit::Failed, reason: error.to_string() })?;
    let mut settings = options.connection.settings();
    settings.publish_timeout_ms = u64::from(options.timeout) * 1_000;
    let outgoing = Outgoing::new(settings, COMMAND, options.verbose)
        .map_err(|error| Failure { exit: Exit::from(&error), reason: error.to_string() })?;
    let begin = Instant::now();
    let mut player = Player { outgoing, stop, speed: options.speed };
    let played = loop {
        let input = if is_standard_input { Lines::of(io::stdin()) } else { Lines::of(open(options)?) };
        let played = player.play(&input);
        if played.is_err() || !options.again || player.is_over() {
            break played;
        }
    };
    player.outgoing.finish(if player.stop.is_asked() { STOP_WAIT } else { Duration::MAX });
    let Outgoing { accepted, failed, .. } = player.outgoing;
    let seconds = begin.elapsed().as_secs_f64();
    let _ = writeln!(io::stdout(), "{accepted} messages in {seconds:.1} s, {failed} failed");
    played.map(|()| player.outgoing.exit())
}

fn open(options: &ReplayOptions) -> Result<File, Failure> {
    let file = &options.file;
    File::open(file).map_err(|error| Failure::usage(&format!("{}: {error}", file.display())))
}

/// Reads the whole file, and tells what is wrong with which line.
fn check(options: &ReplayOptions) -> Result<(), Failure> {
    let file = options.file.display();
    let mut mistakes = 0;
    for line in lines::read(BufReader::new(open(options)?)) {
        let line = line.map_err(|error| Failure::usage(&format!("{file}: {error}")))?;
        if let Err(error) = Recorded::parse(&line.bytes) {
            mistakes += 1;
            tell(COMMAND, &format!("{file}:{}: {error}", line.number));
        }
        if mistakes == MISTAKES_MAX {
            return Err(Failure::usage(&"there may be more mistakes; nothing was published"));
        }
    }
    if mistakes == 0 { Ok(()) } else { Err(Failure::usage(&"nothing was published")) }
}

struct Player {
    outgoing: Outgoing,
    stop: Stop,
    speed: f64,
}

impl Player {
    /// Whether to end before the end.
    fn is_over(&self) -> bool {
        self.stop.is_asked() || self.outgoing.exit() == Exit::Denied
    }

    fn play(&mut self, input: &Lines) -> Result<(), Failure> {
        let mut first: Option<(i64, Instant)> = None;
        while !self.is_over() {
            let line_wait = if self.outgoing.is_quiet() { WAIT } else { Duration::ZERO };
            match input.next(line_wait) {
                Next::NotYet => self.outgoing.wait(Duration::from_millis(1)),
                Next::End => break,
                Next::Failed(error) => return Err(Failure::usage(&error)),
                Next::Line(Line { number, bytes }) => {
                    let Recorded { message, time_ms } = Recorded::parse(&bytes)
                        .map_err(|error| Failure::usage(&format!("line {number}: {error}")))?;
                    if let Some(time_ms) = time_ms {
                        let (first_ms, begin) = *first.get_or_insert_with(|| (time_ms, Instant::now()));
                        self.wait_until(begin + self.pace(time_ms.saturating_sub(first_ms)));
                    }
                    if !self.is_over() {
                        self.outgoing.publish(&message, Some(number));
                    }
                }
            }
        }
        Ok(())
    }

    /// How long after the first message one of so many milliseconds later is due.
    fn pace(&self, later_ms: i64) -> Duration {
        let later_ms = u64::try_from(later_ms).unwrap_or(0);
        if self.speed == 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(Duration::from_millis(later_ms).as_secs_f64() / self.speed).unwrap_or(DAY)
    }

    fn wait_until(&mut self, due: Instant) {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_over() {
                return;
            }
            self.outgoing.wait(left.min(WAIT));
        }
    }
}

/// What a speed that is next to nothing comes to.
const DAY: Duration = Duration::from_secs(86_400);
