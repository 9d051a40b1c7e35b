//! The rules, told as stories: each file in `testdata/` holds commands, and below them what follows.
//!
//! A story is a row of blocks: commands, a line `----`, what they lead to, an empty line. `UPDATE=1 cargo test -p
//! sterna-broker --test scripts` writes what follows now; review the difference. The commands are described in
//! `testdata/README.md`.

#![allow(clippy::unwrap_used, reason = "the functions that the tests share fail with the test")]

mod commands;
mod member;
mod show;
#[path = "../support/mod.rs"]
mod support;
mod words;

use std::path::{Path, PathBuf};

use commands::Story;

macro_rules! stories {
    ($($name:ident)*) => {
        const STORIES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                tell(stringify!($name));
            }
        )*
    };
}

stories! {
    catch_up
    conflation
    dedup
    expiry
    forgotten
    history
    memory
    publish
    races
    read
    recover
    session
    snapshot
    standard_mode
    subscribe
    tokens
}

#[test]
fn every_story_is_told() {
    #[expect(clippy::disallowed_methods, reason = "finds the stories")]
    let files = std::fs::read_dir(folder()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let mut names: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    names.sort();
    let known: Vec<_> = STORIES.iter().map(|name| path(name)).collect();
    assert_eq!(names, known);
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata"))
}

fn path(name: &str) -> PathBuf {
    folder().join(name).with_extension("txt")
}

/// Runs a story, and compares or (with `UPDATE=1`) writes what follows.
#[expect(clippy::disallowed_methods, reason = "reads and rewrites the stories")]
fn tell(name: &str) {
    let path = path(name);
    let expected = std::fs::read_to_string(&path).unwrap();
    let told = retell(&expected);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, told).unwrap();
        return;
    }
    for (at, (told, expected)) in told.lines().zip(expected.lines()).enumerate() {
        assert_eq!(told, expected, "{name}.txt, line {}; run with UPDATE=1 and review", at + 1);
    }
    assert_eq!(told.lines().count(), expected.lines().count(), "{name}.txt is longer or shorter than told");
}

/// The story with what follows now in the place of what was written there.
fn retell(text: &str) -> String {
    let mut story = Story::new();
    let mut told = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        told.push_str(line);
        told.push('\n');
        if line == "----" {
            for follows in story.take_lines() {
                told.push_str(&follows);
                told.push('\n');
            }
            let ended = lines.by_ref().any(str::is_empty);
            if ended {
                told.push('\n');
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            story.run(line);
        }
    }
    told
}
