//! The caretaker: ci, tidy, docs.

fn main() {}
