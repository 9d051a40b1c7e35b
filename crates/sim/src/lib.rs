//! The storm: a member and its clients in one thread, from one seed.
