//! `sterna pub`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::running::{command, run, run_with_input, subscribe, succeed};
use crate::support::{Finished, Member, Running, sterna};

/// The messages of a subject, as `sub --json` prints them.
fn messages(member: &Member, subject: &str, count: &str) -> Vec<Value> {
    let lines = succeed(member, &["sub", subject, "--history", "1000", "--count", count, "--json"]);
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_message_is_published_without_a_word() {
    let member = Member::start(&[]);
    let nothing: Vec<String> = Vec::new();
    assert_eq!(succeed(&member, &["pub", "/a", "hello"]), nothing);
    assert_eq!(succeed(&member, &["sub", "/a", "--count", "1"]), ["hello"]);
}

#[test]
fn all_fields_of_a_message_can_be_given() {
    let member = Member::start(&[]);
    let fields = ["--retained", "false", "--closure", "c1", "--reply-to", "/r"];
    succeed(&member, &[&["pub", "/a", "-x"], &fields[..]].concat());
    let message = &messages(&member, "/a", "1")[0];
    assert_eq!(
        (&message["content"], &message["retained"], &message["closure"], &message["reply_to"]),
        (&json!("-x"), &json!(false), &json!("c1"), &json!("/r"))
    );
    let mut subscriber = subscribe(&member, &["/b", "--json", "--count", "1"]);
    succeed(&member, &["pub", "/b", "now", "--qos", "standard"]);
    let line = subscriber.stdout.find("now").unwrap();
    assert!(line.contains(r#""qos":"standard""#), "{line}");
    assert_eq!(subscriber.wait(), Some(0));
}

#[test]
fn lines_of_standard_input_are_published_in_order() {
    let member = Member::start(&[]);
    let input: String = (0..900).map(|number| format!("line {number}\n\n")).collect();
    let finished = run_with_input(&member, &["pub", "/a", "-"], &input);
    assert_eq!((finished.code, finished.error_text()), (Some(0), String::new()));
    let expected: Vec<String> = (0..900).map(|number| format!("line {number}")).collect();
    assert_eq!(succeed(&member, &["sub", "/a", "--history", "900", "--count", "900"]), expected);
}

#[test]
fn a_line_is_published_when_it_comes_and_not_when_the_input_ends() {
    let member = Member::start(&[]);
    let subscriber = subscribe(&member, &["/a"]);
    let mut publisher = Running::start(command(&member, &["pub", "/a", "-"]).stdin(Stdio::piped()));
    for line in ["first", "second"] {
        publisher.write(&format!("{line}\n"));
        subscriber.stdout.find(line).unwrap();
    }
    publisher.end_input();
    assert_eq!(publisher.finish().code, Some(0));
}

#[test]
fn lines_that_are_refused_are_named_and_the_others_go_on() {
    let member = Member::start(&["-DMaxMessageSize=100"]);
    let input = format!("one\n{}\nthree\n", "x".repeat(101));
    let finished = run_with_input(&member, &["pub", "/a", "-"], &input);
    assert_eq!(finished.code, Some(4));
    assert!(finished.stderr[0].starts_with("sterna pub: line 2: 4010 message_too_large"), "{finished:?}");
    assert_eq!(finished.stderr.len(), 1);
    assert_eq!(succeed(&member, &["sub", "/a", "--history", "9", "--count", "2"]), ["one", "three"]);
}

#[test]
fn a_run_that_is_repeated_with_its_publisher_id_makes_no_duplicates() {
    let member = Member::start(&[]);
    let arguments = ["pub", "/a", "-", "--publisher", "import-1", "--verbose"];
    run_with_input(&member, &arguments, "one\ntwo\n");
    let again = run_with_input(&member, &arguments, "one\ntwo\nthree\n");
    assert_eq!(again.code, Some(0));
    let is_known = |line: &&String| line.ends_with("published before");
    assert_eq!(again.stderr.iter().filter(is_known).count(), 2, "{again:?}");
    let further = ["pub", "/a", "four", "--publisher", "import-1", "--publisher-seq", "4"];
    succeed(&member, &further);
    succeed(&member, &further);
    assert_eq!(messages(&member, "/a", "4").len(), 4);
    let finished = run(&member, &["sub", "/a", "--history", "9", "--count", "5", "--timeout", "1"]);
    assert_eq!((finished.code, finished.stdout.len()), (Some(1), 4));
}

#[test]
fn what_happens_is_told_if_asked() {
    let member = Member::start(&[]);
    let finished = run(&member, &["pub", "/a", "x", "--verbose"]);
    assert!(
        finished.stderr[0].starts_with("sterna pub: OK ") && finished.stderr[0].ends_with(":1"),
        "{finished:?}"
    );
}

#[test]
fn a_denied_publish_says_what_to_do() {
    let member = Member::start(&[]);
    let finished = Finished::of(command(&member, &["pub", "/a", "x"]).env("STERNA_TOKEN", "wrong"));
    assert_eq!(finished.code, Some(3));
    assert!(finished.stderr[0].starts_with("sterna pub: 4034 publish_denied: "), "{finished:?}");
    let finished = run(&member, &["pub", "/a", "x", "--token", "wrong"]);
    assert_eq!(finished.code, Some(3), "the option wins over the variable");
    let finished = run(&member, &["pub", "/__sterna__/a", "x"]);
    assert_eq!(finished.code, Some(3));
    assert!(finished.error_text().contains("4008 subject_reserved"), "{finished:?}");
}

#[test]
fn a_denied_input_is_not_read_to_its_end() {
    let member = Member::start(&[]);
    let mut publisher = command(&member, &["pub", "/a", "-"]);
    let mut publisher = Running::start(publisher.env("STERNA_TOKEN", "wrong").stdin(Stdio::piped()));
    publisher.write("one\n");
    assert_eq!(publisher.wait(), Some(3), "although the input goes on");
}

#[test]
fn a_server_that_is_not_there_is_told_after_the_time() {
    let finished =
        Finished::of(&mut sterna(&["pub", "/a", "x", "--server", "127.0.0.1:9", "--timeout", "1"]));
    assert_eq!(finished.code, Some(1));
    let expected = "sterna pub: no result in time; no connection to 127.0.0.1:9: Connection refused";
    assert!(finished.stderr[0].starts_with(expected), "{finished:?}");
}

#[test]
fn a_publish_goes_to_the_member_that_is_there() {
    let member = Member::start(&[]);
    for _ in 0..4 {
        succeed(&member, &["pub", "/a", "x", "--server", "127.0.0.1:9"]);
    }
}

#[test]
fn wrong_usage_is_told_before_anything_is_sent() {
    for (arguments, said) in [
        (&["pub", "a", "x"][..], "a subject begins with '/'"),
        (&["pub", "/a", ""], "CONTENT"),
        (&["pub", "/a"], "CONTENT"),
        (&["pub", "/a", "x", "--qos", "exactly"], "write guaranteed or standard"),
        (&["pub", "/a", "x", "--retained", "maybe"], "true"),
        (&["pub", "/a", "x", "--server", "http://a"], "write host:port"),
        (&["pub", "/a", "x", "--in-flight", "0"], "1..=512"),
        (&["pub", "/a", "x", "--publisher-seq", "2"], "--publisher"),
    ] {
        let finished = Finished::of(&mut sterna(arguments));
        assert_eq!(finished.code, Some(2), "{arguments:?}");
        assert!(finished.error_text().contains(said), "{arguments:?}: {finished:?}");
    }
}

#[test]
fn help_has_examples_and_exit_codes_and_shows_no_token() {
    for name in ["pub", "sub", "replay"] {
        let finished = Finished::of(sterna(&[name, "--help"]).env("STERNA_TOKEN", "secret-token"));
        let text = finished.stdout.join("\n");
        assert_eq!(finished.code, Some(0));
        assert!(text.contains("Examples:") && text.contains("Exit codes:"), "{text}");
        assert!(!text.contains("secret-token"));
    }
}
