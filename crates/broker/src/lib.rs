//! The rules: subjects, sessions, recovery.
