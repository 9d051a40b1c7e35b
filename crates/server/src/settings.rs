//! What the shards need of the configuration, in the form in which they use it. Replaced as a whole on SIGHUP.

use std::path::PathBuf;
use std::sync::Arc;

use sterna_broker::session::Rules;
use sterna_config::Network;
use sterna_wire::http::OriginPolicy;

/// Settings of all shards.
pub(crate) struct Settings {
    /// Rules of the sessions.
    pub(crate) rules: Rules,
    /// Addresses that may publish; none means all.
    pub(crate) publish_from: Option<Vec<Network>>,
    /// Web origins whose pages may use the server.
    pub(crate) origins: OriginPolicy,
    /// Certificate and key for encrypted listeners.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether `/rest/...` answers.
    pub(crate) rest_enabled: bool,
    /// Folder of static files that are served in front of the built-in pages.
    pub(crate) document_root: Option<PathBuf>,
    /// Bytes that may wait for one client.
    pub(crate) out_queue_bytes_max: usize,
    /// Batching of messages for one client; none sends at once.
    pub(crate) batching: Option<Batching>,
    /// Smallest content that is compressed for clients that can; none compresses nothing.
    pub(crate) compression_threshold_bytes: Option<usize>,
    /// A client that heard nothing for this long is pinged, milliseconds.
    pub(crate) keep_alive_interval_ms: u64,
    /// A client that does not answer is closed after this, milliseconds.
    pub(crate) keep_alive_timeout_ms: u64,
    /// Time for a handshake or the rest of a request, milliseconds.
    pub(crate) handshake_timeout_ms: u64,
    /// Time for the next request of a connection, milliseconds.
    pub(crate) http_idle_timeout_ms: u64,
    /// Share of each shard in the memory for sessions and queues, bytes.
    pub(crate) shard_bytes_max: usize,
    /// Whether connects, subscribes and disconnects are logged.
    pub(crate) access_log: bool,
}

/// How messages for one client are collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batching {
    /// Sent when this much waits, bytes.
    pub(crate) bytes: usize,
    /// Sent when the oldest has waited this long, milliseconds.
    pub(crate) time_ms: u64,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}
