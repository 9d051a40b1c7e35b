//! The exposition, judged by a small reader of the text format.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sterna_config::Config;
use sterna_model::DeliveryMode;

use super::exposition;
use super::figures::{Bounds, Figures};
use super::reference::reference_markdown;
use super::table::families;
use crate::certificates::Certificates;
use crate::clock::Clock;
use crate::cluster::{ClusterSettings, ClusterStatus};
use crate::metrics::{CoreMetrics, Gauge, ShardMetrics};
use crate::status::MemberStatus;
use crate::trace::Queue;

pub(super) fn figures() -> Figures {
    let clock = Clock::new();
    let core = Arc::new(CoreMetrics::default());
    let cluster = Arc::new(ClusterStatus::new(ClusterSettings::new(&Config::default())));
    let status = MemberStatus::new(DeliveryMode::Guaranteed, core.clone(), cluster, clock);
    Figures {
        shards: (0..2).map(|_| Arc::new(ShardMetrics::default())).collect(),
        core,
        refused: Arc::new(Gauge::default()),
        status: Arc::new(status),
        log: Queue::start(Vec::new()).unwrap(),
        bounds: Bounds { connections: 1000, descriptors: 1024, memory_bytes: 1 << 24, cache_bytes: 1 << 23 },
        certificates: Certificates::default(),
        clock,
    }
}

/// Series with their values. Checks what the format asks for: HELP, TYPE, then the family's own samples,
/// nothing twice.
fn read(page: &str) -> BTreeMap<String, f64> {
    let mut series = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
        assert!(!help.is_empty() && !help.contains('\\'), "{line}");
        assert!(families.insert(name.to_owned()), "{name} comes twice");
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap().to_owned();
        assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{kind}");
        let before = series.len();
        while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
            let (id, value) = sample.rsplit_once(' ').unwrap();
            let own = id.split('{').next().unwrap().strip_prefix(name).unwrap();
            let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(suffixes.contains(&own), "{sample} is not of {name}");
            let known = series.insert(id.to_owned(), value.parse::<f64>().unwrap());
            assert!(known.is_none() && value.parse::<f64>().unwrap().is_finite(), "{sample}");
        }
        assert!(series.len() > before, "{name} has no sample");
    }
    series
}

#[test]
fn names_follow_the_conventions() {
    for family in families() {
        let name = family.name;
        assert!(name.starts_with("sterna_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind() == "counter", "{name}");
        assert!(family.kind() != "histogram" || family.unit() == Some("seconds"), "{name}");
        assert!(family.help.ends_with('.') && !family.help.contains('|'), "{name}");
    }
}

#[test]
fn the_text_is_well_formed_and_shows_what_was_counted() {
    let figures = figures();
    figures.shards[0].connections.set(5);
    figures.shards[0].connections_websocket.set(3);
    figures.shards[1].connections.set(2);
    figures.shards[1].connections_event_stream.set(1);
    figures.shards[0].messages_in.set(40);
    figures.shards[1].messages_in.set(2);
    figures.shards[0].refused.set(1);
    figures.refused.set(2);
    figures.core.duplicates.set(7);
    figures.core.epoch.set(1_790_000_000);
    for us in [50, 60, 3_000_000] {
        figures.shards[1].deliver_us.observe(us);
    }
    let series = read(&exposition::text(&figures));
    for (id, value) in [
        ("sterna_connections{protocol=\"websocket\"}", 3.0),
        ("sterna_connections{protocol=\"sse\"}", 1.0),
        ("sterna_connections{protocol=\"http\"}", 3.0),
        ("sterna_shard_connections{shard=\"1\"}", 2.0),
        ("sterna_connections_refused_total", 3.0),
        ("sterna_connections_limit", 1000.0),
        ("sterna_messages_received_total", 42.0),
        ("sterna_publishes_total{result=\"duplicate\"}", 7.0),
        ("sterna_publishes_total{result=\"accepted\"}", 0.0),
        ("sterna_epoch", 1_790_000_000.0),
        ("sterna_ready", 0.0),
        ("sterna_delivery_seconds_bucket{le=\"0.00005\"}", 1.0),
        ("sterna_delivery_seconds_bucket{le=\"0.0001\"}", 2.0),
        ("sterna_delivery_seconds_bucket{le=\"2\"}", 2.0),
        ("sterna_delivery_seconds_bucket{le=\"+Inf\"}", 3.0),
        ("sterna_delivery_seconds_count", 3.0),
        ("sterna_delivery_seconds_sum", 3.00011),
    ] {
        assert_eq!(series.get(id), Some(&value), "{id}");
    }
    assert!(series["sterna_process_resident_memory_bytes"] > 0.0);
}

#[test]
fn json_shows_the_same_figures() {
    let figures = figures();
    figures.shards[0].connections.set(5);
    figures.core.recoveries_gap.set(4);
    let object = exposition::json(&figures);
    assert_eq!(object["sterna_connections"], serde_json::json!({"websocket": 0, "sse": 0, "http": 5}));
    assert_eq!(object["sterna_recoveries_total"]["gap"], 4);
    assert_eq!(object["sterna_core_batch_seconds"], serde_json::json!({"count": 0, "sum": 0.0}));
    assert_eq!(object.len(), families().count());
}

#[test]
fn every_metric_has_one_row_in_the_reference() {
    let page = reference_markdown();
    for family in families() {
        assert_eq!(page.matches(&format!("\n| `{}` |", family.name)).count(), 1, "{}", family.name);
    }
}
