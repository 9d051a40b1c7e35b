//! The caretaker: `cargo xtask` runs what decides whether a change is good, and writes what is generated.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks through its output"
)]

mod ci;
mod deny;
mod docs;
mod e2e;
mod lanes;
mod program;
mod sbom;
mod test;
mod tidy;
mod tree;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// What every command returns. This is the top of a program, so errors are boxed: nobody matches on them.
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("\n{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate lives in crates/xtask");
    match words {
        [] | ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => {
            println!("{}", help());
            Ok(())
        }
        ["ci", options @ ..] => ci::run(root, options),
        ["docs"] => docs::write(root),
        ["docs", "--check"] => docs::check(root),
        ["deny", "--advisories"] => deny::with_advisories(root),
        ["sbom"] => sbom::write(root),
        [name] => ci::run_one(root, name),
        _ => Err(format!("not a command: {}\n\n{}", words.join(" "), help()).into()),
    }
}

fn help() -> String {
    let mut text = String::from(
        "Usage: cargo xtask <command>\n\n\
         ci                     every step below, in this order, stopping at the first failure\n\
         \x20  --from STEP         begin there\n\
         \x20  --skip STEP         leave one out (may be given several times)\n\n\
         docs                   write the generated documents\n\
         docs --check           only compare them (what ci does)\n\
         deny --advisories      fail also when the advisory database cannot be fetched (before a release)\n\
         sbom                   write the bill of materials beside the release binary\n\n\
         Steps, each a command of its own:\n",
    );
    for step in ci::STEPS {
        text += &format!("{:<22} {}\n", step.name, step.about);
    }
    text
}
