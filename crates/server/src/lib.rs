//! The body: threads, sockets, timers.
