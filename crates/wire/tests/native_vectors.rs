//! The conformance vectors, run against this codec. A failure says: either the codec or the vector is wrong.

#![allow(clippy::disallowed_methods, reason = "the vectors lie in files; only the crate itself is pure")]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sterna_model::Code;
use sterna_wire::native::{
    ServerFrame, decode, decode_server, encode_message, encode_message_body, encode_reply, encode_request,
};

mod native_meaning;
mod native_reply;

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance").join(file)
}

/// The cases of a vector file; their names have to be unique.
fn cases(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(path(file)).expect("the vectors are part of the project");
    let whole: Value = serde_json::from_str(&text).expect("a vector file is JSON");
    let cases = whole["cases"].as_array().expect("a list of cases").clone();
    let mut names: Vec<&str> = cases.iter().map(name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "{file}: a name comes twice");
    cases
}

fn name(case: &Value) -> &str {
    case["name"].as_str().expect("a case has a name")
}

fn text(case: &Value) -> &str {
    case["text"].as_str().expect("a case has a text")
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("JSON is text")
}

#[test]
fn requests_mean_what_the_vectors_say() {
    for case in cases("requests.json") {
        match decode(text(&case)) {
            Ok(request) => {
                assert_eq!(native_meaning::of_request(&request), case["accepted"], "{}", name(&case));
                let again = written(|out| encode_request(&request, out));
                assert_eq!(decode(&again), Ok(request), "{}: {again}", name(&case));
            }
            Err(refused) => {
                let expected = &case["refused"];
                let names = expected["names"].as_str().unwrap_or_default();
                assert!(refused.detail.contains(names), "{}: {}", name(&case), refused.detail);
                let mut found = json!({
                    "code": refused.code.number(),
                    "id": refused.id,
                    "closure": refused.closure,
                    "publish": refused.publish,
                });
                if !names.is_empty() {
                    found["names"] = names.into();
                }
                assert_eq!(found, *expected, "{}: {}", name(&case), refused.detail);
            }
        }
    }
}

#[test]
fn replies_mean_what_the_vectors_say() {
    for case in cases("replies.json") {
        let frame = decode_server(text(&case)).unwrap();
        assert_eq!(native_meaning::of_server_frame(&frame), case["meaning"], "{}", name(&case));
        if case["canonical"] == true {
            let reply = native_reply::to_reply(frame).unwrap();
            assert_eq!(written(|out| encode_reply(&reply, out)), text(&case), "{}", name(&case));
        }
    }
}

#[test]
fn deliveries_mean_what_the_vectors_say() {
    for case in cases("deliveries.json") {
        let Ok(ServerFrame::Message { kind, record }) = decode_server(text(&case)) else {
            panic!("{}: not a message", name(&case));
        };
        assert_eq!(native_meaning::of_message(kind, &record), case["meaning"], "{}", name(&case));
        if case["canonical"] == true {
            let frame = written(|out| encode_message(kind, &record, out));
            assert_eq!(frame, text(&case), "{}", name(&case));
            let body = written(|out| encode_message_body(kind, &record, out));
            assert_eq!(body, frame.replacen("\"op\":\"message\",", "", 1), "{}", name(&case));
        }
    }
}

#[test]
fn every_operation_and_reply_has_a_vector() {
    let names_of = |file: &str, part: &str| -> Vec<String> {
        let all = cases(file);
        all.iter().filter_map(|case| case[part]["op"].as_str()).map(Into::into).collect()
    };
    let requests = names_of("requests.json", "accepted");
    for op in ["connect", "subscribe", "unsubscribe", "publish", "ping", "token"] {
        assert!(requests.iter().any(|name| name == op), "{op}");
    }
    let replies = names_of("replies.json", "meaning");
    let ops = [
        "connected",
        "subscribed",
        "unsubscribed",
        "published",
        "error",
        "pong",
        "token_renewed",
        "notice",
        "other",
    ];
    for op in ops {
        assert!(replies.iter().any(|name| name == op), "{op}");
    }
}

/// `UPDATE_VECTORS=1 cargo test -p sterna-wire --test native_vectors` writes the file anew.
#[test]
fn codes_are_those_of_the_table() {
    let lines: Vec<String> = Code::ALL.iter().map(code_line).collect();
    let expected = format!("{{\n  \"codes\": [\n{}\n  ]\n}}\n", lines.join(",\n"));
    let path = path("codes.json");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        expected,
        "rerun with UPDATE_VECTORS=1 and review the diff"
    );
    serde_json::from_str::<Value>(&expected).unwrap();
}

fn code_line(code: &Code) -> String {
    format!(
        "    {{\"code\": {}, \"name\": \"{}\", \"class\": \"{}\", \"publish_status\": \"{}\", \
         \"websocket_close\": {}, \"http_status\": {}, \"mqtt_reason\": {},\n     \"advice\": {}}}",
        code.number(),
        code.name(),
        code.class().name(),
        code.publish_status().name(),
        code.websocket_close(),
        code.http_status(),
        code.mqtt_reason(),
        Value::from(code.advice()),
    )
}
