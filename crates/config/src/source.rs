//! Where configuration comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

/// Reads a whole text file. The one who passes it in bounds the size.
pub type ReadFile = fn(&Path) -> io::Result<String>;

/// Everything that configuration is made from. By default there is nothing, and no file can be read.
pub struct Sources {
    /// The configuration file.
    pub file: Option<SourceFile>,
    /// The file `addons/authorization-jwt/configuration.properties`.
    pub jwt_properties: Option<SourceFile>,
    /// The files `addons/kafka/*.properties`; here unknown names are properties of Kafka's own clients.
    pub kafka_properties: Vec<SourceFile>,
    /// Variables of the process; those that are not ours are left alone.
    pub environment: BTreeMap<String, String>,
    /// `Name=value`, from `-DName=value` on the command line.
    pub command_line: Vec<String>,
    /// Reads the files that parameters name (`EntitlementAllowTokenFile`, `TlsKey`, ...).
    pub read_file: ReadFile,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            file: None,
            jwt_properties: None,
            kafka_properties: Vec::new(),
            environment: BTreeMap::new(),
            command_line: Vec::new(),
            read_file: no_files,
        }
    }
}

fn no_files(_: &Path) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "files cannot be read here"))
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its path, for messages.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Where a value stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In a configuration file.
    File {
        /// Path.
        path: String,
        /// Line, from 1.
        line: usize,
    },
    /// In an environment variable.
    Environment(&'static str),
    /// On the command line.
    CommandLine,
    /// In a file of its own, named by a parameter such as `EntitlementAllowTokenFile`.
    SecretFile(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::CommandLine => f.write_str("command line"),
            Self::SecretFile(path) => write!(f, "content of {path}"),
        }
    }
}

impl Origin {
    /// Whether both are in the same file, variable or command line.
    pub(crate) fn same_source(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { path, .. }, Self::File { path: other, .. }) => path == other,
            _ => self == other,
        }
    }
}
