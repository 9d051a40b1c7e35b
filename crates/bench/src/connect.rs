//! `connect`: how many clients a core can take in: socket, (TLS,) upgrade, connect request, subscribe request.

use std::time::Instant;

use crate::arguments::Common;
use crate::cost::{Cost, median};
use crate::error::Result;
use crate::load::{Load, Target, frames};
use crate::report::{Cell, Figure, Report};
use crate::server::Server;

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Connect {
    /// Plain connections
    #[arg(long, default_value_t = 15_000)]
    connections: usize,
    /// Encrypted connections, each with a full handshake
    #[arg(long, default_value_t = 3_000)]
    encrypted_connections: usize,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    repeat: usize,
}

pub(crate) fn run(arguments: &Connect, common: &Common) -> Result<Report> {
    let plain = common.sized(arguments.connections, 300);
    let encrypted = common.sized(arguments.encrypted_connections, 50);
    let server = common.start_server(&[])?;
    let mut load = Load::new()?;
    let mut report =
        Report::new("connect", "clients from the first packet to the subscription, all kept".into());
    report.columns =
        vec!["what", "connections", "a second", "user us", "system us", "us each", "per core-second"];
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..common.sized(arguments.repeat, 1) {
        let cases = [("plain", server.plain(), plain), ("TLS", server.encrypted()?, encrypted)];
        for ((name, target, connections), rates) in cases.into_iter().zip(&mut rates) {
            let (cost, seconds) = measure(&mut load, &server, &target, connections)?;
            rates.push(cost.per_core_second());
            report.rows.push(vec![
                name.into(),
                Cell::Count(connections as u64),
                Cell::Number(connections as f64 / seconds, 0),
                Cell::Number(cost.user_us(), 1),
                Cell::Number(cost.system_us(), 1),
                Cell::Number(cost.total_us(), 1),
                Cell::Number(cost.per_core_second(), 0),
            ]);
        }
    }
    let [plain, encrypted] = rates;
    report.figures = vec![
        Figure::new("plain connects per core", median(plain), "a second").at_least(20_000.0, 20_000.0),
        Figure::new("TLS connects per core", median(encrypted), "a second").at_least(2_000.0, 2_000.0),
    ];
    Ok(report)
}

fn measure(load: &mut Load, server: &Server, target: &Target, connections: usize) -> Result<(Cost, f64)> {
    let before = server.cpu()?;
    let start = Instant::now();
    load.open_many(target, connections, |_| frames::subscriber(0..1))?;
    load.run_until("subscribe", |now| now.subscribed >= connections as u64)?;
    let seconds = start.elapsed().as_secs_f64();
    let cost = Cost::new(before, server.cpu()?, connections as u64);
    load.close_all();
    Ok((cost, seconds))
}
