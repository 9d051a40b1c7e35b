//! `sterna sub`.

use std::io::Read;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::running::{command, run, run_with_input, subscribe, succeed};
use crate::support::{Finished, Member, Running, eventually, sterna};

#[test]
fn one_subject_prints_contents_and_several_print_their_names() {
    let member = Member::start(&[]);
    succeed(&member, &["pub", "/a", "1"]);
    succeed(&member, &["pub", "/b", "2"]);
    assert_eq!(succeed(&member, &["sub", "/a", "--count", "1"]), ["1"]);
    let mut both = succeed(&member, &["sub", "/a", "/b", "--count", "2"]);
    both.sort();
    assert_eq!(both, ["/a\t1", "/b\t2"]);
}

#[test]
fn json_is_the_native_message_a_line() {
    let member = Member::start(&[]);
    run_with_input(&member, &["pub", "/a", "-"], "1\n2\n3\n");
    let lines = succeed(&member, &["sub", "/a", "--history", "2", "--count", "2", "--json"]);
    let messages: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<_> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [2, 3]);
    assert_eq!(messages[0]["op"], "message");
    assert_eq!(messages[0]["type"], "historical");
    assert_eq!(messages[0]["content"], "2");
}

#[test]
fn binary_content_is_printed_as_it_is() {
    let member = Member::start(&[]);
    let mut publisher = command(&member, &["pub", "/a", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut publisher.stdin.take().unwrap(), b"\xff\x00\xfe\n").unwrap();
    assert!(publisher.wait().unwrap().success());
    let mut subscriber = command(&member, &["sub", "/a", "--count", "1"]).spawn().unwrap();
    let mut printed = Vec::new();
    subscriber.stdout.take().unwrap().read_to_end(&mut printed).unwrap();
    assert!(subscriber.wait().unwrap().success());
    assert_eq!(printed, b"\xff\x00\xfe\n");
}

#[test]
fn a_run_goes_on_after_the_position_of_an_earlier_one() {
    let member = Member::start(&[]);
    run_with_input(&member, &["pub", "/a", "-"], "1\n2\n3\n4\n");
    let line = &succeed(&member, &["sub", "/a", "--count", "1", "--json"])[0];
    let epoch = serde_json::from_str::<Value>(line).unwrap()["epoch"].as_u64().unwrap();
    let since = |seq: u64| format!("{epoch}:{seq}");
    assert_eq!(succeed(&member, &["sub", "/a", "--since", &since(2), "--count", "2"]), ["3", "4"]);
    let finished = run(&member, &["sub", "/a", "--since", &since(9), "--count", "1"]);
    assert_eq!((finished.code, &*finished.stdout), (Some(0), &["4".to_owned()][..]));
    assert!(finished.stderr[0].contains("/a: reset at "), "{finished:?}");
}

#[test]
fn a_count_that_is_not_reached_in_time_is_a_failure() {
    let member = Member::start(&[]);
    let nothing: Vec<String> = Vec::new();
    let finished = run(&member, &["sub", "/a", "--count", "1", "--timeout", "1"]);
    assert_eq!((finished.code, finished.stdout), (Some(1), nothing.clone()));
    assert_eq!(succeed(&member, &["sub", "/a", "--timeout", "1"]), nothing);
}

#[test]
fn a_server_that_is_not_there_is_told_once_and_waited_for() {
    let arguments = ["sub", "/a", "--count", "1", "--timeout", "2", "--server", "127.0.0.1:9"];
    let finished = Finished::of(&mut sterna(&arguments));
    assert_eq!((finished.code, finished.stderr.len()), (Some(1), 1), "{finished:?}");
    assert!(finished.stderr[0].contains("no connection to 127.0.0.1:9: Connection refused"), "{finished:?}");
}

#[test]
fn ctrl_c_ends_it_without_a_fault() {
    let member = Member::start(&[]);
    let mut subscriber = subscribe(&member, &["/a"]);
    subscriber.signal("INT");
    assert_eq!(subscriber.wait(), Some(0));
    let mut subscriber = subscribe(&member, &["/a", "--count", "1"]);
    subscriber.signal("TERM");
    assert_eq!(subscriber.wait(), Some(1), "the count was not reached");
}

#[test]
fn a_reader_that_has_enough_ends_it_without_a_fault() {
    let member = Member::start(&[]);
    let input: String = (0..100).map(|number| format!("{number}\n")).collect();
    run_with_input(&member, &["pub", "/a", "-"], &input);
    let mut subscriber = command(&member, &["sub", "/a", "--history", "100"]).spawn().unwrap();
    let mut head = Command::new("head")
        .args(["-n", "1"])
        .stdin(subscriber.stdout.take().unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(head.wait().unwrap().success());
    // It finds out with the next line that it prints.
    let status = eventually("the end of sub", || {
        succeed(&member, &["pub", "/a", "more"]);
        subscriber.try_wait().unwrap()
    });
    let mut said = String::new();
    subscriber.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((status.code(), &*said), (Some(0), ""));
}

#[test]
fn a_token_that_may_not_subscribe_ends_it() {
    let secret = format!("-DJwt.HmacSecret={}", "QUJD".repeat(16));
    let member = Member::start(&["-DEntitlement=JWT", &secret]);
    let finished = run(&member, &["sub", "/a", "--count", "1"]);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.stderr[0].starts_with("sterna sub: 4031 token_invalid: "), "{finished:?}");
}

#[test]
fn a_restart_of_the_member_is_survived_and_told() {
    let mut member = Member::start(&["-DDrainTime=0"]);
    let mut subscriber = subscribe(&member, &["/a", "--count", "2"]);
    succeed(&member, &["pub", "/a", "before"]);
    subscriber.stdout.find("before").unwrap();
    assert_eq!(member.stop(), Some(0));
    member.restart();
    subscriber.stderr.find("/a: reset at ").expect("a single server forgets");
    succeed(&member, &["pub", "/a", "after"]);
    assert_eq!(subscriber.wait(), Some(0));
    assert_eq!(subscriber.stdout.all(), ["before", "after"]);
}

#[test]
fn wrong_usage_is_told() {
    for (arguments, said) in [
        (&["sub"][..], "SUBJECT"),
        (&["sub", "a"], "a subject begins with '/'"),
        (&["sub", "/a", "--since", "7"], "write EPOCH:SEQ"),
        (&["sub", "/a", "/b", "--since", "7:1"], "give one subject"),
        (&["sub", "/a", "--count", "0"], "--count"),
        (&["sub", "/a", "--conflation", "60001"], "60000"),
        (&["sub", "/a", "--server", "wss://localhost", "--ca", "absent.pem"], "absent.pem"),
    ] {
        let finished = Running::start(&mut sterna(arguments)).finish();
        assert_eq!(finished.code, Some(2), "{arguments:?}");
        assert!(finished.error_text().contains(said), "{arguments:?}: {finished:?}");
    }
}

#[test]
fn conflation_prints_the_newest() {
    let member = Member::start(&[]);
    let subscriber = subscribe(&member, &["/a", "--conflation", "200"]);
    let input: String = (0..500).map(|number| format!("{number}\n")).collect();
    run_with_input(&member, &["pub", "/a", "-"], &input);
    subscriber.stdout.find("499").unwrap();
    let printed = subscriber.stdout.lines().len();
    assert!(printed < 100, "{printed} of 500");
}
