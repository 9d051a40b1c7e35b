//! `sterna replay`.

use std::time::{Duration, Instant};

use crate::running::{command, run, run_with_input, subscribe, succeed};
use crate::support::{Finished, Folder, Member, Running, TOKEN, sterna};

const RECORDING: &str = r#"{"subject":"/a","content":"1","time":1000}
{"subject":"/a","content":{"price":2.50},"time":1300}

{"subject":"/a","content":"3","time":"1970-01-01T00:00:01.600Z"}
"#;

#[test]
fn messages_are_published_at_the_recorded_pace_times_the_speed() {
    let member = Member::start(&[]);
    let folder = Folder::new();
    let path = folder.write("recording.ndjson", RECORDING);
    let path = path.to_str().unwrap();
    for (speed, least) in [("1", Duration::from_millis(600)), ("2", Duration::from_millis(300))] {
        let start = Instant::now();
        let printed = succeed(&member, &["replay", path, "--speed", speed]);
        assert!(start.elapsed() >= least, "{speed}");
        assert!(
            printed[0].starts_with("3 messages in ") && printed[0].ends_with(", 0 failed"),
            "{printed:?}"
        );
    }
    let contents = succeed(&member, &["sub", "/a", "--history", "6", "--count", "6"]);
    assert_eq!(contents, ["1", r#"{"price":2.50}"#, "3", "1", r#"{"price":2.50}"#, "3"]);
}

#[test]
fn a_speed_of_zero_does_not_wait() {
    let member = Member::start(&[]);
    let lines: Vec<String> = (0..800)
        .map(|day| format!(r#"{{"subject":"/a","content":{day},"time":{}}}"#, day * 86_400_000_i64))
        .collect();
    let finished = run_with_input(&member, &["replay", "-", "--speed", "0"], &(lines.join("\n") + "\n"));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let last = succeed(&member, &["sub", "/a", "--count", "1", "--json"]);
    assert!(last[0].contains(r#""seq":800"#), "{last:?}");
}

#[test]
fn what_sub_prints_is_a_recording() {
    let (from, to) = (Member::start(&[]), Member::start(&[]));
    run_with_input(&from, &["pub", "/a", "-", "--closure", "c"], "one\ntwo\n");
    let printed = succeed(&from, &["sub", "/a", "--history", "2", "--count", "2", "--json"]);
    let finished = run_with_input(&to, &["replay", "-"], &printed.join("\n"));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let copied = succeed(&to, &["sub", "/a", "--history", "2", "--count", "2", "--json"]);
    assert!(copied[0].contains(r#""content":"one","closure":"c""#), "{copied:?}");
}

#[test]
fn a_file_is_checked_before_anything_is_published() {
    let member = Member::start(&[]);
    let folder = Folder::new();
    let text = "{\"subject\":\"/a\",\"content\":\"1\"}\n\nno json\n{\"subject\":\"a\",\"content\":\"1\"}\n";
    let path = folder.write("broken.ndjson", text);
    let finished = run(&member, &["replay", path.to_str().unwrap()]);
    assert_eq!((finished.code, finished.stdout.len()), (Some(2), 0));
    assert!(finished.stderr[0].contains("broken.ndjson:3: expected ident"), "{finished:?}");
    assert!(
        finished.stderr[1].contains("broken.ndjson:4: subject \"a\": a subject begins with '/'"),
        "{finished:?}"
    );
    assert!(finished.stderr[2].ends_with("nothing was published"), "{finished:?}");
    let finished = run(&member, &["sub", "/a", "--count", "1", "--timeout", "1"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
}

#[test]
fn a_mistake_in_standard_input_ends_it_there() {
    let member = Member::start(&[]);
    let finished = run_with_input(&member, &["replay", "-"], "{\"subject\":\"/a\",\"content\":\"1\"}\n{}\n");
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr[0].contains("line 2: missing field"), "{finished:?}");
    assert!(finished.stdout[0].starts_with("1 messages"), "{finished:?}");
}

#[test]
fn a_loop_goes_on_until_it_is_ended_and_says_what_it_did() {
    let member = Member::start(&[]);
    let folder = Folder::new();
    let path = folder.write("recording.ndjson", RECORDING);
    let subscriber = subscribe(&member, &["/a", "--json"]);
    let arguments = ["replay", path.to_str().unwrap(), "--loop", "--speed", "100"];
    let mut replay = Running::start(&mut command(&member, &arguments));
    subscriber.stdout.find(r#""seq":7"#).expect("a third round");
    replay.signal("INT");
    assert_eq!(replay.wait(), Some(0));
    assert!(replay.stdout.all()[0].contains(" messages in "));
}

#[test]
fn the_end_tells_of_failures() {
    let member = Member::start(&[]);
    let folder = Folder::new();
    let path = folder.write("recording.ndjson", RECORDING);
    let arguments = ["replay", path.to_str().unwrap(), "--speed", "0"];
    let finished = Finished::of(command(&member, &arguments).env("STERNA_TOKEN", "wrong"));
    assert_eq!(finished.code, Some(3));
    assert!(finished.stderr[0].contains("line 1: 4034 publish_denied"), "{finished:?}");
}

#[test]
fn wrong_usage_is_told() {
    for (arguments, said) in [
        (&["replay"][..], "FILE"),
        (&["replay", "absent.ndjson"], "absent.ndjson: No such file"),
        (&["replay", "-", "--loop"], "--loop needs a file"),
        (&["replay", "x", "--speed", "-1"], "--speed"),
        (&["replay", "x", "--speed", "fast"], "write a number from 0"),
    ] {
        let finished = Finished::of(&mut sterna(arguments));
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished:?}");
        assert!(finished.error_text().contains(said), "{arguments:?}: {finished:?}");
    }
}

#[test]
fn the_example_of_the_project_can_be_replayed() {
    let member = Member::start(&[]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/stocks/stocks.ndjson");
    let arguments = ["replay", path, "--speed", "0", "--token", TOKEN];
    let printed = succeed(&member, &arguments);
    assert!(printed[0].starts_with("560 messages"), "{printed:?}");
    let last = succeed(&member, &["sub", "/stocks/AAPL", "--count", "1"]);
    assert_eq!(last, [r#"{"price":223.02,"date":"2010-03-01"}"#]);
}
