//! `memory`: what an idle connection costs in user space.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::arguments::Common;
use crate::error::{Failure, Result};
use crate::feed::{Feed, Shape};
use crate::load::{Load, Target};
use crate::report::{Cell, Figure, Report};
use crate::scrape::SESSIONS;
use crate::server::Server;

/// Time in which the server's allocator gives back what opening the connections has left behind; its decay takes 1 s.
const SETTLE: Duration = Duration::from_secs(6);
/// What a connection may be accounted with, plain and encrypted: counts, which no busy machine changes. The second one
/// has a lower bound because most of it is a figure measured once, not a size that the compiler knows.
const ACCOUNTED_BYTES: [RangeInclusive<u64>; 2] = [0..=600, 3_300..=4_096];
/// Connections that come and go before the first reading, so that what is made once is there already.
const WARM_UP: usize = 10;

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Memory {
    /// Plain connections, each a WebSocket with one subscription
    #[arg(long, default_value_t = 15_000)]
    connections: usize,
    /// Encrypted connections
    #[arg(long, default_value_t = 5_000)]
    encrypted_connections: usize,
}

/// What is measured in one row.
struct Case {
    name: &'static str,
    encrypted: bool,
    shape: Shape,
}

/// What one case has shown, bytes.
struct Found {
    /// Private memory of the server before the connections and with them.
    before: u64,
    with: u64,
    /// What the server itself accounts to connections and sessions.
    accounted: u64,
}

pub(crate) fn run(arguments: &Memory, common: &Common) -> Result<Report> {
    let plain = common.sized(arguments.connections, 512);
    let encrypted = common.sized(arguments.encrypted_connections, 512);
    let case = |name, encrypted, connections, subjects| Case {
        name,
        encrypted,
        shape: Shape { connections, subjects },
    };
    let cases = [
        case("plain, one subject", false, plain, 1),
        case("plain, own subjects", false, plain, plain),
        case("TLS, one subject", true, encrypted, 1),
    ];
    let mut report =
        Report::new("memory", "private memory of the server, before and with idle connections".into());
    report.columns =
        vec!["connections", "number", "before, KiB", "with, KiB", "bytes each", "accounted each"];
    let mut each = Vec::new();
    for case in &cases {
        let found = measure(case, common)?;
        let connections = case.shape.connections as u64;
        let accounted_each = found.accounted / connections;
        if !ACCOUNTED_BYTES[usize::from(case.encrypted)].contains(&accounted_each) {
            let message = format!("{}: {accounted_each} bytes are accounted to a connection", case.name);
            return Err(Failure::broken(message));
        }
        let bytes_each = found.with.saturating_sub(found.before) as f64 / connections as f64;
        report.rows.push(vec![
            case.name.into(),
            Cell::Count(connections),
            Cell::Count(found.before / 1024),
            Cell::Count(found.with / 1024),
            Cell::Number(bytes_each, 0),
            Cell::Count(accounted_each),
        ]);
        each.push((bytes_each, bytes_each / accounted_each as f64));
    }
    report.figures = vec![
        Figure::new("idle plain connection", each[0].0, "B").at_most(600.0, 400.0),
        Figure::new("idle TLS connection", each[2].0, "B").at_most(4096.0, 3072.0),
        Figure::new("a subject of its own", each[1].0 - each[0].0, "B"),
        Figure::new("TLS, measured to accounted", each[2].1, "x").at_most(1.1, 1.1),
    ];
    Ok(report)
}

/// Measures one case on a fresh server.
fn measure(case: &Case, common: &Common) -> Result<Found> {
    let server = common.start_server(&[])?;
    let target = if case.encrypted { server.encrypted()? } else { server.plain() };
    let mut load = Load::new()?;
    let warm_up = Shape { connections: WARM_UP.min(case.shape.connections), ..case.shape };
    open(&mut load, &target, warm_up)?;
    load.close_all();
    let before = settled(&mut load, &server, common)?;
    open(&mut load, &target, case.shape)?;
    let with = settled(&mut load, &server, common)?;
    Ok(Found { before, with, accounted: server.metrics()?.sum(SESSIONS)? })
}

fn open(load: &mut Load, target: &Target, shape: Shape) -> Result<()> {
    let subjects = shape.subjects.min(shape.connections);
    Feed::open(load, target, Shape { subjects, ..shape }, 1, 0).map(drop)
}

fn settled(load: &mut Load, server: &Server, common: &Common) -> Result<u64> {
    load.idle(common.sized(SETTLE, Duration::from_millis(600)))?;
    Ok(server.memory()?.private_dirty)
}
