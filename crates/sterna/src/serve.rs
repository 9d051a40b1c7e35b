//! `sterna serve`: the server.

use std::process::ExitCode;

use sterna_config::ConfigError;
use sterna_server::ServeError;

use crate::exit::{Exit, tell};
use crate::sources::{ParameterOptions, load};

pub(crate) const HELP: &str = "\
The configuration is made of, weakest first: defaults, ./addons/*/*.properties, the file, the environment \
(STERNA_OPTS=\"-DName=value ...\"), the command line. `sterna config docs` explains all parameters.

Signals: TERM and INT drain the server and end it, HUP reads the configuration again.

Exit codes:
  0  ended by a signal
  1  cannot run: an address is taken, a folder cannot be written, ...
  2  the configuration is wrong; every mistake is told";

/// Runs a server until it is told to end.
pub(crate) fn run(options: &ParameterOptions) -> ExitCode {
    let loaded = match load(options) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse("serve", &errors),
    };
    match sterna_server::serve(&loaded, || load(options)) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            tell("serve", &error);
            if matches!(error, ServeError::Settings(_)) { Exit::Usage.into() } else { Exit::Failed.into() }
        }
    }
}

/// Tells everything that is wrong with a configuration.
pub(crate) fn refuse(command: &str, errors: &[ConfigError]) -> ExitCode {
    for error in errors {
        tell(command, error);
    }
    Exit::Usage.into()
}
