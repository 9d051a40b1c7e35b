//! The agreement: which entries are committed, in which order, by whom. It never looks into them.
