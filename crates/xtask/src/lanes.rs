//! Programs that run beside each other, two at a time: while one waits the other works.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::Result;

/// As many cores as the smallest machine has that runs all of this.
const LANES: usize = 2;

/// A program to run.
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) command: Command,
}

/// Puts the job that takes longest first, and the others in the order of their names.
pub(crate) fn begin_with(longest: &str, jobs: &mut [Job]) {
    jobs.sort_by_key(|job| (job.name != longest, job.name.clone()));
}

/// Runs all of them, begun in this order. What one says is shown when it has ended; until then it is in `folder`. After a
/// failure nothing new begins.
///
/// # Errors
/// Those that failed.
pub(crate) fn run(jobs: Vec<Job>, folder: &Path) -> Result {
    fs::create_dir_all(folder)?;
    let queue = Mutex::new(VecDeque::from(jobs));
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(job) = next(&queue) {
                    if let Err(problem) = run_one(job, folder) {
                        lock(&failed).push(problem.to_string());
                        lock(&queue).clear();
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
}

fn next(queue: &Mutex<VecDeque<Job>>) -> Option<Job> {
    lock(queue).pop_front()
}

fn run_one(Job { name, mut command }: Job, folder: &Path) -> Result {
    let path = folder.join(format!("{name}.log"));
    let (log, start) = (File::create(&path)?, Instant::now());
    println!("--- {name} begins");
    let status = command
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .map_err(|problem| format!("{name} cannot be started: {problem}"))?;
    let said = fs::read(&path)?;
    let said = String::from_utf8_lossy(&said);
    println!(
        "--- {name} said:\n{said}--- {name} ended with {status}, {:.1} s",
        start.elapsed().as_secs_f64()
    );
    if status.success() { Ok(()) } else { Err(format!("{name} ended with {status}").into()) }
}

/// Nothing is half done when a lane panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job { name: name.to_owned(), command }
    }

    fn folder(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("sterna-lanes-{name}-{}", std::process::id()))
    }

    #[test]
    fn all_run_two_at_a_time() {
        let folder = folder("all");
        // Each of the first two ends only when the other has begun.
        let meet = |own: &str, other: &str| {
            let at = folder.display();
            format!("touch {at}/{own}; while ! test -e {at}/{other}; do sleep 0.01; done; echo met")
        };
        let jobs = vec![job("a", &meet("x", "y")), job("b", &meet("y", "x")), job("c", "echo third >&2")];
        run(jobs, &folder).unwrap();
        let said =
            ["a", "b", "c"].map(|name| fs::read_to_string(folder.join(format!("{name}.log"))).unwrap());
        assert_eq!(said, ["met\n", "met\n", "third\n"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failure_is_told_and_nothing_new_begins() {
        let folder = folder("failure");
        let wait =
            format!("while ! grep -q done {}/fails.log; do sleep 0.01; done; sleep 0.3", folder.display());
        let jobs = vec![job("fails", "echo done; exit 3"), job("waits", &wait), job("never", "true")];
        let problem = run(jobs, &folder).unwrap_err().to_string();
        assert_eq!(problem, "fails ended with exit status: 3");
        assert!(!folder.join("never.log").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
