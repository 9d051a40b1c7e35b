//! `fanout`: what a delivery costs, beside what its system call alone costs.

use sterna_wire::websocket::{self, Opcode};

use crate::arguments::Common;
use crate::error::{Failure, Result};
use crate::feed::{Cost, Feed, Shape, Source, median, run_rounds};
use crate::load::Load;
use crate::raw::Baseline;
use crate::report::{Cell, Figure, Report, grouped};
use crate::scrape::{DELIVERIES, WRITES};
use crate::server::Server;

/// Rounds that may be under way at once in saturated mode.
const SATURATED_AHEAD: u64 = 8;

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Fanout {
    /// Subscribers, each a WebSocket
    #[arg(long, default_value_t = 15_000)]
    connections: usize,
    /// Subjects over which they are spread
    #[arg(long, default_value_t = 1)]
    subjects: usize,
    /// Bytes of each message's content
    #[arg(long, default_value_t = 512)]
    content_bytes: usize,
    /// Deliveries in each measured window
    #[arg(long, default_value_t = 300_000)]
    deliveries: u64,
    /// How often server and baseline are measured in turn
    #[arg(long, default_value_t = 3)]
    repeat: usize,
    /// Only one of the modes
    #[arg(long)]
    mode: Option<Mode>,
}

/// How the publisher goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// The next message when every subscriber has the last one: one write per delivery
    Paced,
    /// Several messages ahead: what meets in a queue is written together
    Saturated,
}

impl Mode {
    fn ahead(self) -> u64 {
        match self {
            Self::Paced => 1,
            Self::Saturated => SATURATED_AHEAD,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Paced => "paced",
            Self::Saturated => "saturated",
        }
    }
}

/// One measured window.
struct Window {
    mode: Mode,
    cost: Cost,
    /// Of the server.
    deliveries_per_write: Option<f64>,
}

pub(crate) fn run(arguments: &Fanout, common: &Common) -> Result<Report> {
    let connections = common.sized(arguments.connections, 200);
    let shape = Shape { connections, subjects: arguments.subjects.clamp(1, connections) };
    let rounds = common.sized(arguments.deliveries, 4_000).div_ceil(connections as u64);
    let modes: Vec<Mode> = match arguments.mode {
        Some(mode) => vec![mode],
        None => vec![Mode::Paced, Mode::Saturated],
    };
    let server = common.start_server(&[])?;
    let mut baseline = Baseline::start(common.cores())?;
    let mut load = Load::new()?;
    let mut frame = Vec::new();
    let mut report = Report::new("fanout", about(shape, arguments.content_bytes));
    report.columns =
        vec!["what", "mode", "user us", "system us", "us each", "ratio", "per write", "core-second"];
    let mut ratios = Vec::new();
    for _ in 0..common.sized(arguments.repeat, 2) {
        let ours =
            measure_server(&mut load, &server, shape, arguments.content_bytes, &modes, rounds, &mut frame)?;
        let raw = measure_raw(&mut load, &mut baseline, connections, &frame, &modes, rounds)?;
        for (ours, raw) in ours.iter().zip(&raw) {
            let ratio = ours.cost.total_us() / raw.cost.total_us();
            report.rows.push(row("send", raw, None));
            report.rows.push(row("delivery", ours, Some(ratio)));
            ratios.push((ours.mode, ratio));
        }
    }
    for mode in modes {
        let of_mode: Vec<f64> =
            ratios.iter().filter(|(of, _)| *of == mode).map(|(_, ratio)| *ratio).collect();
        report.figures.push(match mode {
            Mode::Paced => {
                Figure::new("CPU per delivery, paced", median(of_mode), "x send").at_most(1.3, 1.1)
            }
            Mode::Saturated => Figure::new("CPU per delivery, saturated", median(of_mode), "x send"),
        });
    }
    Ok(report)
}

fn about(shape: Shape, content_bytes: usize) -> String {
    format!(
        "{} WebSockets on {}, {content_bytes} B of content; `send` is the baseline with the same bytes",
        grouped(shape.connections as u64),
        if shape.subjects == 1 {
            "one subject".into()
        } else {
            format!("{} subjects", grouped(shape.subjects as u64))
        },
    )
}

/// Measures the server in each mode; `frame` becomes the frame of a message as it is on the wire.
fn measure_server(
    load: &mut Load,
    server: &Server,
    shape: Shape,
    content_bytes: usize,
    modes: &[Mode],
    rounds: u64,
    frame: &mut Vec<u8>,
) -> Result<Vec<Window>> {
    let mut feed = Feed::open(load, &server.plain(), shape, content_bytes, 0)?;
    warm_up(load, &mut feed, shape, frame)?;
    let mut windows = Vec::new();
    for mode in modes {
        let metrics_before = server.metrics()?;
        let before = server.cpu()?;
        run_rounds(load, &mut feed, shape.connections, rounds, mode.ahead())?;
        let after = server.cpu()?;
        let metrics = server.metrics()?;
        let operations = rounds * shape.connections as u64;
        let counted = metrics.sum(DELIVERIES)? - metrics_before.sum(DELIVERIES)?;
        if counted != 0 && counted != operations {
            let message = format!("{operations} messages arrived, but the server counts {counted}");
            return Err(Failure::broken(message));
        }
        let writes = metrics.sum(WRITES)? - metrics_before.sum(WRITES)?;
        let deliveries_per_write = Some(operations as f64 / writes as f64);
        windows.push(Window {
            mode: *mode,
            cost: Cost::new(before, after, operations),
            deliveries_per_write,
        });
    }
    load.close_all();
    Ok(windows)
}

/// One round; `frame` becomes the frame of one of its messages.
fn warm_up(load: &mut Load, feed: &mut Feed, shape: Shape, frame: &mut Vec<u8>) -> Result<()> {
    let enough = load.counts().messages + shape.connections as u64;
    feed.begin_round(load)?;
    load.hear_until(
        "deliver",
        |now| now.messages >= enough,
        |_, text| {
            frame.clear();
            websocket::frame(Opcode::Text, text.as_bytes(), false, frame);
        },
    )
}

fn measure_raw(
    load: &mut Load,
    baseline: &mut Baseline,
    connections: usize,
    frame: &[u8],
    modes: &[Mode],
    rounds: u64,
) -> Result<Vec<Window>> {
    baseline.open(load, connections, frame)?;
    run_rounds(load, baseline, connections, 1, 1)?;
    let mut windows = Vec::new();
    for mode in modes {
        let before = baseline.cpu()?;
        run_rounds(load, baseline, connections, rounds, mode.ahead())?;
        let cost = Cost::new(before, baseline.cpu()?, rounds * connections as u64);
        windows.push(Window { mode: *mode, cost, deliveries_per_write: None });
    }
    load.close_all();
    Ok(windows)
}

fn row(what: &str, window: &Window, ratio: Option<f64>) -> Vec<Cell> {
    let number = |value: Option<f64>| value.map_or(Cell::Empty, |value| Cell::Number(value, 2));
    vec![
        what.into(),
        window.mode.name().into(),
        Cell::Number(window.cost.user_us(), 2),
        Cell::Number(window.cost.system_us(), 2),
        Cell::Number(window.cost.total_us(), 2),
        number(ratio),
        number(window.deliveries_per_write),
        Cell::Count(window.cost.per_core_second() as u64),
    ]
}
