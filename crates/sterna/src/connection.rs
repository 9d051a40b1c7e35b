//! Options of every command that connects to a server.

use std::path::PathBuf;

use sterna_client::{Server, Settings};

/// Where to connect, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConnectionOptions {
    /// Server: host:port, ws://host:port or wss://host:port. Repeat it for the members of a cluster: one is chosen at
    /// random, and left for another when it fails
    #[arg(long = "server", value_name = "ADDRESS", default_value = "localhost:8800")]
    servers: Vec<Server>,
    /// Entitlement token. Other users of the machine see it in the list of processes, the variable they do not
    #[arg(long, env = "STERNA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file with authorities to trust for wss://, besides those of the system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl ConnectionOptions {
    /// Settings for a person who waits: the first retries come quickly, and later ones are not rare.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.servers.clone());
        settings.token = self.token.as_deref().map(Into::into);
        settings.client = concat!("sterna/", env!("CARGO_PKG_VERSION")).into();
        settings.authorities.clone_from(&self.ca);
        settings.reconnect.quick_initial_ms = 250;
        settings.reconnect.interval_ms = 1_000;
        settings.reconnect.delay_ms_max = 15_000;
        settings
    }
}
