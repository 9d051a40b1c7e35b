//! The guest: a small blocking client for the command line and the tests.
