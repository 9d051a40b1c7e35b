//! `fanout`: what a delivery costs, beside what its system call alone costs.

use sterna_wire::websocket::{self, Opcode};

use crate::arguments::Common;
use crate::cost::{Cost, median};
use crate::error::{Failure, Result};
use crate::feed::{Feed, Shape, Source, run_rounds};
use crate::load::{Counts, Load};
use crate::raw::Baseline;
use crate::report::{Cell, Figure, Report, grouped};
use crate::scrape::{DELIVERIES, WRITES};
use crate::server::{AMPLE_MEMORY, Server};

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

/// What is the same in every window.
struct Plan {
    shape: Shape,
    content_bytes: usize,
    modes: Vec<Mode>,
    rounds: u64,
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
    let plan = Plan {
        shape: Shape { connections, subjects: arguments.subjects.max(1) },
        content_bytes: arguments.content_bytes,
        modes: arguments.mode.map_or(vec![Mode::Paced, Mode::Saturated], |mode| vec![mode]),
        rounds: common.sized(arguments.deliveries, 4_000).div_ceil(connections as u64),
    };
    let server = common.start_server(&[AMPLE_MEMORY])?;
    let baseline = Baseline::start(common.cores())?;
    let mut load = Load::new()?;
    let mut report = Report::new("fanout", plan.about());
    report.columns =
        vec!["what", "mode", "user us", "system us", "us each", "ratio", "per write", "per core-second"];
    let mut ratios = Vec::new();
    for _ in 0..common.sized(arguments.repeat, 2) {
        let (ours, frame) = plan.measure_server(&mut load, &server)?;
        let raw = plan.measure_raw(&mut load, &baseline, &frame)?;
        for (ours, raw) in ours.iter().zip(&raw) {
            let ratio = ours.cost.total_us() / raw.cost.total_us();
            report.rows.push(row("send", raw, None));
            report.rows.push(row("delivery", ours, Some(ratio)));
            ratios.push((ours.mode, ratio));
        }
    }
    for mode in plan.modes {
        let of_mode = ratios.iter().filter(|(of, _)| *of == mode).map(|(_, ratio)| *ratio).collect();
        report.figures.push(match mode {
            Mode::Paced => {
                Figure::new("CPU per delivery, paced", median(of_mode), "x send").at_most(1.3, 1.1)
            }
            Mode::Saturated => Figure::new("CPU per delivery, saturated", median(of_mode), "x send"),
        });
    }
    Ok(report)
}

impl Plan {
    fn about(&self) -> String {
        let Shape { connections, subjects } = self.shape;
        format!(
            "{} WebSockets, subjects: {}, content: {} B; `send` is the baseline with the same bytes",
            grouped(connections as u64),
            grouped(subjects as u64),
            self.content_bytes
        )
    }

    /// Measures the server in each mode; returns also the frame of one of its messages.
    fn measure_server(&self, load: &mut Load, server: &Server) -> Result<(Vec<Window>, Vec<u8>)> {
        let mut feed = Feed::open(load, &server.plain(), self.shape, self.content_bytes, 0)?;
        let frame = self.warm_up(load, &mut feed)?;
        let mut windows = Vec::new();
        for mode in &self.modes {
            let metrics_before = server.metrics()?;
            let before = server.cpu()?;
            self.run_window(load, &mut feed, *mode)?;
            let cost = Cost::new(before, server.cpu()?, self.deliveries());
            let metrics = server.metrics()?;
            let counted = |name| Ok::<u64, Failure>(metrics.sum(name)? - metrics_before.sum(name)?);
            let (deliveries, writes) = (counted(DELIVERIES)?, counted(WRITES)?);
            if deliveries != self.deliveries() || (*mode == Mode::Paced && writes != deliveries) {
                let arrived = self.deliveries();
                let message =
                    format!("{arrived} messages arrived; the server counts {deliveries} in {writes} writes");
                return Err(Failure::broken(message));
            }
            let deliveries_per_write = Some(deliveries as f64 / writes as f64);
            windows.push(Window { mode: *mode, cost, deliveries_per_write });
        }
        load.close_all();
        Ok((windows, frame))
    }

    fn measure_raw(&self, load: &mut Load, baseline: &Baseline, frame: &[u8]) -> Result<Vec<Window>> {
        let mut feed = baseline.open(load, self.shape.connections, frame)?;
        self.warm_up(load, &mut feed)?;
        let mut windows = Vec::new();
        for mode in &self.modes {
            let before = baseline.cpu()?;
            self.run_window(load, &mut feed, *mode)?;
            let cost = Cost::new(before, baseline.cpu()?, self.deliveries());
            windows.push(Window { mode: *mode, cost, deliveries_per_write: None });
        }
        load.close_all();
        Ok(windows)
    }

    /// One round; returns the frame of one of its messages.
    fn warm_up(&self, load: &mut Load, feed: &mut impl Source) -> Result<Vec<u8>> {
        let enough = load.counts().messages + self.shape.connections as u64;
        let mut message = String::new();
        feed.begin_round(load)?;
        let arrived = |now: &Counts| now.messages >= enough;
        load.hear_until("deliver", arrived, |_, text| text.clone_into(&mut message))?;
        let mut frame = Vec::new();
        websocket::frame(Opcode::Text, message.as_bytes(), false, &mut frame);
        Ok(frame)
    }

    fn run_window(&self, load: &mut Load, feed: &mut impl Source, mode: Mode) -> Result<()> {
        run_rounds(load, feed, self.shape.connections, self.rounds, mode.ahead())
    }

    /// In one window.
    fn deliveries(&self) -> u64 {
        self.rounds * self.shape.connections as u64
    }
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
        Cell::Number(window.cost.per_core_second(), 0),
    ]
}
