//! Where log lines go, and which.

use sterna_config::{LogFormat, LogLevel};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes the level of a running server.
pub(crate) type LevelHandle = reload::Handle<LevelFilter, Registry>;

/// Starts logging to stdout.
pub(crate) fn start(format: LogFormat, level: LogLevel) -> LevelHandle {
    let (filter, handle) = reload::Layer::new(level_filter(level));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let registry = tracing_subscriber::registry().with(filter);
    // Only a test that starts two servers in one process meets a subscriber that is there already.
    let _ = match format {
        LogFormat::Text => registry.with(fmt::layer().with_ansi(ansi)).try_init(),
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true)).try_init(),
    };
    handle
}

pub(crate) fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    }
}
