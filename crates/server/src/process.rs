//! What the process asks of the system: open files, another user, its supervisor's ear; and what it uses.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Bytes of what the user database may say of one user.
const USER_ENTRY_BYTES: usize = 64 * 1024;

/// Why the process cannot become another user. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The system does not know the name.
    #[error("RunAsUser: there is no user {0}; create it or change the parameter")]
    Unknown(String),
    /// Only root may.
    #[error("RunAsUser: only root can become {0}; start the server as root, or as {0} without RunAsUser")]
    NotRoot(String),
    /// The system refuses.
    #[error("RunAsUser: cannot {what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

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

/// Becomes that user for good, with the user's groups and no others.
///
/// # Errors
/// There is no such user, or the process may not.
#[expect(unsafe_code, reason = "changing the user has no safe form in std")]
pub(crate) fn become_user(name: &str) -> Result<(), UserError> {
    let (user, group) = find_user(name)?;
    // SAFETY: takes nothing, and never fails.
    let current = unsafe { libc::geteuid() };
    if current == user {
        return Ok(());
    }
    if current != 0 {
        return Err(UserError::NotRoot(name.to_owned()));
    }
    let c_name = CString::new(name).expect("a name that was found has no NUL");
    let check = |what, outcome: libc::c_int| match outcome {
        0 => Ok(()),
        _ => Err(UserError::System { what, source: io::Error::last_os_error() }),
    };
    // The groups first: without root they could not be changed any more.
    // SAFETY: the name is a live C string.
    check("take the user's groups", unsafe { libc::initgroups(c_name.as_ptr(), group) })?;
    // SAFETY: takes numbers only.
    check("change the group", unsafe { libc::setgid(group) })?;
    // SAFETY: takes a number only.
    check("change the user", unsafe { libc::setuid(user) })
}

/// Number of the user and of its group.
#[expect(unsafe_code, reason = "the user database has no safe form in std")]
fn find_user(name: &str) -> Result<(libc::uid_t, libc::gid_t), UserError> {
    let unknown = || UserError::Unknown(name.to_owned());
    let c_name = CString::new(name).map_err(|_| unknown())?;
    let mut buffer = vec![0; USER_ENTRY_BYTES];
    // SAFETY: a struct of numbers and pointers, for which zeros are values.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer is to something live of the right type, and the length is the buffer's.
    let outcome = unsafe {
        libc::getpwnam_r(c_name.as_ptr(), &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found)
    };
    match outcome {
        0 if !found.is_null() => Ok((entry.pw_uid, entry.pw_gid)),
        // Systems differ in how they say that there is none (getpwnam_r(3), ERRORS).
        0 | libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => Err(unknown()),
        error => {
            let source = io::Error::from_raw_os_error(error);
            Err(UserError::System { what: "read the user database", source })
        }
    }
}

/// Tells the supervisor (systemd, with `Type=notify`) a state, such as `READY=1`, if it wants to be told.
pub(crate) fn notify_supervisor(state: &str) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET")
        && let Err(error) = notify(&socket, state)
    {
        tracing::warn!(%error, state, "cannot tell the supervisor; look at NOTIFY_SOCKET");
    }
}

/// Sends a state to a socket: a path, or a name that begins with `@` (sd_notify(3)).
fn notify(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// Memory of this process that is in the machine's memory now, bytes.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Time that the threads of this process have run, user and system, seconds.
#[expect(unsafe_code, reason = "getrusage has no safe form in std")]
pub(crate) fn cpu_seconds() -> f64 {
    // SAFETY: a struct of numbers, for which zeros are values.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live, writable struct of the right type.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Descriptors that are open.
pub(crate) fn open_descriptors() -> Option<u64> {
    let folder = "/proc/self/fd";
    // Since Linux 6.2 the size is the number; before, it is 0, and counting is the only way.
    match fs::metadata(folder).ok()?.len() {
        0 => Some((fs::read_dir(folder).ok()?.count() as u64).saturating_sub(1)),
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_named() {
        let error = become_user("no-such-user-of-sterna").unwrap_err();
        assert_eq!(
            error.to_string(),
            "RunAsUser: there is no user no-such-user-of-sterna; create it or change the parameter"
        );
        assert!(matches!(become_user("a\0b"), Err(UserError::Unknown(_))));
    }

    #[test]
    fn root_is_found() {
        assert_eq!(find_user("root").unwrap(), (0, 0));
    }

    #[test]
    fn the_supervisor_is_told_on_a_path_or_an_abstract_name() {
        let path = std::env::temp_dir().join(format!("sterna-notify-{}", std::process::id()));
        let abstract_name = format!("sterna-notify-{}", std::process::id());
        let by_path = UnixDatagram::bind(&path).unwrap();
        let by_name =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap();
        notify(path.as_os_str(), "READY=1").unwrap();
        notify(OsStr::new(&format!("@{abstract_name}")), "STOPPING=1").unwrap();
        let mut buffer = [0; 32];
        let count = by_path.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"READY=1");
        let count = by_name.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"STOPPING=1");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_process_knows_what_it_uses() {
        assert!(resident_bytes().unwrap() > 100_000);
        assert!(open_descriptors().unwrap() >= 3);
        assert!(cpu_seconds() >= 0.0);
    }
}
