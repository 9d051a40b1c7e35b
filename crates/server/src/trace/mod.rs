//! Where log lines go, and which.

mod queue;
mod rotate;
mod text;

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use sterna_config::{Extensions, Log, LogFormat, LogLevel};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use queue::Lines;
pub(crate) use queue::Queue;
use rotate::RotatingFile;
use text::TextFormat;

/// Lines about clients: connects, subscribes, unsubscribes, disconnects.
pub(crate) const ACCESS: &str = "access";
/// Lines of statistics.
pub(crate) const STATISTICS: &str = "statistics";

/// The running log.
pub(crate) struct Logs {
    level: reload::Handle<Targets, Registry>,
    queue: Queue,
    /// Targets that have files of their own.
    apart: Vec<&'static str>,
}

/// Starts logging to stdout, or to files in `LogFolder`: `sterna.log`, and `access.log` and `stats.log` for
/// the audits that are on.
///
/// # Errors
/// A file cannot be opened.
pub(crate) fn start(log: &Log, extensions: &Extensions) -> io::Result<Logs> {
    let mut sinks: Vec<Box<dyn Write + Send>> = Vec::new();
    let mut apart = Vec::new();
    if let Some(folder) = &log.folder {
        fs::create_dir_all(folder)?;
        let open = |name| RotatingFile::open(&Path::new(folder).join(name), log.rotate_bytes as u64);
        sinks.push(Box::new(open("sterna.log")?));
        let audits = [
            (extensions.audit_access, ACCESS, "access.log"),
            (extensions.audit_stats, STATISTICS, "stats.log"),
        ];
        for (_, target, name) in audits.into_iter().filter(|(on, ..)| *on) {
            sinks.push(Box::new(open(name)?));
            apart.push(target);
        }
    } else {
        sinks.push(Box::new(BufWriter::new(io::stdout())));
    }
    let queue = Queue::start(sinks)?;
    let ansi = log.folder.is_none() && io::stdout().is_terminal();
    let (filter, level) = reload::Layer::new(targets(log.level, &apart));
    let mut layers = vec![layer(log.format, ansi, queue.lines(0)).with_filter(filter).boxed()];
    for (at, target) in apart.iter().enumerate() {
        let filter = Targets::new().with_target(*target, LevelFilter::INFO);
        layers.push(layer(log.format, false, queue.lines(at + 1)).with_filter(filter).boxed());
    }
    // Only a test that starts two servers in one process meets a subscriber that is there already.
    let _ = tracing_subscriber::registry().with(layers).try_init();
    Ok(Logs { level, queue, apart })
}

impl Logs {
    /// Changes the level of what is not an audit.
    pub(crate) fn set_level(&self, level: LogLevel) {
        let _ = self.level.modify(|filter| *filter = targets(level, &self.apart));
    }

    /// The way that the lines take.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.queue.flush();
    }
}

/// Which lines the main log takes. An audit is switched by its own parameter, whatever the level.
fn targets(level: LogLevel, apart: &[&'static str]) -> Targets {
    let elsewhere = apart.iter().map(|target| (*target, LevelFilter::OFF));
    let level = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    Targets::new().with_default(level).with_target(ACCESS, LevelFilter::INFO).with_targets(elsewhere)
}

fn layer(format: LogFormat, ansi: bool, lines: Lines) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = fmt::layer().with_ansi(ansi).with_writer(Arc::new(lines));
    match format {
        LogFormat::Text => layer.event_format(TextFormat).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn an_audit_is_logged_whatever_the_level() {
        let targets = targets(LogLevel::Error, &[]);
        assert!(targets.would_enable(ACCESS, &Level::INFO));
        assert!(!targets.would_enable("sterna_server", &Level::WARN));
    }

    #[test]
    fn what_has_a_file_of_its_own_is_not_in_the_main_log() {
        let targets = targets(LogLevel::Trace, &[ACCESS, STATISTICS]);
        assert!(!targets.would_enable(ACCESS, &Level::INFO));
        assert!(!targets.would_enable(STATISTICS, &Level::INFO));
        assert!(targets.would_enable("sterna_server", &Level::TRACE));
    }
}
