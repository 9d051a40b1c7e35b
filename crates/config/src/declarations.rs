//! Every parameter, once: name, older names, type, bounds, default, reload class, help.

use std::path::PathBuf;
use std::time::Duration;

use sterna_model::DeliveryMode;
use sterna_model::limit::{HISTORY_MAX, TOKEN_BYTES_MAX};

use crate::address::{Address, Network};
use crate::declare::configuration;
use crate::kinds::{
    Base64, CLUSTER_ENGINES, Choice, Count, DELIVERY_MODES, ENTITLEMENTS, File, JWT_ALGORITHMS,
    JWT_SIGNATURES, Kind, LOG_FORMATS, LOG_LEVELS, List, ListenAddress, MONITORS, Maybe, Milliseconds,
    NetworkRange, Password, RemoteAddress, SWITCH, SWITCH_OR_LOG4J, SWITCH_OR_YES, Seconds, Size, Text,
    WebOrigin,
};
use crate::parameter::{Parameter, Reload, Standing};
use crate::settings::Reader;
use crate::values::{
    ClusterEngine, EntitlementMode, JwtAlgorithm, JwtSignature, LogFormat, LogLevel, MonitorInterface, Secret,
};

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;
const GB: usize = 1 << 30;
const DAY_S: u64 = 24 * 60 * 60;

/// The token of mode Basic that is shipped, so that a first try needs no configuration.
pub(crate) const DEFAULT_TOKEN: &str = "some-token";

configuration! {
    /// Where clients connect.
    pub listen: Listen, "Addresses" {
        /// Plain client addresses; `*` is every interface, a missing port is 80, empty is none.
        "Listen" => plain: Vec<Address>
            = List(ListenAddress(80)), "*:8800", Restart;
        /// The same with TLS; a missing port is 443. Needs TlsCertificate and TlsKey.
        "ListenEncrypted" => encrypted: Vec<Address>
            = List(ListenAddress(443)), "", Restart;
    }

    /// Certificate and key, as given.
    pub(crate) tls: TlsValues, "TLS" {
        /// PEM file with the certificate of this server followed by its intermediate certificates.
        "TlsCertificate" => certificate: Option<PathBuf>
            = Maybe("", File), "", Hangup;
        /// PEM file with the private key of TlsCertificate.
        "TlsKey" => key: Option<PathBuf>
            = Maybe("", File), "", Hangup;
    }

    /// The process and its threads.
    pub process: Process, "Process" {
        /// I/O threads; each owns its connections.
        "IoThreads" | "Workgroups" => io_threads: Option<usize>
            = Maybe("CPU cores", Count(1, 64)), "CPU cores", Restart;
        /// User to become after the addresses are bound (so that a server started as root can use port 443).
        "RunAsUser" => run_as_user: Option<String>
            = Maybe("", Text(256)), "", Restart;
        /// Open files to ask the system for; fewer are used if it allows fewer. Also the environment variable
        /// MIGRATORYDATA_MAX_DESCRIPTORS.
        "MaxDescriptors" => descriptors_max: usize
            = Count(64, 100_000_000), "1000000", Restart;
        /// On SIGTERM, clients are told to come back spread over this time. Containers get 30 s in all.
        "DrainTime" => drain_time: Duration
            = Seconds(0, 9), "5", Restart;
    }

    /// Bounds on what the server holds.
    pub limits: Limits, "Memory and limits" {
        /// Bound on the caches and buffers that the server holds; when it is reached, history is shed first,
        /// then the queues of slow clients, then publishes are refused.
        "Memory" => memory_bytes: usize
            = Size(16 * MB, 4096 * GB), "512 MB", Restart;
        /// Largest content of a message.
        "MaxMessageSize" => message_bytes_max: usize
            = Size(1, 3 * MB), "65536", Restart;
        /// Connections at once; 0 is as many as open files and Memory allow.
        "MaxConnections" => connections_max: Option<usize>
            = Maybe("0", Count(1, 100_000_000)), "0", Restart;
        /// Subscriptions of one session.
        "MaxSubscriptionsPerSession" => subscriptions_per_session_max: usize
            = Count(1, 10_000_000), "100000", Restart;
        /// What may wait for one client before it counts as slow. The default grows with MaxMessageSize, so
        /// that one message always fits.
        "OutQueueSize" => out_queue_bytes_max: usize
            = Size(16 * KB, GB), "1 MB", Restart;
    }

    /// Batching, as given.
    pub(crate) batching: BatchingValues, "Batching" {
        /// Messages for one client are collected up to this size; 0 is no batching, unless MaxBatchingTime is
        /// given (then 64 KB).
        "MaxBatchingSpace" => space_bytes: usize
            = Size(0, 16 * MB), "0", Restart;
        /// Messages for one client are collected at most this long; 0 is no batching, unless
        /// MaxBatchingSpace is given (then 10 ms).
        "MaxBatchingTime" => time: Duration
            = Milliseconds(0, 60_000), "0", Restart;
    }

    /// Time-outs of connections, and the WebSocket.
    pub connections: Connections, "Connections" {
        /// A client that heard nothing for this long is pinged.
        "KeepAliveInterval" => keep_alive_interval: Duration
            = Seconds(1, 3600), "30", Restart;
        /// A client that does not answer a ping within this time is disconnected.
        "KeepAliveTimeout" => keep_alive_timeout: Duration
            = Seconds(1, 3600), "20", Restart;
        /// Time for the TLS handshake, for each HTTP request from its first byte on, and for the `connect` request of
        /// a WebSocket client.
        "HandshakeTimeout" => handshake_timeout: Duration
            = Seconds(1, 600), "10", Restart;
        /// An HTTP connection without a request is closed after this time.
        "HttpIdleTimeout" => http_idle_timeout: Duration
            = Seconds(1, 3600), "60", Restart;
        /// Compress WebSocket messages (permessage-deflate) for clients that offer it.
        "WebSocket.Compression" => compression: bool
            = Choice(SWITCH), "true", Restart;
        /// Messages below this size are sent uncompressed.
        "WebSocket.CompressionThreshold" => compression_threshold_bytes: usize
            = Size(0, 64 * MB), "256", Restart;
    }

    /// HTTP on the client addresses.
    pub http: Http, "HTTP" {
        /// REST interface (`/rest/produce`, `/rest/consume`).
        "Rest.Enable" => rest_enabled: bool
            = Choice(SWITCH), "false", Restart;
        /// Folder of static files to serve in front of the built-in pages; for tests and demonstrations.
        "DocumentRoot" => document_root: Option<PathBuf>
            = Maybe("built-in pages", File), "built-in pages", Restart;
        /// Web origins whose pages may use REST, SSE and WebSocket.
        "Cors.AllowedOrigins" | "AllowedOrigins" => allowed_origins: Option<Vec<String>>
            = Maybe("*", List(WebOrigin)), "*", Restart;
    }

    /// What is remembered per subject.
    pub cache: Cache, "Cache" {
        /// History of a subject, in messages.
        "MaxCachedMessagesPerSubject" => messages_per_subject_max: usize
            = Count(1, HISTORY_MAX as usize), "1000", Restart;
        /// A message stays in the history at least this long, unless pushed out by count.
        "CacheExpireTime" => expire_time: Duration
            = Seconds(1, 30 * DAY_S), "180", Restart;
        /// A snapshot is forgotten after this time.
        "SnapshotExpireTime" => snapshot_expire_time: Option<Duration>
            = Maybe("never", Seconds(1, 3650 * DAY_S)), "never", Restart;
    }

    /// The members.
    pub cluster: Cluster, "Cluster" {
        /// What the cluster promises. Without ClusterMembers the server is a cluster of one, and Guaranteed
        /// unless Standard is given here; with ClusterMembers the default is Standard.
        "ClusterDeliveryMode" => delivery_mode_given: Option<DeliveryMode>
            = Maybe("automatic", Choice(DELIVERY_MODES)), "automatic", Restart;
        /// All members that may ever run, in the same order on every member; absent is a single server.
        "ClusterMembers" => members: Vec<Address>
            = List(RemoteAddress), "", Restart;
        /// This member's own entry of ClusterMembers; this port and the next three are used.
        "ClusterMemberListen" => member_listen: Option<Address>
            = Maybe("", RemoteAddress), "", Restart;
        /// How many of the first ClusterMembers are seeds, of which a majority must run; by default 3 of 3 or
        /// 4 members, 5 of 5 or more.
        "ClusterSeedMemberCount" => seed_member_count: Option<usize>
            = Maybe("automatic", Choice(&[("1", 1), ("3", 3), ("5", 5)])), "automatic", Restart;
        /// Password that the members show each other.
        "ClusterPassword" => password: Option<Secret<String>>
            = Maybe("", Password(1024)), "", Restart;
        /// Folder on a local disk for what must survive a restart: one small file with the highest lineage (epoch) that this
        /// member has belonged to, so that a new one is higher even if all members lost their memory and the clock
        /// went back. Members may share a folder. Where it does not exist nothing is written.
        "ClusterMemberCoordinationFolder" => coordination_folder: PathBuf
            = File, "coordination_logs", Restart;
        /// Where clients reach this member itself, as they are to dial it: a client that is asked to leave a member is told
        /// these addresses of the others, and goes there with TLS if it came with TLS. Empty tells none, and clients
        /// go by their own lists: leave it empty where clients reach members through a load balancer only, as in
        /// Kubernetes, because the names of pods are not known outside. At most 4 addresses.
        "AdvertisedAddress" => advertised: Vec<Address>
            = List(RemoteAddress), "", Restart;
        /// What carries messages between members.
        "ClusterEngine" => engine: ClusterEngine
            = Choice(CLUSTER_ENGINES), "built-in", Restart, Later;
        /// Share connections out again when members join or leave: those that have too many ask some clients to move.
        "X.ConnectionOffload" => connection_offload: bool
            = Choice(SWITCH), "false", Restart;
    }

    /// Certificate, key and authority of a member, as given.
    pub(crate) cluster_tls: ClusterTlsValues, "TLS between members" {
        /// PEM file with this member's certificate, followed by its intermediate certificates. It names the host of
        /// ClusterMemberListen, and serves both ends of a connection (serverAuth and clientAuth). With it all connections
        /// between members speak mutual TLS: give all three files to every member, or none to any. A change between
        /// all and none needs a restart.
        "ClusterTlsCertificate" => certificate: Option<PathBuf>
            = Maybe("", File), "", Hangup;
        /// PEM file with the private key of ClusterTlsCertificate.
        "ClusterTlsKey" => key: Option<PathBuf>
            = Maybe("", File), "", Hangup;
        /// PEM file with the authorities that sign the certificates of the members. Who shows a certificate of another one
        /// is refused.
        "ClusterTlsAuthority" => authority: Option<PathBuf>
            = Maybe("", File), "", Hangup;
    }

    /// Who may publish and subscribe, as given.
    pub(crate) entitlement: EntitlementValues, "Entitlement" {
        /// None: everyone may do everything. Basic: everyone may subscribe, publishing needs
        /// EntitlementAllowToken. JWT: what the client's token permits. Custom is not offered yet.
        "Entitlement" => mode: EntitlementMode
            = Choice(ENTITLEMENTS), "Basic", Restart;
        /// The token of Entitlement=Basic. The shipped one is public: change it.
        "EntitlementAllowToken" => allow_token: Secret<String>
            = Password(TOKEN_BYTES_MAX), DEFAULT_TOKEN, Hangup;
        /// Addresses that may publish, whatever their token.
        "PublishAllowFromAddressList" => publish_from: Option<Vec<Network>>
            = Maybe("any", List(NetworkRange)), "any", Hangup;
    }

    /// How tokens are verified with Entitlement=JWT, as given.
    pub(crate) jwt: JwtValues, "JWT" {
        /// A client is told this long before its token expires.
        "Jwt.RenewTokenBeforeSeconds" | "renewTokenBeforeSeconds" => renew_before: Duration
            = Seconds(0, DAY_S), "60", Hangup;
        /// What signs the tokens.
        "Jwt.SignatureType" | "signature.type" => signature: JwtSignature
            = Choice(JWT_SIGNATURES), "hmac", Hangup;
        /// Secret of SignatureType=hmac; 32 bytes choose HS256, 48 HS384, 64 HS512.
        "Jwt.HmacSecret" | "signature.hmac.secret" => hmac_secret: Option<Secret<Vec<u8>>>
            = Maybe("", Base64(32, 1024)), "", Hangup;
        /// PEM file with the public key of SignatureType=rsa or ecdsa.
        "Jwt.PublicKeyPath" | "signature.rsa.publicKeyPath" => public_key: Option<PathBuf>
            = Maybe("", File), "", Hangup;
        /// Accept this algorithm only; automatic is what the secret's length or the key asks for.
        "Jwt.Algorithm" => algorithm: Option<JwtAlgorithm>
            = Maybe("automatic", Choice(JWT_ALGORITHMS)), "automatic", Hangup;
    }

    /// Monitoring, as given.
    pub(crate) monitor: MonitorValues, "Monitoring" {
        /// Interfaces that run. Empty, or a list without PROMETHEUS, turns that one off. JMX is not offered.
        "Monitor" => interfaces: Vec<MonitorInterface>
            = List(Choice(MONITORS)), "PROMETHEUS", Restart;
        /// User that the interfaces with authentication ask for.
        "MonitorUsername" => username: Option<String>
            = Maybe("", Text(256)), "", Restart;
        /// Password of MonitorUsername.
        "MonitorPassword" => password: Option<Secret<String>>
            = Maybe("", Password(1024)), "", Restart;
        /// Address of the HTTP interface, statistics as JSON on `/`; a missing port is 4000.
        "MonitorHTTP.Listen" => http_listen: Address
            = ListenAddress(4000), "127.0.0.1:4000", Restart;
        /// TLS with TlsCertificate and TlsKey.
        "MonitorHTTP.Encryption" => http_encryption: bool
            = Choice(SWITCH), "false", Restart;
        /// Whether MonitorUsername and MonitorPassword are asked for.
        "MonitorHTTP.Authentication" => http_authentication: bool
            = Choice(SWITCH), "true", Restart;
        /// Address of `/metrics`; a missing port is 9900.
        "MonitorPrometheus.Listen" => prometheus_listen: Address
            = ListenAddress(9900), "127.0.0.1:9900", Restart;
        /// TLS with TlsCertificate and TlsKey.
        "MonitorPrometheus.Encryption" => prometheus_encryption: bool
            = Choice(SWITCH), "false", Restart;
        /// Whether MonitorUsername and MonitorPassword are asked for; automatic is yes if they are given.
        "MonitorPrometheus.Authentication" => prometheus_authentication: Option<bool>
            = Maybe("automatic", Choice(SWITCH)), "automatic", Restart;
    }

    /// Logs.
    pub log: Log, "Logging" {
        /// Folder of the log file, sterna.log, and of the audits' own files.
        "LogFolder" => folder: Option<PathBuf>
            = Maybe("stdout", File), "stdout", Restart;
        /// Least severity that is logged.
        "LogLevel" => level: LogLevel
            = Choice(LOG_LEVELS), "INFO", Hangup;
        /// Form of the lines.
        "LogFormat" => format: LogFormat
            = Choice(LOG_FORMATS), "text", Restart;
        /// A log file that would grow beyond this size gets a number at its end, and a new one is begun. Old
        /// ones stay.
        "LogRotateLimit" => rotate_bytes: usize
            = Size(64 * KB, 1024 * GB), "10 MB", Restart;
        /// Time between two lines of statistics; 0 is none.
        "Stats.LogInterval" => stats_interval: Option<Duration>
            = Maybe("0", Seconds(1, DAY_S)), "60", Restart;
    }

    /// Optional features.
    pub extensions: Extensions, "Extensions" {
        /// Audit log of connects, subscribes, unsubscribes, reads and disconnects; in LogFolder, a file of its
        /// own: access.log.
        "Extension.Audit.Access" | "Audit.Access" => audit_access: bool
            = Choice(SWITCH_OR_LOG4J), "off", Restart;
        /// Audit log of published messages.
        "Extension.Audit.Message" | "Audit.Publish" => audit_message: bool
            = Choice(SWITCH_OR_LOG4J), "off", Restart, Later;
        /// Audit log of the cache.
        "Extension.Audit.Cache" | "Audit.Cache" => audit_cache: bool
            = Choice(SWITCH_OR_LOG4J), "off", Restart, Later;
        /// With LogFolder, the lines of Stats.LogInterval go into a file of their own: stats.log.
        "Extension.Audit.Stats" | "Audit.Stats" => audit_stats: bool
            = Choice(SWITCH_OR_LOG4J), "off", Restart;
        /// Presence: who is connected.
        "Extension.Presence" | "PresenceExtension" => presence: bool
            = Choice(SWITCH), "false", Restart, Later;
        /// Interactive publishing: publishers hear of the first and the last subscriber of a subject.
        "Extension.InteractivePublishing" => interactive_publishing: bool
            = Choice(SWITCH), "false", Restart, Later;
    }

    /// The Kafka engine.
    pub kafka: Kafka, "Kafka" {
        /// Brokers to begin with.
        "bootstrap.servers" => bootstrap_servers: Vec<Address>
            = List(RemoteAddress), "localhost:9092", Restart, Later;
        /// Consumer group.
        "group.id" => group_id: String
            = Text(256), "consumer-id", Restart, Later;
        /// Topics to consume.
        "topics" => topics: Vec<String>
            = List(Text(249)), "", Restart, Later;
        /// Pattern of topics to consume, instead of a list.
        "topics.regex" => topics_regex: Option<String>
            = Maybe("", Text(1024)), "", Restart, Later;
        /// At start, read the last CacheExpireTime again to fill the cache.
        "recovery.on.start" => recovery_on_start: bool
            = Choice(SWITCH_OR_YES), "no", Restart, Later;
        /// Consumers of this member.
        "consumers.size" => consumers: usize
            = Count(1, 1024), "1", Restart, Later;
        /// Producers of this member.
        "producers.size" => producers: usize
            = Count(1, 1024), "1", Restart, Later;
        /// Partitioner class of the original.
        "partitioner.class" => partitioner_class: Option<String>
            = Maybe("", Text(256)), "", Restart, Later;
    }
}

/// Parameters that are known and mean nothing here, with the reason.
pub(crate) const IGNORED: &[(&str, &str)] = &[
    ("LicenseKey", "Sterna is free software and asks for no licence."),
    (
        "KeyStore",
        "Java keystores are not read; `openssl pkcs12 -in KEYSTORE -nodes` makes PEM of one, for TlsCertificate and TlsKey.",
    ),
    ("KeyStorePassword", "Java keystores are not read: see KeyStore."),
    ("CipherListEnabled", "TLS uses its own list of safe ciphers."),
    ("CipherListExcluded", "TLS uses its own list of safe ciphers."),
    ("Native.Ssl", "TLS is always native."),
    ("MonitorJMX.Listen", "JMX is not offered; use PROMETHEUS or HTTP."),
    ("MonitorJMX.Encryption", "JMX is not offered; use PROMETHEUS or HTTP."),
    ("MonitorJMX.Authentication", "JMX is not offered; use PROMETHEUS or HTTP."),
    ("Extension.Entitlement", "Entitlement says it."),
    ("Extension.Presence.Subject", "Presence needs no subject of its own."),
    ("Extension.Presence.EntitlementToken", "Presence needs no token."),
];
