//! Allocations of a publish: a count that is the same on every machine, so that more of them are seen at once.

mod message_path;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use message_path::MessagePath;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one counts and passes on")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations of one publish, once history is full, so that each message pushes one out.
fn allocations_of_a_publish(subscribers: u32, content_bytes: usize) -> u64 {
    const PUBLISHES: u64 = 1_000;
    let mut path = MessagePath::new(subscribers, content_bytes);
    for _ in 0..200 {
        path.publish();
    }
    let before = ALLOCATIONS.load(Relaxed);
    for _ in 0..PUBLISHES {
        let (audience, frame_bytes) = path.publish();
        assert_eq!(audience, subscribers as usize);
        assert!(frame_bytes > content_bytes);
    }
    (ALLOCATIONS.load(Relaxed) - before) / PUBLISHES
}

/// One test: the counter is shared by everything that runs. Each publish has a command of the log for itself here;
/// under load many share one.
#[test]
fn a_publish_allocates_seventeen_times_however_many_hear_it() {
    let with_one = allocations_of_a_publish(1, 200);
    assert!(with_one <= 17, "{with_one} allocations for one subscriber");
    assert_eq!(allocations_of_a_publish(1_000, 200), with_one, "the audience costs no allocation");
    assert_eq!(allocations_of_a_publish(1, 20_000), with_one, "nor does a larger message");
}
