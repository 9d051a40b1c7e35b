//! Real members as pods of the tutorial's manifest, in network namespaces, judged by the history checker.
//!
//! Each test is a story: a cluster, a load, something that happens to the cluster, and a verdict. `README.md` beside
//! this file says what each module is about, what they need, and which variables change them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod kube;
mod load;
#[allow(dead_code, reason = "the end-to-end tests need more of it")]
#[path = "../e2e/random.rs"]
mod random;

mod failures;
mod harness;
mod image;
mod partitions;
mod restarts;
mod scaling;
mod starting;
mod storm;
