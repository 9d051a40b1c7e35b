//! Rules of the house that no other tool knows. One file per kind of rule; `run.rs` puts them together.

mod exceptions;
mod finding;
mod leftovers;
mod links;
mod manifests;
mod purity;
mod run;
mod sizes;
mod tiers;
mod traces;
mod words;

pub(crate) use run::run;
