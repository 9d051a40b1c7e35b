//! The allocator of the whole process, told to give memory back.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What jemalloc reads when it starts: unused pages go back to the system within about a second, by a thread of its
/// own, so that resident memory falls after messages have expired. The environment variable `_RJEM_MALLOC_CONF`
/// wins.
///
/// jemalloc declares it as a pointer to a text that ends with a zero byte, and so it is one; the symbol has this name
/// because the crate prefixes all of jemalloc's.
#[expect(unsafe_code, reason = "jemalloc looks for its configuration under this symbol")]
#[unsafe(export_name = "_rjem_malloc_conf")]
static MALLOC_CONF: &u8 = &b"background_thread:true,dirty_decay_ms:1000\0"[0];

/// Has Linux give this process small pages only, whatever the machine does for others. With huge ones for everybody
/// (`transparent_hugepage/enabled` is `always`) an idle server would hold 37 MB instead of 10, because each piece of memory that
/// is touched is 2 MB then; and what jemalloc gives back page by page would come again. Kernels without huge pages refuse
/// this, and need it not.
pub(crate) fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
}
