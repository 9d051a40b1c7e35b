//! The dials: every parameter declared once.
