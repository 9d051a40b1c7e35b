//! `sterna pub`: one message, or one for each line of standard input.

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgAction;
use sterna_model::{Message, Qos, Subject};

use crate::connection::ConnectionOptions;
use crate::exit::{EXIT_CODES, Exit, tell};
use crate::lines::{Line, Lines, Next};
use crate::outgoing::Outgoing;

const COMMAND: &str = "pub";
/// Content that stands for standard input.
const STANDARD_INPUT: &str = "-";
/// How long a line is waited for before the connection gets its turn.
const LINE_WAIT: Duration = Duration::from_millis(50);
/// How long the connection gets its turn while there may be more lines.
const TURN: Duration = Duration::from_millis(1);

const EXAMPLES: &str = "\
Examples:
  export STERNA_TOKEN=some-token
  sterna pub /stocks/IBM 142.5
  sterna pub /stocks/IBM 142.5 --server wss://a.example --server wss://b.example
  tail -f prices.log | sterna pub /stocks/IBM -
  sterna pub /import/42 - --publisher import-42 < lines    may be repeated: no duplicates

Nothing is printed if all goes well. What a busy or absent server does not take is sent again, until --timeout.";

pub(crate) fn help() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

/// What to publish.
#[derive(Debug, clap::Args)]
pub(crate) struct PublishOptions {
    /// Subject, such as /stocks/IBM
    #[arg(value_parser = Subject::parse)]
    subject: Subject,
    /// Content of the message; - publishes each line of standard input
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new(), allow_hyphen_values = true)]
    content: String,
    #[command(flatten)]
    connection: ConnectionOptions,
    /// Whether the message becomes the subject's snapshot
    #[arg(long, value_name = "true|false", default_value_t = true, action = ArgAction::Set)]
    retained: bool,
    /// guaranteed: cached and recoverable; standard: for who is subscribed now
    #[arg(long, value_name = "guaranteed|standard", default_value = "guaranteed", value_parser = parse_qos)]
    qos: Qos,
    /// Your name for the message; subscribers see it
    #[arg(long, value_name = "TEXT")]
    closure: Option<String>,
    /// Subject on which receivers may answer
    #[arg(long, value_name = "SUBJECT", value_parser = Subject::parse)]
    reply_to: Option<Subject>,
    /// Publisher id, unique to this input. The server recognises a message that comes again with the same id and
    /// number, up to 512 back
    #[arg(long, value_name = "ID")]
    publisher: Option<String>,
    /// Number of the first message under this publisher id; each further line has the next one
    #[arg(long, value_name = "N", default_value_t = 1, requires = "publisher")]
    publisher_seq: u64,
    /// Messages without a result at once, 1 to 512; with 1, order holds even when the server is busy in between
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=512))]
    in_flight: u16,
    /// Time for each message to be accepted, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u32,
    /// Say what happens, on standard error
    #[arg(short, long)]
    verbose: bool,
}

fn parse_qos(name: &str) -> Result<Qos, &'static str> {
    Qos::from_name(name).ok_or("write guaranteed or standard")
}

impl PublishOptions {
    fn message(&self, content: impl Into<Box<[u8]>>) -> Message {
        Message {
            closure: self.closure.as_deref().unwrap_or_default().into(),
            reply_to: self.reply_to.clone(),
            retained: self.retained,
            qos: self.qos,
            ..Message::new(self.subject.clone(), content)
        }
    }
}

/// Publishes, and waits for the results.
pub(crate) fn run(options: &PublishOptions) -> ExitCode {
    let mut settings = options.connection.settings();
    settings.publish_timeout_ms = u64::from(options.timeout) * 1_000;
    settings.connect_timeout_ms = settings.connect_timeout_ms.min(settings.publish_timeout_ms.max(1));
    settings.publisher = options.publisher.as_deref().map(Into::into);
    settings.publisher_seq_first = options.publisher_seq;
    settings.unanswered_max = options.in_flight.into();
    let mut outgoing = match Outgoing::new(settings, COMMAND, options.verbose) {
        Ok(outgoing) => outgoing,
        Err(error) => {
            tell(COMMAND, &error);
            return Exit::from(&error).into();
        }
    };
    let mut exit = Exit::Done;
    if options.content == STANDARD_INPUT {
        exit = publish_lines(options, &mut outgoing);
    } else {
        outgoing.publish(&options.message(options.content.as_bytes()), None);
    }
    // Each publish ends after its own time.
    outgoing.finish(Duration::MAX);
    let first = outgoing.exit();
    if first == Exit::Done { exit.into() } else { first.into() }
}

/// Publishes the lines of standard input until it ends, or it is clear that none will be accepted.
fn publish_lines(options: &PublishOptions, outgoing: &mut Outgoing) -> Exit {
    let lines = Lines::of(std::io::stdin());
    while outgoing.exit() != Exit::Denied && !outgoing.has_given_up() {
        let line_wait = if outgoing.is_quiet() { LINE_WAIT } else { Duration::ZERO };
        match lines.next(line_wait) {
            Next::Line(Line { number, bytes }) => outgoing.publish(&options.message(bytes), Some(number)),
            Next::NotYet => outgoing.wait(TURN),
            Next::End => break,
            Next::Failed(error) => {
                tell(COMMAND, &format!("standard input: {error}"));
                return Exit::Usage;
            }
        }
    }
    Exit::Done
}
