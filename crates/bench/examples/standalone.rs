//! The stopwatch as a program of its own: `standalone bench fanout --server target/release/sterna`.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
enum Program {
    /// What `sterna bench` does.
    Bench(sterna_bench::BenchArgs),
}

fn main() -> ExitCode {
    let Program::Bench(arguments) = Program::parse();
    sterna_bench::run(&arguments)
}
