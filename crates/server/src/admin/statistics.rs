//! The statistics that users of the product know: sessions now, and rates.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::figures::Figures;
use crate::trace::STATISTICS;

/// The counters at one moment.
#[derive(Clone, Copy, Debug)]
struct Totals {
    at_us: u64,
    connections: u64,
    accepted: u64,
    closed: u64,
    messages_in: u64,
    messages_out: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Totals {
    fn read(figures: &Figures) -> Self {
        Self {
            at_us: figures.clock.monotonic_us(),
            connections: figures.sum(|shard| &shard.connections),
            accepted: figures.sum(|shard| &shard.accepted),
            closed: figures.sum(|shard| &shard.closed),
            messages_in: figures.sum(|shard| &shard.messages_in),
            messages_out: figures.sum(|shard| &shard.messages_out),
            bytes_in: figures.sum(|shard| &shard.bytes_in),
            bytes_out: figures.sum(|shard| &shard.bytes_out),
        }
    }
}

/// The statistics of an interval, under the names of the original. All but the first are per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Statistics {
    connected_sessions: u64,
    session_connections: f64,
    session_disconnections: f64,
    in_publish_msg: f64,
    out_publish_msg: f64,
    in_bytes: f64,
    out_bytes: f64,
}

impl Statistics {
    fn between(earlier: &Totals, later: &Totals) -> Self {
        let seconds = later.at_us.saturating_sub(earlier.at_us).max(1) as f64 / 1e6;
        let rate = |read: fn(&Totals) -> u64| {
            let grown = read(later).saturating_sub(read(earlier));
            (grown as f64 / seconds * 10.0).round() / 10.0
        };
        Self {
            connected_sessions: later.connections,
            session_connections: rate(|totals| totals.accepted),
            session_disconnections: rate(|totals| totals.closed),
            in_publish_msg: rate(|totals| totals.messages_in),
            out_publish_msg: rate(|totals| totals.messages_out),
            in_bytes: rate(|totals| totals.bytes_in),
            out_bytes: rate(|totals| totals.bytes_out),
        }
    }

    /// The one line an interval.
    pub(super) fn log(&self) {
        let Self {
            connected_sessions,
            session_connections,
            session_disconnections,
            in_publish_msg,
            out_publish_msg,
            in_bytes,
            out_bytes,
        } = *self;
        tracing::info!(
            target: STATISTICS,
            connected_sessions,
            session_connections,
            session_disconnections,
            in_publish_msg,
            out_publish_msg,
            in_bytes,
            out_bytes,
        );
    }

    /// Members of a JSON object.
    pub(super) fn json(&self) -> Map<String, Json> {
        let shown = json!({
            "connected_sessions": self.connected_sessions,
            "session_connections": self.session_connections,
            "session_disconnections": self.session_disconnections,
            "in_publish_msg": self.in_publish_msg,
            "out_publish_msg": self.out_publish_msg,
            "in_bytes": self.in_bytes,
            "out_bytes": self.out_bytes,
        });
        match shown {
            Json::Object(members) => members,
            _ => unreachable!("an object was written above"),
        }
    }
}

/// Tells the statistics of each interval, for ever.
pub(super) async fn every(interval: Duration, figures: Arc<Figures>, tell: impl Fn(Statistics)) {
    let mut timer = tokio::time::interval(interval);
    // The first tick comes at once.
    timer.tick().await;
    let mut earlier = Totals::read(&figures);
    loop {
        timer.tick().await;
        let later = Totals::read(&figures);
        tell(Statistics::between(&earlier, &later));
        earlier = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_of_the_interval() {
        let earlier = Totals {
            at_us: 1_000_000,
            connections: 9,
            accepted: 10,
            closed: 1,
            messages_in: 100,
            messages_out: 1000,
            bytes_in: 0,
            bytes_out: 5,
        };
        let later = Totals {
            at_us: 5_000_000,
            connections: 11,
            accepted: 13,
            closed: 2,
            messages_in: 140,
            messages_out: 3000,
            bytes_in: 1,
            bytes_out: 5,
        };
        let expected = Statistics {
            connected_sessions: 11,
            session_connections: 0.8,
            session_disconnections: 0.3,
            in_publish_msg: 10.0,
            out_publish_msg: 500.0,
            in_bytes: 0.3,
            out_bytes: 0.0,
        };
        assert_eq!(Statistics::between(&earlier, &later), expected);
    }
}
