//! What can be asked on the command line.

use clap::{Parser, Subcommand};

use crate::cluster::ClusterCommand;
use crate::config::ConfigCommand;
use crate::publish::PublishOptions;
use crate::replay::ReplayOptions;
use crate::sources::ParameterOptions;
use crate::subscribe::SubscribeOptions;

const EXAMPLES: &str = "\
Without a command, sterna runs a server, as `sterna serve` does.

Examples:
  sterna                                           a server on port 8800
  sterna -DListen=127.0.0.1:9000 -DMemory=2GB      with parameters
  sterna --config my.conf                          with a file
  sterna sub /stocks/IBM                           print what is published there
  STERNA_TOKEN=some-token sterna pub /stocks/IBM 142.5
  sterna config docs                               all parameters

Each command has its own --help.";

/// Real-time publish/subscribe server, and clients for the command line
#[derive(Debug, Parser)]
#[command(name = "sterna", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) parameters: ParameterOptions,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server
    #[command(after_help = crate::serve::HELP)]
    Serve(ParameterOptions),
    /// Publish a message, or the lines of standard input
    #[command(after_help = crate::publish::help())]
    Pub(PublishOptions),
    /// Subscribe to subjects and print their messages
    #[command(after_help = crate::subscribe::help())]
    Sub(SubscribeOptions),
    /// Publish recorded messages at their recorded pace
    #[command(after_help = crate::replay::help())]
    Replay(ReplayOptions),
    /// Check, print and explain the configuration
    #[command(subcommand, after_help = crate::config::HELP)]
    Config(ConfigCommand),
    /// Ask a member how the cluster is
    #[command(subcommand, after_help = crate::cluster::HELP)]
    Cluster(ClusterCommand),
    /// Measure a server
    Bench(sterna_bench::BenchArgs),
}
