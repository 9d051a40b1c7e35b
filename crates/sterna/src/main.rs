//! The one binary: serve, pub, sub, replay, config, cluster, bench.

mod allocator;
mod cluster;
mod command_line;
mod config;
mod connection;
mod exit;
mod lines;
mod outgoing;
mod publish;
mod replay;
mod serve;
mod sources;
mod stop;
mod subscribe;

use std::process::ExitCode;

use clap::Parser;

use command_line::{Command, CommandLine};

fn main() -> ExitCode {
    allocator::refuse_huge_pages();
    let CommandLine { command, parameters } = CommandLine::parse();
    match command {
        None => serve::run(&parameters),
        Some(Command::Serve(parameters)) => serve::run(&parameters),
        Some(Command::Pub(options)) => publish::run(&options),
        Some(Command::Sub(options)) => subscribe::run(options),
        Some(Command::Replay(options)) => replay::run(&options),
        Some(Command::Config(command)) => config::run(&command),
        Some(Command::Cluster(command)) => cluster::run(&command),
        Some(Command::Bench(arguments)) => sterna_bench::run(&arguments),
    }
}
