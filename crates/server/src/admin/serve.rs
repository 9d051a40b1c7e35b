//! The control plane's thread: monitoring connections, and the statistics line.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::figures::Figures;
use super::interface::{Interface, router};
use super::statistics::{self, Statistics};

/// Connections of one interface at once; further ones wait.
pub(crate) const CONNECTIONS_MAX: usize = 16;
/// Time for a TLS handshake, and for the head of a request, the pause before it included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection may last, so that no reader who stands still keeps its place for ever.
const CONNECTION_MAX: Duration = Duration::from_secs(600);
/// The rates of the HTTP interface are those of the last interval of this length.
const RATES_INTERVAL: Duration = Duration::from_secs(5);
/// How long to wait when no connection can be accepted, for want of descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The TLS configuration in force.
type Tls = Option<Arc<rustls::ServerConfig>>;

/// What the thread is started with.
pub(crate) struct Setup {
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) tls: Tls,
    /// Time between two lines of statistics.
    pub(crate) log_interval: Option<Duration>,
}

/// The running thread.
pub(crate) struct Admin {
    tls: watch::Sender<Tls>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts the thread.
///
/// # Errors
/// The system has no thread or no descriptor left.
pub(crate) fn start(setup: Setup) -> io::Result<Admin> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (tls, certificate) = watch::channel(setup.tls.clone());
    let (stop, stopped) = oneshot::channel();
    let run = move || {
        runtime.block_on(async {
            begin(setup, &certificate);
            let _ = stopped.await;
        });
    };
    let thread = thread::Builder::new().name("admin".to_owned()).spawn(run)?;
    Ok(Admin { tls, stop, thread })
}

impl Admin {
    /// New connections use this certificate.
    pub(crate) fn reload(&self, tls: Tls) {
        self.tls.send_replace(tls);
    }

    /// Ends the thread and its connections.
    pub(crate) fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

fn begin(setup: Setup, certificate: &watch::Receiver<Tls>) {
    let Setup { interfaces, figures, log_interval, .. } = setup;
    let (latest, rates) = watch::channel(Statistics::default());
    if let Some(interval) = log_interval {
        tokio::spawn(statistics::every(interval, figures.clone(), |statistics| statistics.log()));
    }
    if !interfaces.is_empty() {
        tokio::spawn(statistics::every(RATES_INTERVAL, figures.clone(), move |statistics| {
            latest.send_replace(statistics);
        }));
    }
    for interface in interfaces {
        let pages = router(&interface, figures.clone(), rates.clone());
        tokio::spawn(accept(interface, pages, certificate.clone()));
    }
}

async fn accept(interface: Interface, pages: Router, certificate: watch::Receiver<Tls>) {
    let listener = match TcpListener::from_std(interface.socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a monitoring interface cannot be watched; restart the server");
            return;
        }
    };
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let slot = slots.clone().acquire_owned().await.expect("it is never closed");
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let tls = certificate.borrow().clone().filter(|_| interface.encrypted);
        let pages = pages.clone();
        tokio::spawn(async move {
            // Whoever does not keep to the rules is let go without a word.
            let _ = timeout(CONNECTION_MAX, converse(socket, tls, pages)).await;
            drop(slot);
        });
    }
}

/// Serves one connection until it ends.
async fn converse(socket: TcpStream, tls: Tls, pages: Router) {
    match tls {
        None => answer(socket, pages).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(PATIENCE, TlsAcceptor::from(tls).accept(socket)).await {
                answer(stream, pages).await;
            }
        }
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, pages: Router) {
    let service = TowerToHyperService::new(pages);
    let mut connection = http1::Builder::new();
    connection.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}
