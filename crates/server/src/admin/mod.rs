//! Monitoring: what is counted, declared in one table, and the interfaces that show it.

mod allocator;
mod credentials;
mod exposition;
mod families;
mod figures;
mod interface;
mod serve;
mod statistics;
mod table;

pub(crate) use figures::{Bounds, Figures};
pub(crate) use interface::{Interface, Kind};
pub(crate) use serve::{Admin, CONNECTIONS_MAX, Setup, start};

#[cfg(test)]
mod reference;
#[cfg(test)]
mod serving_tests;
#[cfg(test)]
mod tests;
