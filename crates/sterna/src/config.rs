//! `sterna config`: check, print, explain.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Subcommand;

use crate::exit::{Exit, tell};
use crate::serve::refuse;
use crate::sources::{ParameterOptions, load};

pub(crate) const HELP: &str = "\
Examples:
  sterna config check --config my.conf             exit code 0 or 2, and what is wrong
  sterna config print -DMemory=2GB                 every value in force, and where it stood
  sterna config docs --default-file > sterna.conf  a file to begin with";

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with the configuration that a server would start with here
    Check(ParameterOptions),
    /// Print the configuration that a server would start with here; secrets are not shown
    Print(ParameterOptions),
    /// Print what every parameter means, as Markdown
    Docs {
        /// Print a configuration file with all defaults instead
        #[arg(long)]
        default_file: bool,
    },
}

/// Obeys.
pub(crate) fn run(command: &ConfigCommand) -> ExitCode {
    let page = match command {
        ConfigCommand::Docs { default_file: true } => sterna_config::default_file(),
        ConfigCommand::Docs { default_file: false } => sterna_config::reference_markdown(),
        ConfigCommand::Check(options) | ConfigCommand::Print(options) => {
            let loaded = match load(options) {
                Ok(loaded) => loaded,
                Err(errors) => return refuse("config", &errors),
            };
            for note in &loaded.notes {
                tell("config", note);
            }
            let is_check = matches!(command, ConfigCommand::Check(_));
            if is_check {
                "the configuration is well-formed\n".to_owned()
            } else {
                sterna_config::print(&loaded)
            }
        }
    };
    match io::stdout().write_all(page.as_bytes()) {
        Ok(()) => Exit::Done.into(),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done.into(),
        Err(error) => {
            tell("config", &error);
            Exit::Failed.into()
        }
    }
}
