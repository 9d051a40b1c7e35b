//! The command line against real members: what it prints, where, and how it ends.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod configuring;
mod encrypted;
mod publishing;
mod replaying;
mod running;
mod serving;
mod subscribing;
