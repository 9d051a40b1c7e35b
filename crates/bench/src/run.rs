//! One measurement from the command line to its report.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use crate::arguments::{BenchArgs, Command};
use crate::error::Result;
use crate::report::{Figure, Report};
use crate::usage::{CpuTime, core_busy};
use crate::{batch, cluster, connect, fanout, flat, latency, memory, memory_bound, raw, transfer};

/// Measures and prints. A figure that misses what is asked of it is told, and is no failure; a server that loses a
/// message is one, and so is everything that prevents a measurement.
#[must_use]
pub fn run(arguments: &BenchArgs) -> ExitCode {
    let written = measure(arguments).and_then(|reports| {
        let text = if arguments.common.json {
            reports.iter().map(|report| report.to_json().to_string() + "\n").collect()
        } else {
            reports.iter().map(Report::to_text).collect::<Vec<_>>().join("\n")
        };
        io::stdout().write_all(text.as_bytes()).map_err(crate::error::system("print the report"))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if even this cannot be written.
            let _ = writeln!(io::stderr(), "sterna bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &BenchArgs) -> Result<Option<Report>> {
    let common = &arguments.common;
    if let Command::Raw = arguments.command {
        return raw::serve().map(|()| None);
    }
    let cores = common.cores();
    cores.take_place()?;
    let started = Instant::now();
    let busy_before = core_busy(cores.server)?;
    let mut report = match &arguments.command {
        Command::Fanout(arguments) => fanout::run(arguments, common),
        Command::Flat(arguments) => flat::run(arguments, common),
        Command::Memory(arguments) => memory::run(arguments, common),
        Command::Latency(arguments) => latency::run(arguments, common),
        Command::Batch(arguments) => batch::run(arguments, common),
        Command::Connect(arguments) => connect::run(arguments, common),
        Command::MemoryBound(arguments) => memory_bound::run(arguments, common),
        Command::Cluster(arguments) => cluster::run(arguments, common),
        Command::Transfer(arguments) => transfer::run(arguments, common),
        Command::Raw => unreachable!("it has been served above"),
    }?;
    if common.quick {
        // Sizes of seconds show that everything works; figures of them would mislead.
        report.figures.clear();
        return Ok(Some(report));
    }
    // The server and the baseline have ended by now; what else their core did was for somebody else.
    let ours = CpuTime::of_ended_children()?.total();
    let others = (core_busy(cores.server)? - busy_before).saturating_sub(ours);
    let share = others.as_secs_f64() / started.elapsed().as_secs_f64();
    report.figures.push(Figure::new("others on the server's core", share, "of the time"));
    Ok(Some(report))
}
