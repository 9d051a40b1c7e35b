//! What a process has used, as Linux tells it: processor time and memory.

use std::fs;
use std::ops::{Add, Sub};
use std::time::Duration;

use crate::error::{Failure, Result, system};

/// Clock ticks per second in `/proc/PID/stat` (USER_HZ, fixed by the kernel's interface).
const TICKS_PER_SECOND: u32 = 100;

/// Processor time of all threads of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    /// In its own code.
    pub(crate) user: Duration,
    /// In the kernel on its behalf.
    pub(crate) system: Duration,
}

impl CpuTime {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/stat");
        let stat = fs::read_to_string(&path).map_err(system(format!("read {path}")))?;
        Self::parse(&stat).ok_or_else(|| Failure::broken(format!("{path} has no processor times")))
    }

    /// Fields 14 and 15; the name in field 2 may hold anything, so fields are counted behind its bracket.
    fn parse(stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut time = || Some(Duration::from_secs(1) / TICKS_PER_SECOND * fields.next()?.parse().ok()?);
        Some(Self { user: time()?, system: time()? })
    }

    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

impl Add for CpuTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }
}

/// Memory of a process in user space, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Everything that is in memory, shared pages included.
    pub(crate) resident: u64,
    /// What belongs to this process alone and would have to be written out.
    pub(crate) private_dirty: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let rollup = fs::read_to_string(&path).map_err(system(format!("read {path}")))?;
        Self::parse(&rollup).ok_or_else(|| Failure::broken(format!("{path} has no sizes")))
    }

    fn parse(rollup: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let kilobytes = rollup.lines().find_map(|line| line.strip_prefix(name))?;
            kilobytes.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
        };
        Some(Self { resident: bytes("Rss:")?, private_dirty: bytes("Private_Dirty:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_times_are_found_behind_any_name() {
        let stat = "7 (a) b c) S 1 7 7 0 -1 4194560 900 0 3 0 250 1075 4 5 20 0 3 0 100 1 1";
        let time = CpuTime::parse(stat).unwrap();
        assert_eq!(time.user, Duration::from_millis(2_500));
        assert_eq!(time.system, Duration::from_millis(10_750));
        assert_eq!(CpuTime::parse("7 (a"), None);
    }

    #[test]
    fn sizes_are_read_in_bytes() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:   2048 kB\nPrivate_Dirty:  12 kB\n";
        assert_eq!(Memory::parse(rollup), Some(Memory { resident: 2048 * 1024, private_dirty: 12 * 1024 }));
        assert_eq!(Memory::parse("Rss: 1 kB\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let pid = std::process::id();
        assert!(Memory::of(pid).unwrap().private_dirty > 0);
        assert!(CpuTime::of(pid).is_ok());
    }
}
