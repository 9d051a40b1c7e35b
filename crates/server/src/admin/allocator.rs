//! What jemalloc knows, if it is the allocator of this program.

use std::hint::black_box;
use std::sync::LazyLock;

use tikv_jemalloc_ctl::{epoch, stats, thread};

use super::families::Labelled;

static IS_JEMALLOC: LazyLock<bool> = LazyLock::new(|| counts_an_allocation().unwrap_or(false));

/// Bytes by state; nothing if another allocator is in use.
pub(super) fn bytes_by_state() -> Labelled {
    if *IS_JEMALLOC { read().unwrap_or_default() } else { Labelled::new() }
}

fn read() -> tikv_jemalloc_ctl::Result<Labelled> {
    // The figures are those of the last advance.
    epoch::advance()?;
    let states = [
        ("allocated", stats::allocated::read()?),
        ("active", stats::active::read()?),
        ("resident", stats::resident::read()?),
    ];
    Ok(states.into_iter().map(|(state, bytes)| (state.to_owned(), bytes as f64)).collect())
}

/// Whether jemalloc notices what this thread allocates.
fn counts_an_allocation() -> tikv_jemalloc_ctl::Result<bool> {
    let allocated = thread::allocatedp::read()?;
    let before = allocated.get();
    drop(black_box(Vec::<u8>::with_capacity(1 << 20)));
    Ok(allocated.get() > before)
}
