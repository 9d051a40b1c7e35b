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
mod histogram;
mod latency;
mod load;
mod memory;
mod memory_bound;
mod raw;
mod report;
mod run;
mod scrape;
mod server;
mod system;
mod usage;

pub use arguments::BenchArgs;
pub use run::run;
