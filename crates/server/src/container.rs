//! What the container, or the unit of the supervisor, leaves to the process: its limit of memory.

use std::fs;
use std::path::{Path, PathBuf};

/// `Memory` counts what the server knows of. Kernel buffers, code and fragmentation have the rest.
const COUNTED_PERCENT: u64 = 70;

/// Says so if the system would end the process before `memory_bytes` are full.
pub(crate) fn warn_of_small_limit(memory_bytes: u64) {
    if let Some(limit_bytes) = limit_below(memory_bytes, Path::new("/")) {
        tracing::warn!(
            memory_bytes,
            limit_bytes,
            "Memory is more than {COUNTED_PERCENT} % of what this container or unit may use: the system may kill the \
             server when it is full; lower Memory, or raise the limit"
        );
    }
}

/// The limit, if it is too low for so much memory.
fn limit_below(memory_bytes: u64, root: &Path) -> Option<u64> {
    memory_limit_bytes(root).filter(|limit_bytes| memory_bytes > limit_bytes / 100 * COUNTED_PERCENT)
}

/// The lowest limit of the control groups of this process (cgroups(7)), bytes; none if there is none.
fn memory_limit_bytes(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let files = groups.lines().filter_map(|line| limit_files(line, root)).flatten();
    files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).min()
}

/// Files that may limit the memory of a group, given as `number:controllers:path`: its own and those above it.
fn limit_files(line: &str, root: &Path) -> Option<Vec<PathBuf>> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let (mount, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|it| it == "memory") => {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let mount = root.join(mount);
    let groups = Path::new(path.trim_start_matches('/')).ancestors();
    Some(groups.map(|group| mount.join(group).join(file)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("sterna-container-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_lowest_limit_of_the_own_groups_counts() {
        let root = system(
            "unified",
            &[
                ("proc/self/cgroup", "0::/pods/sterna\n"),
                ("sys/fs/cgroup/pods/sterna/memory.max", "max\n"),
                ("sys/fs/cgroup/pods/memory.max", "1000000\n"),
                ("sys/fs/cgroup/pods/another/memory.max", "5\n"),
                ("sys/fs/cgroup/memory.max", "9000000\n"),
            ],
        );
        assert_eq!(memory_limit_bytes(&root), Some(1_000_000));
        assert_eq!(limit_below(700_000, &root), None);
        assert_eq!(limit_below(700_001, &root), Some(1_000_000));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_first_version_of_groups_is_known_too() {
        let root = system(
            "first",
            &[
                ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/kubepods/x\n0::/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
            ],
        );
        assert_eq!(
            memory_limit_bytes(&root),
            Some(536_870_912),
            "the container sees its own group as the root"
        );
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn without_a_limit_nothing_is_too_much() {
        let root = system("none", &[("proc/self/cgroup", "0::/\n")]);
        assert_eq!(limit_below(u64::MAX, &root), None);
        fs::remove_dir_all(root).unwrap();
    }
}
