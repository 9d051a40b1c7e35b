//! The one command for everything: each step, its time, and what to do when it fails.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::program::{cargo, run as run_program, target_directory};
use crate::{Result, deny, docs, e2e, test, tidy};

/// One thing that must hold.
pub(crate) struct Step {
    /// The word on the command line.
    pub(crate) name: &'static str,
    /// What holds when it succeeds.
    pub(crate) about: &'static str,
    /// What to do when it fails.
    remedy: &'static str,
    run: fn(&Path) -> Result,
}

/// Quick ones first, so that a slip is told in seconds.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "the code is formatted",
        remedy: "run `cargo fmt --all`, in fuzz/ as well",
        run: |root| {
            run_program(&mut cargo(root, &["fmt", "--all", "--check"]))?;
            run_program(&mut cargo(root, &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
        },
    },
    Step {
        name: "tidy",
        about: "the rules of the house that no other tool knows",
        remedy: "each line above says what to change; a true exception goes into crates/xtask/exceptions.txt",
        run: tidy::run,
    },
    Step {
        name: "docs",
        about: "the generated documents are those of the code",
        remedy: "run `cargo xtask docs` and commit what it wrote",
        run: docs::check,
    },
    Step {
        name: "deny",
        about: "licences, duplicates, sources and advisories of the dependencies",
        remedy: "read the first error above; an exception goes into deny.toml with its reason",
        run: deny::run,
    },
    Step {
        name: "clippy",
        about: "no warnings, tests and fuzz targets included",
        remedy: "change the code; a true exception is `#[expect(lint, reason = \"...\")]` beside it",
        run: |root| {
            let arguments = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
            run_program(&mut cargo(root, &arguments))?;
            let fuzz = ["clippy", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--", "-D", "warnings"];
            // The same folder, so that what both are made of is built once.
            run_program(cargo(root, &fuzz).env("CARGO_TARGET_DIR", target_directory(root)?))
        },
    },
    Step {
        name: "doc",
        about: "the documentation of the code builds without broken links",
        remedy: "correct the doc comments named above",
        run: |root| {
            let arguments = ["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"];
            run_program(cargo(root, &arguments).env("RUSTDOCFLAGS", "-D warnings"))
        },
    },
    Step {
        name: "build",
        about: "the release binary builds",
        remedy: "correct the first error above",
        run: |root| run_program(&mut cargo(root, &["build", "--locked", "--release", "--package", "sterna"])),
    },
    Step {
        name: "test",
        about: "the tests of every crate pass",
        remedy: "run the named test alone; a test that fails only now and then is a bug of the highest priority",
        run: test::run,
    },
    Step {
        name: "e2e",
        about: "the suites in tests/ judge the release binary from outside",
        remedy: "run `cargo xtask build`, then the named script alone; it says what it needs",
        run: e2e::run,
    },
];

/// Runs the steps in order.
///
/// # Errors
/// The first step that failed, with what to do; or an option that is not known.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result {
    let chosen = choose(options)?;
    let mut times = Vec::new();
    for (index, step) in chosen.iter().enumerate() {
        println!("\n==> [{}/{}] {}: {}", index + 1, chosen.len(), step.name, step.about);
        let time = timed(root, step)?;
        println!("<== {} is good ({})", step.name, seconds(time));
        times.push((step.name, time));
    }
    println!("\nEverything is good.");
    for (name, time) in &times {
        println!("{name:>10} {:>9}", seconds(*time));
    }
    println!("{:>10} {:>9}", "together", seconds(times.iter().map(|(_, time)| *time).sum()));
    Ok(())
}

/// Runs the step of that name.
///
/// # Errors
/// No step has that name, or it failed.
pub(crate) fn run_one(root: &Path, name: &str) -> Result {
    timed(root, find(name)?).map(drop)
}

fn timed(root: &Path, step: &Step) -> Result<Duration> {
    let start = Instant::now();
    let outcome = (step.run)(root);
    let time = start.elapsed();
    outcome.map(|()| time).map_err(|problem| {
        format!("{} failed after {}: {problem}\nWhat to do: {}.", step.name, seconds(time), step.remedy)
            .into()
    })
}

fn choose(options: &[&str]) -> Result<Vec<&'static Step>> {
    let mut chosen: Vec<&Step> = STEPS.iter().collect();
    for option in options.chunks(2) {
        match option {
            ["--from", name] => {
                let first = find(name)?;
                chosen = chosen.into_iter().skip_while(|step| step.name != first.name).collect();
            }
            ["--skip", name] => {
                let skipped = find(name)?;
                chosen.retain(|step| step.name != skipped.name);
            }
            other => {
                return Err(format!("ci knows --from STEP and --skip STEP, not: {}", other.join(" ")).into());
            }
        }
    }
    Ok(chosen)
}

fn find(name: &str) -> Result<&'static Step> {
    let names = || STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
    let step = STEPS.iter().find(|step| step.name == name);
    step.ok_or_else(|| format!("{name} is not a step; the steps are {}", names()).into())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(options: &[&str]) -> Vec<&'static str> {
        choose(options).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn without_options_every_step_runs() {
        assert_eq!(names(&[]).len(), STEPS.len());
    }

    #[test]
    fn from_and_skip_choose_steps() {
        assert_eq!(names(&["--from", "build", "--skip", "test"]), ["build", "e2e"]);
    }

    #[test]
    fn unknown_steps_and_options_are_refused() {
        assert!(choose(&["--from", "lunch"]).is_err());
        assert!(choose(&["--skip"]).is_err());
        assert!(choose(&["--fast"]).is_err());
        assert!(find("").is_err());
    }

    #[test]
    fn names_are_unique() {
        for step in STEPS {
            assert_eq!(STEPS.iter().filter(|other| other.name == step.name).count(), 1, "{}", step.name);
        }
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let step = Step { name: "x", about: "", remedy: "try again", run: |_| Err("broken".into()) };
        let problem = timed(Path::new("."), &step).unwrap_err().to_string();
        assert!(problem.contains("broken") && problem.ends_with("What to do: try again."), "{problem}");
    }
}
