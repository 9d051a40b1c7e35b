//! The configuration as the rest of the server reads it: typed, checked, nothing left to parse.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use sterna_model::DeliveryMode;

use crate::address::{Address, Network};
use crate::declarations::{
    Cache, Cluster, Connections, DEFAULT_TOKEN, Extensions, Http, Kafka, Limits, Listen, Log, Process,
};
use crate::source::Sources;
use crate::values::{JwtAlgorithm, Secret};

/// Every value in force. The groups that stand as they were declared have the parameters' own help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where clients connect.
    pub listen: Listen,
    /// Certificate and key, if given; present if anything listens with TLS.
    pub tls: Option<Tls>,
    /// The process and its threads.
    pub process: Process,
    /// Bounds on what the server holds.
    pub limits: Limits,
    /// How messages for one client are collected, if they are.
    pub batching: Option<Batching>,
    /// Time-outs of connections, and the WebSocket.
    pub connections: Connections,
    /// HTTP on the client addresses.
    pub http: Http,
    /// What is remembered per subject.
    pub cache: Cache,
    /// What this server, or its cluster, promises.
    pub delivery_mode: DeliveryMode,
    /// The members.
    pub cluster: Cluster,
    /// TLS between the members, if they have it.
    pub cluster_tls: Option<ClusterTls>,
    /// Who may publish and subscribe.
    pub entitlement: Entitlement,
    /// Addresses that may publish; none means any.
    pub publish_from: Option<Vec<Network>>,
    /// Monitoring interfaces.
    pub monitor: Monitor,
    /// Logs.
    pub log: Log,
    /// Optional features.
    pub extensions: Extensions,
    /// The Kafka engine.
    pub kafka: Kafka,
    /// Properties for Kafka's own clients; some are secrets.
    pub kafka_properties: BTreeMap<String, Secret<String>>,
}

/// Certificate and key of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Content of the PEM file with the certificate chain.
    pub certificate_pem: String,
    /// Content of the PEM file with the private key.
    pub key_pem: Secret<String>,
}

/// Certificate, key and authority of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterTls {
    /// The certificate chain.
    pub certificate: PemFile<String>,
    /// The private key.
    pub key: PemFile<Secret<String>>,
    /// The authorities that sign the members' certificates.
    pub authority: PemFile<String>,
}

/// A PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFile<T> {
    /// Where it is.
    pub path: PathBuf,
    /// Its content.
    pub pem: T,
}

/// When a batch for one client is sent: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// This much was collected.
    pub space_bytes: usize,
    /// This much time passed since its first message.
    pub time: Duration,
}

/// Who may publish and subscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entitlement {
    /// Everyone may do everything.
    None,
    /// Everyone may subscribe; publishing needs the token.
    Basic {
        /// The token.
        token: Secret<String>,
    },
    /// What the client's token permits.
    Jwt(Jwt),
}

/// How tokens are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// A client is told this long before its token expires.
    pub renew_before: Duration,
    /// What verifies signatures.
    pub key: JwtKey,
    /// The only algorithm accepted; none means what the size of the key asks for.
    pub algorithm: Option<JwtAlgorithm>,
}

/// What verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKey {
    /// The bytes of a shared secret.
    Hmac(Secret<Vec<u8>>),
    /// An RSA public key, content of a PEM file.
    Rsa(Secret<String>),
    /// An elliptic-curve public key, content of a PEM file.
    Ecdsa(Secret<String>),
}

/// Monitoring interfaces that run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// HTTP.
    pub http: Option<Endpoint>,
    /// Prometheus, on `/metrics`.
    pub prometheus: Option<Endpoint>,
}

/// One monitoring interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address to listen on.
    pub listen: Address,
    /// Whether it speaks TLS (with [`Config::tls`]).
    pub encrypted: bool,
    /// What it asks for, if it does.
    pub credentials: Option<Credentials>,
}

/// A user and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User.
    pub username: String,
    /// Password.
    pub password: Secret<String>,
}

impl Default for Config {
    /// The configuration that nothing was said about.
    fn default() -> Self {
        crate::load(&Sources::default()).expect("the defaults go together: a test loads them").config
    }
}

impl Config {
    /// Whether anybody who read the documentation may publish: Basic with the token that is shipped.
    #[must_use]
    pub fn uses_default_token(&self) -> bool {
        matches!(&self.entitlement, Entitlement::Basic { token } if token.expose() == DEFAULT_TOKEN)
    }

    /// Whether clients at this address may publish, as far as addresses decide.
    #[must_use]
    pub fn may_publish_from(&self, ip: IpAddr) -> bool {
        self.publish_from.as_ref().is_none_or(|networks| networks.iter().any(|network| network.contains(ip)))
    }
}
