//! The stopwatch: load, latency and density measured in ratios.
