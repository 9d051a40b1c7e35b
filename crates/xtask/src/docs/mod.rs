//! Documents that come from the code: one file per document, `pages.rs` lists them.

mod adr;
mod chart;
mod codes;
mod migration;
mod pages;

pub(crate) use pages::{check, write};
