//! Every metric, once: name, meaning, type, and where its value comes from.

use super::allocator;
use super::families::Reading::{Counter, Counters, Gauge, Gauges, Histogram};
use super::families::{Family, Labelled, Reading};
use super::figures::Figures;
use crate::metrics::{ShardMetrics, Times};
use crate::{process, status};

/// Sections of metrics, in the order in which they are shown.
pub(super) const SECTIONS: &[(&str, &[Family])] = &[
    ("Member", MEMBER),
    ("Cluster", CLUSTER),
    ("Connections", CONNECTIONS),
    ("Messages", MESSAGES),
    ("Memory", MEMORY),
    ("Threads", THREADS),
    ("Process", PROCESS),
];

/// Every metric.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    SECTIONS.iter().flat_map(|(_, families)| families.iter())
}

const fn family(name: &'static str, help: &'static str, reading: Reading) -> Family {
    Family { name, help, reading }
}

const MEMBER: &[Family] = &[
    family(
        "sterna_build_info",
        "Always 1; the label is the version of the server.",
        Gauges("version", |_| vec![(status::VERSION.to_owned(), 1.0)]),
    ),
    family(
        "sterna_ready",
        "1 while the member wants clients, 0 while it starts or drains.",
        Gauge(|f| f64::from(u8::from(f.status.is_ready()))),
    ),
    family(
        "sterna_uptime_seconds",
        "Time since the start of the process.",
        Gauge(|f| f.clock.monotonic_us() as f64 / 1e6),
    ),
    family(
        "sterna_epoch",
        "Epoch of the positions that the member gives. A change means that continuity with the past was lost.",
        Gauge(|f| f.core.epoch.value() as f64),
    ),
    family(
        "sterna_tls_certificate_expiry_timestamp_seconds",
        "Unix time at which the certificate that clients, or members, are shown expires; absent without TLS.",
        Gauges("shown_to", certificate_expiries),
    ),
    family(
        "sterna_log_lines_lost_total",
        "Log lines that were given up because the disk, or the reader of stdout, was full or too slow.",
        Counter(|f| f.log.lost() as f64),
    ),
];

const CLUSTER: &[Family] = &[
    family(
        "sterna_cluster_leader",
        "1 while this member leads, else 0; a single server leads itself.",
        Gauge(|f| f64::from(u8::from(f.core.role.value() == LEADER))),
    ),
    family(
        "sterna_cluster_has_leader",
        "1 while a leader is heard, so that guaranteed publishes are accepted.",
        Gauge(|f| f.core.has_leader.value() as f64),
    ),
    family(
        "sterna_cluster_role",
        "1 at the role of this member: apart (belongs to no lineage), blank (waits for its state), learner, follower, leader.",
        Gauges("role", role),
    ),
    family("sterna_cluster_term", "Number of the last election.", Gauge(|f| f.core.term.value() as f64)),
    family(
        "sterna_cluster_elections_total",
        "Leaders that were seen to begin.",
        Counter(|f| f.core.elections.value() as f64),
    ),
    family(
        "sterna_cluster_level",
        "Level at which the cluster applies its log: it rises when all members know a higher one. 0 until this member belongs to the cluster.",
        Gauge(|f| f.core.level.value() as f64),
    ),
    family(
        "sterna_cluster_committed_index",
        "Last entry of the log that is known to be held by a majority.",
        Gauge(|f| f.core.committed.value() as f64),
    ),
    family(
        "sterna_cluster_applied_index",
        "Last entry of the log that this member has applied; how far it is behind the leader's is its lag.",
        Gauge(|f| f.core.applied.value() as f64),
    ),
    family(
        "sterna_cluster_links",
        "Other members to which there is a link.",
        Gauge(|f| f.core.links.value() as f64),
    ),
    family(
        "sterna_cluster_seeds_missing",
        "Seeds to which this member has no link; itself is not missing.",
        Gauge(|f| f.core.seeds_missing.value() as f64),
    ),
    family(
        "sterna_cluster_batches_waiting",
        "Batches of publishes of this member that are not committed yet.",
        Gauge(|f| f.core.batches_waiting.value() as f64),
    ),
    family(
        "sterna_cluster_batches_forwarded_total",
        "Batches of publishes that this member has sent to another one to lead.",
        Counter(|f| f.core.batches_forwarded.value() as f64),
    ),
];

const CONNECTIONS: &[Family] = &[
    family(
        "sterna_connections",
        "Open connections by what they speak: websocket, sse, or http (requests, and handshakes).",
        Gauges("protocol", connections_by_protocol),
    ),
    family(
        "sterna_connections_encrypted",
        "Open connections with TLS.",
        Gauge(|f| shards(f, |s| &s.connections_encrypted)),
    ),
    family(
        "sterna_connections_limit",
        "Connections at once that are accepted: MaxConnections, or what the open files allow.",
        Gauge(|f| f.bounds.connections as f64),
    ),
    family(
        "sterna_connections_accepted_total",
        "Connections that were accepted.",
        Counter(|f| shards(f, |s| &s.accepted)),
    ),
    family(
        "sterna_connections_closed_total",
        "Accepted connections that have ended, whoever ended them.",
        Counter(|f| shards(f, |s| &s.closed)),
    ),
    family(
        "sterna_connections_refused_total",
        "Connections that were refused: too many, no memory for one more, or a drain.",
        Counter(|f| f.refused.value() as f64 + shards(f, |s| &s.refused)),
    ),
    family(
        "sterna_tls_failures_total",
        "Connections that ended because TLS failed.",
        Counter(|f| shards(f, |s| &s.tls_failures)),
    ),
    family(
        "sterna_keep_alive_timeouts_total",
        "Connections that were closed because the client did not answer a ping.",
        Counter(|f| shards(f, |s| &s.keep_alive_timeouts)),
    ),
    family(
        "sterna_slow_consumers_total",
        "Connections that were closed because the client reads too slowly: more waited than OutQueueSize, or memory is short.",
        Counter(|f| shards(f, |s| &s.slow_consumers)),
    ),
    family(
        "sterna_requests_refused_total",
        "Requests that were answered with a code, refused publishes among them.",
        Counter(|f| shards(f, |s| &s.refused_requests)),
    ),
    family(
        "sterna_received_bytes_total",
        "Bytes read from connections.",
        Counter(|f| shards(f, |s| &s.bytes_in)),
    ),
    family(
        "sterna_sent_bytes_total",
        "Bytes written to connections.",
        Counter(|f| shards(f, |s| &s.bytes_out)),
    ),
    family(
        "sterna_writes_total",
        "System calls that wrote to connections; deliveries divided by these say how well batching works.",
        Counter(|f| shards(f, |s| &s.writes)),
    ),
];

const MESSAGES: &[Family] = &[
    family(
        "sterna_messages_received_total",
        "Messages that publishers sent and that were allowed.",
        Counter(|f| shards(f, |s| &s.messages_in)),
    ),
    family(
        "sterna_deliveries_total",
        "Messages given to subscribers, counted once for each.",
        Counter(|f| shards(f, |s| &s.messages_out)),
    ),
    family(
        "sterna_messages_conflated_total",
        "Messages that a newer one replaced before they were sent (conflation).",
        Counter(|f| shards(f, |s| &s.conflated)),
    ),
    family(
        "sterna_messages_expired_total",
        "Messages that left the history by age.",
        Counter(|f| f.core.expired.value() as f64),
    ),
    family(
        "sterna_publishes_total",
        "Publishes that reached the core, by result: accepted, duplicate (a retry that was recognised), or refused.",
        Counters("result", publishes_by_result),
    ),
    family(
        "sterna_recoveries_total",
        "Resumes by result: complete, gap, reset; overrun is one that began complete and was too slow to end so.",
        Counters("result", recoveries_by_result),
    ),
    family(
        "sterna_delivery_seconds",
        "Time from a message's receipt until a shard has written it to its subscribers, one observation a shard.",
        Histogram(|f| f.times(|s| &s.deliver_us)),
    ),
    family("sterna_subjects", "Subjects that are known.", Gauge(|f| f.core.subjects.value() as f64)),
    family("sterna_subscriptions", "Subscriptions.", Gauge(|f| shards(f, |s| &s.subscriptions))),
    family(
        "sterna_publishers",
        "Publishers whose retries are recognised.",
        Gauge(|f| f.core.publishers.value() as f64),
    ),
];

const MEMORY: &[Family] = &[
    family(
        "sterna_memory_used_bytes",
        "What counts against Memory: cache, log, sessions and out-queues.",
        Gauge(|f| {
            let core = f.core.cache_bytes.value() + f.core.log_bytes.value();
            core as f64 + shards(f, |s| &s.session_bytes) + queue_bytes(f)
        }),
    ),
    family("sterna_memory_limit_bytes", "The parameter Memory.", Gauge(|f| f.bounds.memory_bytes as f64)),
    family(
        "sterna_cache_bytes",
        "Subjects, history, snapshots, and what recognises retries.",
        Gauge(|f| f.core.cache_bytes.value() as f64),
    ),
    family(
        "sterna_cache_limit_bytes",
        "The cache's share of Memory; beyond it publishes are refused.",
        Gauge(|f| f.bounds.cache_bytes as f64),
    ),
    family(
        "sterna_log_bytes",
        "The replicated log: what is not committed yet, and the tail that is kept for members that lag.",
        Gauge(|f| f.core.log_bytes.value() as f64),
    ),
    family(
        "sterna_session_bytes",
        "Connections, sessions, subscriptions, half requests and TLS.",
        Gauge(|f| shards(f, |s| &s.session_bytes)),
    ),
    family("sterna_queue_bytes", "What waits in the out-queues of clients.", Gauge(queue_bytes)),
    family(
        "sterna_allocator_bytes",
        "What jemalloc knows: allocated by the server, active in pages, resident in the machine's memory.",
        Gauges("state", |_| allocator::bytes_by_state()),
    ),
];

const THREADS: &[Family] = &[
    family(
        "sterna_core_batch_seconds",
        "Time that the core took for one batch of events.",
        Histogram(|f| Times::of([&f.core.batch_us])),
    ),
    family(
        "sterna_shard_turn_seconds",
        "Time that a shard took for one turn of its loop, without its sleep.",
        Histogram(|f| f.times(|s| &s.loop_us)),
    ),
    family(
        "sterna_shard_busy_seconds_total",
        "The same summed up, for each shard; a rate near 1 is a shard that can do no more.",
        Counters("shard", |f| each_shard(f, |s| s.loop_us.sum_us() as f64 / 1e6)),
    ),
    family(
        "sterna_shard_connections",
        "Open connections of each shard.",
        Gauges("shard", |f| each_shard(f, |s| s.connections.value() as f64)),
    ),
];

const PROCESS: &[Family] = &[
    family(
        "sterna_process_resident_memory_bytes",
        "Memory of the process that is in the machine's memory.",
        Gauge(|_| process::resident_bytes().unwrap_or_default() as f64),
    ),
    family(
        "sterna_process_cpu_seconds_total",
        "Time that the process has run, user and system.",
        Counter(|_| process::cpu_seconds()),
    ),
    family(
        "sterna_process_open_fds",
        "Open files, connections among them.",
        Gauge(|_| process::open_descriptors().unwrap_or_default() as f64),
    ),
    family(
        "sterna_process_max_fds",
        "Open files at once that the system allows.",
        Gauge(|f| f.bounds.descriptors as f64),
    ),
    family(
        "sterna_process_start_time_seconds",
        "Start of the process, Unix time.",
        Gauge(|f| (f.clock.start_unix_ms() as f64 / 1e3).round()),
    ),
];

fn shards(figures: &Figures, counter: fn(&ShardMetrics) -> &crate::metrics::Gauge) -> f64 {
    figures.sum(counter) as f64
}

fn queue_bytes(figures: &Figures) -> f64 {
    shards(figures, |shard| &shard.queue_bytes)
}

fn each_shard(figures: &Figures, read: fn(&ShardMetrics) -> f64) -> Labelled {
    figures.shards.iter().enumerate().map(|(id, shard)| (id.to_string(), read(shard))).collect()
}

fn connections_by_protocol(figures: &Figures) -> Labelled {
    let all = figures.sum(|shard| &shard.connections);
    let websocket = figures.sum(|shard| &shard.connections_websocket);
    let sse = figures.sum(|shard| &shard.connections_event_stream);
    // The three are read one after the other, while shards change them.
    let http = all.saturating_sub(websocket + sse);
    labelled([("websocket", websocket), ("sse", sse), ("http", http)])
}

/// Number of the role in `ROLES`.
const LEADER: u64 = 4;

/// Names of the roles, in the order of their numbers.
const ROLES: [&str; 5] = ["apart", "blank", "learner", "follower", "leader"];

fn certificate_expiries(figures: &Figures) -> Labelled {
    labelled(figures.certificates.expiries_s())
}

fn role(figures: &Figures) -> Labelled {
    let role = figures.core.role.value();
    labelled([0, 1, 2, 3, 4].map(|number| (ROLES[number as usize], u64::from(number == role))))
}

fn publishes_by_result(figures: &Figures) -> Labelled {
    let core = &figures.core;
    labelled([
        ("accepted", core.published.value()),
        ("duplicate", core.duplicates.value()),
        ("refused", core.refused.value()),
    ])
}

fn recoveries_by_result(figures: &Figures) -> Labelled {
    let core = &figures.core;
    labelled([
        ("complete", core.recoveries_complete.value()),
        ("gap", core.recoveries_gap.value()),
        ("reset", core.recoveries_reset.value()),
        ("overrun", core.recoveries_overrun.value()),
    ])
}

fn labelled<'a>(values: impl IntoIterator<Item = (&'a str, u64)>) -> Labelled {
    values.into_iter().map(|(label, value)| (label.to_owned(), value as f64)).collect()
}
