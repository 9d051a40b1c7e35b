//! The dials: every parameter declared once (`declarations.rs`), and everything that follows from it.
//!
//! [`load()`] turns [`Sources`] into a [`Loaded`] configuration or into the list of everything that is wrong;
//! [`print()`], [`reference_markdown`] and [`default_file`] speak from the same declarations. Nothing here
//! touches the outside: files and variables come in with the sources.
//!
//! ```
//! let sources = sterna_config::Sources {
//!     command_line: vec!["Memory=128MB".to_owned()],
//!     ..Default::default()
//! };
//! let loaded = sterna_config::load(&sources).expect("well-formed");
//! assert_eq!(loaded.config.limits.memory_bytes, 128 << 20);
//! ```

mod address;
mod config;
mod declarations;
mod declare;
mod error;
mod kinds;
mod load;
mod parameter;
mod print;
mod reference;
mod resolve;
mod settings;
mod source;
mod syntax;
mod values;

pub use address::{Address, Host, Network};
pub use config::{
    Batching, ClusterTls, Config, Credentials, Endpoint, Entitlement, Jwt, JwtKey, Monitor, PemFile, Tls,
};
pub use declarations::{Cache, Cluster, Connections, Extensions, Http, Kafka, Limits, Listen, Log, Process};
pub use error::ConfigError;
pub use load::{Effective, Loaded, Note, load};
pub use parameter::{Parameter, Reload, Standing, parameters};
pub use print::print;
pub use reference::{default_file, reference_markdown};
pub use resolve::{ADVERTISED_BYTES_MAX, ADVERTISED_MAX};
pub use source::{Origin, ReadFile, SourceFile, Sources};
pub use values::{ClusterEngine, JwtAlgorithm, LogFormat, LogLevel, Secret};
