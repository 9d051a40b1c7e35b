//! The life of the process: bind, change the user, start the member, obey signals, drain, end.

use std::io;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use signal_hook::iterator::Signals;
use sterna_config::{Config, ConfigError, Loaded};

use crate::container;
use crate::listen::{BindError, Bound};
use crate::member::Member;
use crate::process::{UserError, become_user, notify_supervisor, raise_descriptors};
use crate::reload::{SettingsError, taken_up};
use crate::trace::{self, Logs, Queue};

/// How often a member that joins a cluster looks whether clients may find it.
const OPEN_CHECK: Duration = Duration::from_millis(20);

/// Why a member could not be started. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The process cannot become the user that it should.
    #[error(transparent)]
    User(#[from] UserError),
    /// A log file cannot be opened.
    #[error(
        "cannot write log files (LogFolder): {0}; create the folder or let the server's user write to it"
    )]
    Logs(io::Error),
    /// A key, token or certificate cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The part in the cluster cannot be taken.
    #[error("cluster: {0}")]
    Cluster(String),
    /// The system refuses something that every server needs.
    #[error("cannot {what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// The system has refused to do `what`.
pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}

/// Runs a member until SIGTERM or SIGINT, then drains it; a second such signal ends it at once. `load` reads
/// the configuration again on SIGHUP.
///
/// # Errors
/// The member could not be started.
pub fn serve(loaded: &Loaded, load: impl Fn() -> Result<Loaded, Vec<ConfigError>>) -> Result<(), ServeError> {
    let config = &loaded.config;
    // Registered first: a signal from here on is not lost.
    let draining = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        register_conditional_default(signal, draining.clone()).map_err(system("listen for signals"))?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(system("listen for signals"))?;
    // Ports below 1024 and the limit of open files may need root; everything after them must not.
    let mut bound = Bound::new(config)?;
    let descriptors = raise_descriptors(config.process.descriptors_max as u64);
    if let Some(user) = &config.process.run_as_user {
        become_user(user)?;
    }
    let logs = trace::start(&config.log, &config.extensions).map_err(ServeError::Logs)?;
    end_on_panic(logs.queue().clone());
    let places = std::mem::take(&mut bound.places);
    places.announce(false);
    let mut member = Member::start(config, bound, descriptors, logs.queue().clone())?;
    if wait_to_open(&member, &draining) {
        advise(loaded, places.plain_port());
        member.begin_service(&places)?;
        notify_supervisor("READY=1");
    }
    for signal in signals.forever() {
        if signal == SIGHUP {
            reload(&member, loaded, &load, &logs);
        } else {
            break;
        }
    }
    draining.store(true, Relaxed);
    notify_supervisor("STOPPING=1");
    member.drain(config.process.drain_time);
    tracing::info!("stopped");
    Ok(())
}

/// Waits until clients may find this member; false if it is to stop before.
fn wait_to_open(member: &Member, draining: &AtomicBool) -> bool {
    let start = Instant::now();
    while !member.may_open(start.elapsed()) {
        if draining.load(Relaxed) {
            return false;
        }
        thread::sleep(OPEN_CHECK);
    }
    true
}

/// Takes up what may change while the server runs, all of it or nothing.
fn reload(
    member: &Member,
    running: &Loaded,
    load: impl Fn() -> Result<Loaded, Vec<ConfigError>>,
    logs: &Logs,
) {
    let newer = match load() {
        Ok(newer) => newer,
        Err(errors) => {
            for error in errors {
                tracing::error!("reload: {error}; nothing was changed, correct it and send SIGHUP again");
            }
            return;
        }
    };
    let config = taken_up(&running.config, &newer.config);
    if let Err(error) = member.reload(&config) {
        tracing::error!("reload: {error}; nothing was changed, correct it and send SIGHUP again");
        return;
    }
    logs.set_level(config.log.level);
    tracing::info!("reloaded: tokens, keys, certificates, address lists and log level");
    warn_of_default_token(&config);
    if config.cluster_tls.is_some() != newer.config.cluster_tls.is_some() {
        tracing::warn!("TLS between members begins or ends at a restart only");
    }
    let waiting = running.restart_needed_for(&newer);
    if !waiting.is_empty() {
        tracing::warn!(parameters = %waiting.join(","), "changed, but in force only after a restart");
    }
}

/// Tells a person what to know and where everything is.
fn advise(loaded: &Loaded, port: Option<u16>) {
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    let config = &loaded.config;
    warn_of_default_token(config);
    container::warn_of_small_limit(config.limits.memory_bytes as u64);
    if let Some(port) = port {
        let token = if config.uses_default_token() { "some-token" } else { "YOUR-TOKEN" };
        tracing::info!("console    http://localhost:{port}/console.html");
        tracing::info!("subscribe  sterna sub /stocks/IBM --server localhost:{port}");
        tracing::info!("publish    sterna pub /stocks/IBM 142.5 --server localhost:{port} --token {token}");
    }
}

fn warn_of_default_token(config: &Config) {
    if config.uses_default_token() {
        tracing::warn!(
            "EntitlementAllowToken is the public default: anybody may publish; set a token of your own"
        );
    }
}

/// A member with a dead thread must not pretend to live: a panic in any thread ends the process.
fn end_on_panic(log: Queue) {
    let show = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // To stderr, with a backtrace if RUST_BACKTRACE asks for one.
        show(panic);
        let thread = thread::current();
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let reason = panic.payload_as_str().unwrap_or("no reason given");
        tracing::error!(
            thread = thread.name(),
            location,
            reason,
            "a fault of the server, which ends now; please report this line"
        );
        log.flush();
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    /// Ends the process that it runs in: the test below gives it one of its own.
    #[test]
    #[ignore = "ends its process"]
    fn panic_in_a_thread() {
        let config = Config::default();
        let logs = trace::start(&config.log, &config.extensions).unwrap();
        end_on_panic(logs.queue().clone());
        let _ = thread::Builder::new().name("shard-7".into()).spawn(|| panic!("out of luck")).unwrap().join();
    }

    #[test]
    fn a_panic_in_any_thread_is_logged_and_ends_the_process() {
        let arguments = ["--exact", "lifecycle::tests::panic_in_a_thread", "--ignored", "--nocapture"];
        let output = Command::new(std::env::current_exe().unwrap()).args(arguments).output().unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGABRT));
        let log = String::from_utf8(output.stdout).unwrap();
        let line = log.lines().find(|line| line.contains(" ERROR ")).expect("a line in the log");
        assert!(line.contains("a fault of the server") && line.contains("thread=\"shard-7\""), "{line}");
        assert!(line.contains("lifecycle.rs:") && line.contains("reason=\"out of luck\""), "{line}");
    }
}
