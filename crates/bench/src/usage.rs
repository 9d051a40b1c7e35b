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
        Self::parse(&stat, 14).ok_or_else(|| Failure::broken(format!("{path} has no processor times")))
    }

    /// Of the processes that this one has started and that have ended.
    pub(crate) fn of_ended_children() -> Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat").map_err(system("read /proc/self/stat"))?;
        Self::parse(&stat, 16).ok_or_else(|| Failure::broken("/proc/self/stat has no processor times"))
    }

    /// A pair of times from that field on, counted from 1. The name in field 2 may hold anything, so fields are
    /// counted behind its bracket.
    fn parse(stat: &str, field: usize) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(field - 3);
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

/// What a core has done for everybody, interrupts and time that the machine's owner took away included.
pub(crate) fn core_busy(core: usize) -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat").map_err(system("read /proc/stat"))?;
    parse_core_busy(&stat, core).ok_or_else(|| Failure::broken(format!("/proc/stat has no core {core}")))
}

/// Fields user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in the first two.
fn parse_core_busy(stat: &str, core: usize) -> Option<Duration> {
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let ticks: Vec<u32> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    let busy = [0, 1, 2, 5, 6, 7].map(|field| ticks.get(field).copied());
    let busy = busy.into_iter().sum::<Option<u32>>()?;
    Some(Duration::from_secs(1) / TICKS_PER_SECOND * busy)
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
        let own = CpuTime::parse(stat, 14).unwrap();
        assert_eq!((own.user, own.system), (Duration::from_millis(2_500), Duration::from_millis(10_750)));
        let children = CpuTime::parse(stat, 16).unwrap();
        assert_eq!((children.user, children.system), (Duration::from_millis(40), Duration::from_millis(50)));
        assert_eq!(CpuTime::parse("7 (a", 14), None);
    }

    #[test]
    fn a_core_is_busy_except_when_idle_or_waiting() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 9 9 9 9 9 9 9 9 9 9\ncpu1 1 2 4 800 900 8 16 32 5 5\nintr 1\n";
        assert_eq!(parse_core_busy(stat, 1), Some(Duration::from_millis(630)));
        assert_eq!(parse_core_busy(stat, 2), None);
        assert!(core_busy(0).is_ok());
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
