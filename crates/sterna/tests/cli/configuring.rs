//! `sterna config`, and where the configuration is looked for.

use std::process::Command;

use crate::support::{Finished, Folder, sterna};

fn config(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = sterna(&["config"]);
    command.args(arguments).current_dir(folder.path());
    command
}

/// The line of a parameter in `config print`.
fn printed(command: &mut Command, name: &str) -> String {
    let finished = Finished::of(command);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished.stdout.into_iter().find(|line| line.split(' ').next() == Some(name)).unwrap()
}

#[test]
fn check_tells_every_mistake_where_it_stands() {
    let folder = Folder::new();
    folder.write("my.conf", "Memory = 64MB\nMemroy = 1\n");
    let arguments = ["check", "--config", "my.conf", "-DMaxMessageSize=lots", "-D", "Listen=a:b"];
    let finished = Finished::of(&mut config(&folder, &arguments));
    assert_eq!((finished.code, finished.stderr.len()), (Some(2), 3), "{finished:?}");
    let text = finished.error_text();
    for said in [
        "my.conf:2: unknown parameter \"Memroy\"; did you mean Memory?",
        "MaxMessageSize = \"lots\"",
        "Listen",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let finished = Finished::of(&mut config(&folder, &["check"]));
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(0), &["the configuration is well-formed".to_owned()][..])
    );
}

#[test]
fn sources_are_taken_in_the_documented_order() {
    let folder = Folder::new();
    folder.write("my.conf", "Memory = 64MB\n");
    let file = ["print", "--config", "my.conf"];
    assert!(printed(&mut config(&folder, &["print"]), "Memory").ends_with("(default)"));
    assert!(printed(&mut config(&folder, &file), "Memory").ends_with("(from my.conf:1)"));
    let mut environment = config(&folder, &file);
    let line = printed(environment.env("STERNA_OPTS", "-DMemory=65MB"), "Memory");
    assert!(line.contains("= 65MB") && line.ends_with("(from environment variable STERNA_OPTS)"), "{line}");
    let mut command_line = config(&folder, &[&file[..], &["-DMemory=66MB"]].concat());
    let line = printed(command_line.env("STERNA_OPTS", "-DMemory=65MB"), "Memory");
    assert!(line.contains("= 66MB") && line.ends_with("(from command line)"), "{line}");
}

#[test]
fn a_file_in_the_working_directory_is_read_and_told() {
    let folder = Folder::new();
    folder.write("migratorydata.conf", "Memory = 64MB\n");
    assert!(printed(&mut config(&folder, &["print"]), "Memory").ends_with("(from migratorydata.conf:1)"));
    folder.write("sterna.conf", "Memory = 65MB\n");
    assert!(printed(&mut config(&folder, &["print"]), "Memory").ends_with("(from sterna.conf:1)"));
    let finished = Finished::of(&mut config(&folder, &["check"]));
    assert!(finished.stderr[0].contains("sterna.conf, found in the working directory"), "{finished:?}");
    let folder_of_file = Folder::new();
    folder_of_file.write("empty.conf", "");
    let given = folder_of_file.path().join("empty.conf");
    let line = printed(&mut config(&folder, &["print", "--config", given.to_str().unwrap()]), "Memory");
    assert!(line.ends_with("(default)"), "a file that is given replaces it: {line}");
}

#[test]
fn properties_of_add_ons_are_read() {
    let folder = Folder::new();
    folder.write("addons/authorization-jwt/configuration.properties", "renewTokenBeforeSeconds = 5\n");
    folder.write("addons/kafka/consumer.properties", "group.id = g\n");
    folder.write("addons/kafka/README", "no properties");
    let lines = Finished::of(&mut config(&folder, &["print"]));
    assert!(lines.stdout.iter().any(|line| line.contains("configuration.properties:1")), "{lines:?}");
    assert_eq!(lines.code, Some(0), "{lines:?}");
}

#[test]
fn secrets_are_not_printed() {
    let folder = Folder::new();
    let finished = Finished::of(&mut config(&folder, &["print", "-DEntitlementAllowToken=my-secret"]));
    assert!(!finished.stdout.join("\n").contains("my-secret"));
}

#[test]
fn docs_are_the_reference_and_a_file_that_is_well_formed() {
    let folder = Folder::new();
    let finished = Finished::of(&mut config(&folder, &["docs"]));
    assert!(finished.stdout.contains(&"# Configuration".to_owned()));
    let finished = Finished::of(&mut config(&folder, &["docs", "--default-file"]));
    folder.write("sterna.conf", &finished.stdout.join("\n"));
    assert_eq!(Finished::of(&mut config(&folder, &["check"])).code, Some(0));
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake() {
    let folder = Folder::new();
    folder.write("large.conf", &"#".repeat((1 << 20) + 1));
    for (file, said) in
        [("absent.conf", "No such file"), ("large.conf", "larger than 1 MB"), (".", "directory")]
    {
        let finished = Finished::of(&mut config(&folder, &["check", "--config", file]));
        assert_eq!(finished.code, Some(2));
        assert!(finished.error_text().contains(said), "{file}: {finished:?}");
    }
}
