//! The history checker: order, gaps, invention, loss, duplicates.
