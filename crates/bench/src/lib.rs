//! The stopwatch: real server processes under load, judged by ratios that are measured in the same run.

mod arguments;
mod batch;
mod certificate;
mod cluster;
mod connect;
mod cost;
mod error;
mod fanout;
mod feed;
mod flat;
mod folder;
mod histogram;
mod latency;
mod load;
mod members;
mod memory;
mod memory_bound;
mod nats;
mod publishing;
mod raw;
mod report;
mod run;
mod scrape;
mod server;
mod system;
mod transfer;
mod usage;

pub use arguments::BenchArgs;
pub use run::run;
