//! What the process asks of the operating system: open files, another user.

/// Raises the limit of open files towards `wanted`; returns the limit in force.
#[expect(unsafe_code, reason = "getrlimit and setrlimit have no safe form in std")]
pub(crate) fn raise_descriptors(wanted: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live, writable struct of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return 1024;
    }
    if wanted > limit.rlim_cur {
        for hard in [wanted.max(limit.rlim_max), limit.rlim_max] {
            let raised = libc::rlimit { rlim_cur: wanted.min(hard), rlim_max: hard };
            // SAFETY: the pointer is to a live struct of the right type.
            if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
                return raised.rlim_cur;
            }
        }
    }
    limit.rlim_cur
}
