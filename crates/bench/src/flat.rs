//! `flat`: whether a delivery costs the same however many subscribers a subject has and however many subjects there are.

use crate::arguments::Common;
use crate::cost::Cost;
use crate::error::Result;
use crate::feed::{Feed, Shape, fill, run_rounds};
use crate::load::Load;
use crate::report::{Cell, Figure, Report, grouped};
use crate::server::AMPLE_MEMORY;

/// Subscribers of each subject.
const AUDIENCES: [usize; 5] = [1, 10, 100, 1_000, 15_000];
/// Subjects with a retained message each.
const SUBJECTS: [usize; 4] = [1, 1_000, 100_000, 1_000_000];
/// Subjects that are published to, while all others only lie there.
const HOT: usize = 1_000;

/// Sizes of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct Flat {
    /// Subscribers, each a WebSocket
    #[arg(long, default_value_t = 15_000)]
    connections: usize,
    /// Bytes of each message's content
    #[arg(long, default_value_t = 512)]
    content_bytes: usize,
    /// Deliveries in each measured window
    #[arg(long, default_value_t = 300_000)]
    deliveries: u64,
    /// How often each case is measured; the lowest cost counts
    #[arg(long, default_value_t = 2)]
    repeat: usize,
    /// Most subjects in a case
    #[arg(long, default_value_t = 1_000_000)]
    subjects: usize,
}

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Case {
    axis: Axis,
    /// Who subscribes to what.
    shape: Shape,
    /// Subjects with a retained message.
    known: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Audience,
    Subjects,
}

pub(crate) fn run(arguments: &Flat, common: &Common) -> Result<Report> {
    let connections = common.sized(arguments.connections, 150);
    let subjects_max = common.sized(arguments.subjects, 2_000);
    let rounds = common.sized(arguments.deliveries, 1_500).div_ceil(connections as u64);
    let cases = cases(connections, subjects_max);
    let mut costs: Vec<Option<Cost>> = vec![None; cases.len()];
    for _ in 0..common.sized(arguments.repeat, 1) {
        for (case, lowest) in cases.iter().zip(&mut costs) {
            let cost = measure(case, arguments.content_bytes, rounds, common)?;
            if lowest.is_none_or(|lowest| cost.cpu.total() < lowest.cpu.total()) {
                *lowest = Some(cost);
            }
        }
    }
    let measured: Vec<(Case, Cost)> =
        cases.into_iter().zip(costs).filter_map(|(case, cost)| Some((case, cost?))).collect();
    let about = format!(
        "{} WebSockets, {} B of content, each gets one message a round",
        grouped(connections as u64),
        arguments.content_bytes
    );
    let mut report = Report::new("flat", about);
    report.columns = vec![
        "growing",
        "subjects known",
        "published to",
        "subscribers each",
        "user us",
        "system us",
        "us each",
    ];
    report.rows = measured.iter().map(|(case, cost)| row(case, *cost)).collect();
    for (axis, name) in [
        (Axis::Audience, "dearest to cheapest, over subscribers per subject"),
        (Axis::Subjects, "dearest to cheapest, over subjects"),
    ] {
        let each = || measured.iter().filter(|(case, _)| case.axis == axis).map(|(_, cost)| cost.total_us());
        let (least, most) = (each().fold(f64::INFINITY, f64::min), each().fold(0.0, f64::max));
        report.figures.push(Figure::new(name, most / least, "x").at_most(1.5, 1.5));
    }
    Ok(report)
}

fn cases(connections: usize, subjects_max: usize) -> Vec<Case> {
    let audiences = AUDIENCES.iter().filter(|audience| **audience <= connections).map(|audience| {
        let subjects = connections / audience;
        Case { axis: Axis::Audience, shape: Shape { connections, subjects }, known: 0 }
    });
    let subjects = SUBJECTS.iter().filter(|subjects| **subjects <= subjects_max).map(|&subjects| Case {
        axis: Axis::Subjects,
        shape: Shape { connections, subjects },
        known: subjects,
    });
    let hot = Shape { connections, subjects: HOT.min(subjects_max).min(connections) };
    let few_hot = Case { axis: Axis::Subjects, shape: hot, known: subjects_max };
    audiences.chain(subjects).chain([few_hot]).collect()
}

/// Measures one case on a server of its own.
fn measure(case: &Case, content_bytes: usize, rounds: u64, common: &Common) -> Result<Cost> {
    let Case { shape, known, .. } = *case;
    let server = common.start_server(&[AMPLE_MEMORY])?;
    let mut load = Load::new()?;
    fill(&mut load, &server.plain(), known, content_bytes)?;
    let mut feed = Feed::open(&mut load, &server.plain(), shape, content_bytes, known)?;
    run_rounds(&mut load, &mut feed, shape.connections, 1, 1)?;
    let before = server.cpu()?;
    run_rounds(&mut load, &mut feed, shape.connections, rounds, 1)?;
    Ok(Cost::new(before, server.cpu()?, rounds * shape.connections as u64))
}

fn row(case: &Case, cost: Cost) -> Vec<Cell> {
    let Case { axis, shape, known } = *case;
    vec![
        match axis {
            Axis::Audience => "subscribers".into(),
            Axis::Subjects => "subjects".into(),
        },
        Cell::Count(known.max(shape.subjects) as u64),
        Cell::Count(shape.subjects as u64),
        Cell::Count((shape.connections / shape.subjects).max(1) as u64),
        Cell::Number(cost.user_us(), 2),
        Cell::Number(cost.system_us(), 2),
        Cell::Number(cost.total_us(), 2),
    ]
}
