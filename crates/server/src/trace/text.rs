//! Log lines for people: time, level, message, fields.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// One line an event.
pub(super) struct TextFormat;

impl<S, F> FormatEvent<S, F> for TextFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, F>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        SystemTime.format_time(&mut writer)?;
        if writer.has_ansi_escapes() {
            write!(writer, " \x1b[{}m{level:<5}\x1b[0m ", colour(level))?;
        } else {
            write!(writer, " {level:<5} ")?;
        }
        // Where in the code it comes from matters to developers; foreign and audit lines say whose they are.
        let target = event.metadata().target();
        if level >= Level::DEBUG || !target.starts_with("sterna") {
            write!(writer, "{target}: ")?;
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Number of the terminal colour (ECMA-48, 8.3.117).
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(log: impl FnOnce()) -> String {
        let written = Written::default();
        let sink = written.clone();
        let subscriber =
            fmt().with_ansi(false).event_format(TextFormat).with_writer(move || sink.clone()).finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// What stands behind the time.
    fn behind_time(line: &str) -> &str {
        line.split_once(' ').unwrap().1
    }

    #[test]
    fn a_line_has_time_level_message_and_fields() {
        let address: std::net::SocketAddr = "127.0.0.1:8800".parse().unwrap();
        let line = line(|| tracing::info!(%address, encrypted = false, "listening"));
        assert!(line.starts_with("20") && line.contains("Z INFO  "), "{line}");
        assert_eq!(behind_time(&line), "INFO  listening address=127.0.0.1:8800 encrypted=false\n");
    }

    #[test]
    fn an_audit_line_says_that_it_is_one() {
        let line = line(|| tracing::info!(target: "access", session = 7, "connect"));
        assert_eq!(behind_time(&line), "INFO  access: connect session=7\n");
    }

    #[test]
    fn a_text_of_a_client_can_not_begin_a_line_or_drive_a_terminal() {
        let line = line(|| tracing::info!(client = "a\nb\x1b[31m\u{9b}", "connect"));
        assert_eq!(behind_time(&line), "INFO  connect client=\"a\\nb\\u{1b}[31m\\u{9b}\"\n");
    }
}
