//! What the stopwatch asks of the operating system: a core for each side, open files.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use crate::error::{Result, system};

/// Which core runs what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// The server under test, or the baseline.
    pub(crate) server: usize,
    /// The load: this process.
    pub(crate) load: usize,
    /// The server may use the load's core, too.
    pub(crate) is_shared: bool,
}

impl Cores {
    /// Moves this thread to the load's core.
    pub(crate) fn take_place(self) -> Result<()> {
        pin(&[self.load]).map_err(system(format!("run on core {} (see --load-core)", self.load)))
    }

    /// Starts a program on the server's core. It ends with this thread, however that ends, and so does whatever the
    /// command starts again.
    #[expect(
        unsafe_code,
        reason = "what a child does before it becomes another program has no safe form in std"
    )]
    pub(crate) fn spawn(self, command: &mut Command) -> Result<Child> {
        let both = [self.server, self.load];
        let prepare = move || {
            pin(if self.is_shared { &both } else { &both[..1] })?;
            die_with_parent()
        };
        // SAFETY: between fork and exec only system calls are made; nothing is allocated, no lock is taken.
        let command = unsafe { command.pre_exec(prepare) };
        let what =
            format!("start {} on core {} (see --server-core)", command.get_program().display(), self.server);
        command.spawn().map_err(system(what))
    }
}

/// Ties this thread to cores.
#[expect(unsafe_code, reason = "sched_setaffinity has no safe form in std")]
fn pin(cores: &[usize]) -> io::Result<()> {
    if cores.iter().any(|core| *core >= libc::CPU_SETSIZE as usize) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a set of zeroes is a valid, empty one; the cores' bits lie within it; the call reads the set only.
    let done = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for core in cores {
            libc::CPU_SET(*core, &mut set);
        }
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks the kernel to end this process when its parent does.
#[expect(unsafe_code, reason = "prctl has no safe form in std")]
fn die_with_parent() -> io::Result<()> {
    // SAFETY: the call takes two numbers and touches no memory.
    let done = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Raises the limit of open files as far as allowed; returns the limit in force.
#[expect(unsafe_code, reason = "getrlimit and setrlimit have no safe form in std")]
pub(crate) fn raise_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live, writable struct of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 1024;
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: the pointer is to a live struct of the right type.
    let done = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) };
    if done == 0 { raised.rlim_cur } else { limit.rlim_cur }
}
