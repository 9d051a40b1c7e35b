//! `sterna-sim`: runs many seeds, or one with a trace.

#![expect(clippy::print_stdout, reason = "a program that reports to a person")]

use std::process::ExitCode;

use clap::Parser;
use sterna_sim::{Options, Sabotage, Tally, Trim, minimise, run};

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
    /// So many members; if not given, each seed decides.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=5))]
    members: Option<u16>,
    /// Tell all that happens.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Break a rule on purpose, such as `DropDelivery`; a good run then means that nobody noticed.
    #[arg(long, value_parser = sabotage)]
    sabotage: Option<Sabotage>,
    /// Go on after a seed that failed.
    #[arg(long)]
    all: bool,
    /// Clients do only so many operations altogether.
    #[arg(long)]
    operations: Option<u64>,
    /// Leave these faults out, by their numbers in the trace.
    #[arg(long, value_delimiter = ',')]
    skip_faults: Vec<u32>,
    /// Do not look for a smaller run that fails as well.
    #[arg(long)]
    as_it_is: bool,
}

fn sabotage(name: &str) -> Result<Sabotage, String> {
    Sabotage::from_name(name).ok_or_else(|| format!("one of {:?}", Sabotage::ALL))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let trim = Trim {
        faults_skipped: arguments.skip_faults.iter().copied().collect(),
        operations_max: arguments.operations,
        members: arguments.members,
    };
    let options = Options { trace: arguments.trace, sabotage: arguments.sabotage, trim };
    let seeds = match arguments.seed {
        Some(seed) => seed..=seed,
        None => arguments.from..=arguments.from.saturating_add(arguments.seeds.saturating_sub(1)),
    };
    let mut tally = Tally::default();
    let mut failed = 0_u64;
    for seed in seeds {
        let report = run(seed, &options);
        report.trace.iter().for_each(|line| println!("{line}"));
        tally += report.tally;
        if report.failure.is_none() {
            if arguments.seed.is_some() {
                println!("{report}");
            }
            continue;
        }
        println!("{report}");
        failed += 1;
        if !arguments.as_it_is && !arguments.trace {
            let (smallest, runs) = minimise(report, &options);
            println!("the smallest of {runs} runs: {smallest}");
        }
        if !arguments.all {
            break;
        }
    }
    println!("{tally}");
    println!("{failed} of {} seeds failed", tally.runs);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
