//! Documents that come from the code: one file per document, `pages.rs` lists them.

mod adr;
mod codes;
mod pages;

pub(crate) use pages::{check, write};
