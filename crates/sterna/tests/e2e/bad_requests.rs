//! Clients that break the native protocol: each request is answered with its code, and the connection goes on.

use std::fs;

use serde_json::{Value, json};
use sterna_model::Code;

use crate::native::Native;
use crate::support::{Member, TOKEN};

/// The answer to a refused request: an error, or the result of a publish.
fn assert_refused(answer: &Value, code: Code, request: &str) {
    assert_eq!(answer["code"], code.number(), "{answer} to {request}");
    assert_eq!(answer["name"], code.name(), "{answer} to {request}");
    assert_eq!(answer["class"], code.class().name(), "{answer} to {request}");
    assert_eq!(answer["advice"], code.advice(), "{answer} to {request}");
    let expected =
        if answer["op"] == "published" { code.publish_status().name().into() } else { Value::Null };
    assert_eq!(answer["status"], expected, "{answer} to {request}");
}

#[test]
fn the_conformance_vectors_are_refused_over_the_wire_as_they_say() {
    let member = Member::start(&[]);
    let mut client = Native::connect(&member.address(), Some(TOKEN));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/requests.json");
    let vectors: Value = serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("JSON");
    let mut refused_count = 0;
    for case in vectors["cases"].as_array().expect("a list") {
        let refused = &case["refused"];
        if refused.is_null() {
            continue;
        }
        refused_count += 1;
        let text = case["text"].as_str().expect("a text");
        client.send_text(text);
        let answer = client.frame();
        let name = &case["name"];
        assert_eq!(answer["code"], refused["code"], "{name}: {answer} to {text}");
        assert_eq!(answer["id"], refused["id"], "{name}: {answer} to {text}");
        assert_eq!(answer["closure"], refused["closure"], "{name}: {answer} to {text}");
        let op = if refused["publish"] == true { "published" } else { "error" };
        assert_eq!(answer["op"], op, "{name}: {answer} to {text}");
        let names = refused["names"].as_str().unwrap_or_default();
        assert!(answer["detail"].as_str().unwrap_or_default().contains(names), "{name}: {answer} to {text}");
    }
    assert!(refused_count > 50, "{refused_count} vectors");
    client.assert_alive();
}

#[test]
fn requests_that_are_well_formed_and_wrong_are_refused_one_by_one() {
    let member = Member::start(&["-DMaxMessageSize=1000"]);
    let mut client = Native::connect(&member.address(), Some(TOKEN));
    let long = "x".repeat(1001);
    let long_subject = format!("/{}", "s".repeat(1024));
    let mut cases: Vec<(Value, Code)> = Vec::new();
    for subject in ["", "/", "no-slash", "/a/", "//", "/a//b", "/a\u{0}b", "/a\nb", &long_subject] {
        cases.push((json!({"op": "publish", "subject": subject, "content": "x"}), Code::SubjectInvalid));
        cases.push((json!({"op": "subscribe", "subjects": [subject]}), Code::SubjectInvalid));
        cases.push((json!({"op": "unsubscribe", "subjects": [subject]}), Code::SubjectInvalid));
        let reply_to = json!({"op": "publish", "subject": "/a", "content": "x", "reply_to": subject});
        cases.push((reply_to, Code::SubjectInvalid));
    }
    let publish =
        |subject: &str, content: &str| json!({"op": "publish", "subject": subject, "content": content});
    cases.push((publish("/a", ""), Code::ContentEmpty));
    cases.push((publish("/a", &long), Code::MessageTooLarge));
    cases.push((publish("/__sterna__/x", "x"), Code::SubjectReserved));
    cases.push((json!({"op": "unsubscribe", "subjects": ["/never"]}), Code::NotSubscribed));
    cases.push((json!({"op": "connect"}), Code::AlreadyConnected));
    for (mut request, code) in cases {
        if request["op"] == "publish" {
            // Without id and closure, a refusal is answered all the same.
            client.send(&request);
            assert_refused(&client.frame_of("published"), code, &request.to_string());
            request["closure"] = "c".into();
        }
        if request["op"] != "connect" {
            request["id"] = 17.into();
        }
        client.send(&request);
        let answer = client.frame();
        assert_refused(&answer, code, &request.to_string());
        assert_eq!(answer["id"], request["id"], "{answer}");
        assert_eq!(answer["closure"], request["closure"], "{answer}");
    }
    client.assert_alive();
    client.publish_ok("/a", &long[1..]);
    let mut other = Native::connect(&member.address(), None);
    assert_eq!(other.subscribe("/a")["seq"], 1, "nothing that was refused was published");
}

#[test]
fn content_of_the_largest_size_passes_however_it_is_escaped() {
    let member = Member::start(&[]);
    let mut client = Native::connect(&member.address(), Some(TOKEN));
    let content: String = "\u{1}".repeat(65_536);
    let request = json!({"op": "publish", "id": 1, "subject": "/escaped", "content": content}).to_string();
    assert!(request.len() > 6 * 65_536, "each byte takes six");
    client.send_text(&request);
    assert_eq!(client.frame_of("published")["status"], "OK");
    client.subscribe("/escaped");
    assert_eq!(client.frame_of("message")["content"], *content);
    let beyond = format!("{}{}", request, " ".repeat(6 * 65_536 + 16_384 + 1 - request.len()));
    client.send_text(&beyond);
    assert_eq!(client.close().0, 1009, "a frame beyond any valid request");
}

#[test]
fn nothing_but_a_ping_goes_before_connect() {
    let member = Member::start(&[]);
    let mut client = Native::open(&member.address());
    for request in [
        json!({"op": "subscribe", "id": 1, "subjects": ["/a"]}),
        json!({"op": "unsubscribe", "id": 1, "subjects": ["/a"]}),
        json!({"op": "publish", "id": 1, "closure": "c", "subject": "/a", "content": "x"}),
        json!({"op": "token", "id": 1, "token": TOKEN}),
    ] {
        client.send(&request);
        let answer = client.frame();
        assert_refused(&answer, Code::ConnectRequired, &request.to_string());
        assert_eq!(answer["id"], 1, "{answer}");
    }
    client.assert_alive();
    client.begin(Some(TOKEN));
    client.publish_ok("/a", "x");
}

#[test]
fn a_version_that_nobody_speaks_ends_the_connection_with_its_code() {
    let member = Member::start(&[]);
    for version in [0, 2] {
        let mut client = Native::open(&member.address());
        let request = json!({"op": "connect", "version": version});
        client.send(&request);
        assert_refused(&client.frame_of("error"), Code::VersionUnsupported, &request.to_string());
        assert_eq!(client.close(), (4006, "version_unsupported".to_owned()));
    }
}
