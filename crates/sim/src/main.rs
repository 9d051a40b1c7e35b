//! `sterna-sim`: runs many seeds, or one with a trace.

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::process::ExitCode;

use clap::Parser;
use sterna_sim::{Options, Sabotage, Tally, run};

/// Members and clients in one thread, from a seed, with everything that can go wrong.
#[derive(Debug, Parser)]
#[command(name = "sterna-sim")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Tell all that happens.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Break a rule on purpose, such as `DropDelivery`; a good run then means that nobody noticed.
    #[arg(long, value_parser = sabotage)]
    sabotage: Option<Sabotage>,
    /// Go on after a seed that failed.
    #[arg(long)]
    all: bool,
}

fn sabotage(name: &str) -> Result<Sabotage, String> {
    Sabotage::from_name(name).ok_or_else(|| format!("one of {:?}", Sabotage::ALL))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options { trace: arguments.trace, sabotage: arguments.sabotage };
    let seeds = match arguments.seed {
        Some(seed) => seed..=seed,
        None => arguments.from..=arguments.from.saturating_add(arguments.seeds.saturating_sub(1)),
    };
    let mut tally = Tally::default();
    let mut failed = 0_u64;
    for seed in seeds {
        let report = run(seed, options);
        report.trace.iter().for_each(|line| println!("{line}"));
        tally += report.tally;
        if report.failure.is_some() || arguments.seed.is_some() {
            println!("{report}");
        }
        failed += u64::from(report.failure.is_some());
        if failed > 0 && !arguments.all {
            break;
        }
    }
    println!("{tally}");
    println!("{failed} of {} seeds failed", tally.runs);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
