//! Why a measurement could not be made. A figure that misses its requirement is no failure.

use std::io;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What went wrong, for a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The operating system refuses something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server or the run did not do what every run must, whatever its speed.
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    pub(crate) fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }
}

/// For `map_err`: the system refused `what`.
pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure::System { what: what.into(), source }
}
