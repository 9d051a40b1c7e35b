//! `batch`: a batched feed, in which every client gets every message and many messages share a write.

use std::time::Instant;

use crate::arguments::Common;
use crate::cost::{Cost, median};
use crate::error::Result;
use crate::feed::{Feed, Shape, run_rounds};
use crate::load::Load;
use crate::report::{Cell, Figure, Report, grouped};
use crate::scrape::{DELIVERIES, WRITES};

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Batch {
    /// Subscribers, each a WebSocket
    #[arg(long, default_value_t = 1_000)]
    connections: usize,
    /// Bytes of each message's content
    #[arg(long, default_value_t = 128)]
    content_bytes: usize,
    /// Messages that the publisher may be ahead of the subscribers
    #[arg(long, default_value_t = 128)]
    ahead: u64,
    /// `MaxBatchingTime` of the server, milliseconds
    #[arg(long, default_value_t = 10)]
    batching_ms: u32,
    /// Deliveries in each measured window
    #[arg(long, default_value_t = 6_000_000)]
    deliveries: u64,
    /// How often it is measured
    #[arg(long, default_value_t = 3)]
    repeat: usize,
}

pub(crate) fn run(arguments: &Batch, common: &Common) -> Result<Report> {
    let connections = common.sized(arguments.connections, 50);
    let rounds = common.sized(arguments.deliveries, 50_000).div_ceil(connections as u64);
    let operations = rounds * connections as u64;
    let server = common.start_server(&[("MaxBatchingTime", &arguments.batching_ms.to_string())])?;
    let mut load = Load::new()?;
    let shape = Shape { connections, subjects: 1 };
    let mut feed = Feed::open(&mut load, &server.plain(), shape, arguments.content_bytes, 0)?;
    run_rounds(&mut load, &mut feed, connections, arguments.ahead, arguments.ahead)?;
    let about = format!(
        "{} WebSockets, {} B of content, batches of at most {} ms, up to {} messages ahead",
        grouped(connections as u64),
        arguments.content_bytes,
        arguments.batching_ms,
        arguments.ahead
    );
    let mut report = Report::new("batch", about);
    report.columns =
        vec!["deliveries", "a second", "user us", "system us", "us each", "per write", "per core-second"];
    let mut rates = Vec::new();
    for _ in 0..common.sized(arguments.repeat, 1) {
        let metrics_before = server.metrics()?;
        let before = server.cpu()?;
        let start = Instant::now();
        run_rounds(&mut load, &mut feed, connections, rounds, arguments.ahead)?;
        let seconds = start.elapsed().as_secs_f64();
        let cost = Cost::new(before, server.cpu()?, operations);
        let metrics = server.metrics()?;
        let writes = metrics.sum(WRITES)? - metrics_before.sum(WRITES)?;
        let delivered = metrics.sum(DELIVERIES)? - metrics_before.sum(DELIVERIES)?;
        rates.push(cost.per_core_second());
        report.rows.push(vec![
            Cell::Count(operations),
            Cell::Number(operations as f64 / seconds, 0),
            Cell::Number(cost.user_us(), 3),
            Cell::Number(cost.system_us(), 3),
            Cell::Number(cost.total_us(), 3),
            Cell::Number(delivered as f64 / writes as f64, 1),
            Cell::Number(cost.per_core_second(), 0),
        ]);
    }
    report.figures = vec![
        Figure::new("deliveries per core", median(rates), "a second").at_least(3_000_000.0, 3_000_000.0),
    ];
    Ok(report)
}
