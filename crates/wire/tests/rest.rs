//! REST requests and answers.

use sterna_model::limit::{CLOSURE_BYTES_MAX, HISTORY_MAX, TOKEN_BYTES_MAX};
use sterna_model::{
    Accepted, Code, Compression, GroupId, Kind, Message, Position, Publish, Qos, Record, Start, Subject,
};
use sterna_wire::http::{Decoder, Limits, Outcome, Request};
use sterna_wire::rest::{ConsumeResult, Produce, decode_consume, decode_produce, produce_result};

fn request(target: &str, headers: &str, body: &str) -> Request {
    let length = body.len();
    let bytes =
        format!("POST {target} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    let step = Decoder::default().next(bytes.as_bytes(), &Limits { body_bytes_max: 1000 });
    let Ok(Outcome::Request(request)) = step.map(|step| step.outcome) else {
        panic!("not a request: {target}")
    };
    request
}

fn produce(target: &str) -> Result<Produce, (Code, String)> {
    decode_produce(&mut request(target, "", "x"), 1_790_000_000_123)
        .map_err(|refusal| (refusal.code, refusal.detail.into()))
}

#[test]
fn documented_produce_has_the_documented_defaults() {
    let mut request = request("/rest/produce?token=u123&subject=/crm/qa", "", "Hello there");
    assert_eq!(
        decode_produce(&mut request, 1_790_000_000_123).unwrap(),
        Produce {
            token: Some("u123".into()),
            subject: "/crm/qa".into(),
            publish: Publish {
                content: b"Hello there".as_slice().into(),
                closure: "1790000000123".into(),
                retained: true,
                qos: Qos::Guaranteed,
                compression: None,
                stamp: None,
            },
        }
    );
}

#[test]
fn produce_takes_every_parameter() {
    let produce = produce("/rest/produce?subject=%2Fa+b&closure=c%201&retained=false&qos=STANDARD").unwrap();
    assert_eq!((&*produce.subject, &*produce.publish.closure), ("/a b", "c 1"));
    assert_eq!((produce.publish.retained, produce.publish.qos, produce.token), (false, Qos::Standard, None));
}

#[test]
fn bearer_header_goes_before_the_token_parameter() {
    let mut request =
        request("/rest/produce?subject=/a&token=query", "Authorization: Bearer header\r\n", "x");
    assert_eq!(decode_produce(&mut request, 0).unwrap().token.as_deref(), Some("header"));
}

#[test]
fn bad_parameters_are_named() {
    let long = "x".repeat(CLOSURE_BYTES_MAX + 1);
    let token = "x".repeat(TOKEN_BYTES_MAX + 1);
    for (query, code, detail) in [
        ("", Code::ParameterInvalid, "subject: it is missing"),
        ("?subject=", Code::ParameterInvalid, "subject: it is missing"),
        ("?subject=/a&subject=/b", Code::ParameterInvalid, "subject: expected at most 1 of it"),
        ("?subject=/a&retained=yes", Code::ParameterInvalid, "retained: expected true or false"),
        ("?subject=/a&qos=exactly", Code::ParameterInvalid, "qos: expected guaranteed or standard"),
        ("?subject=/a&priority=1", Code::UnknownField, "priority"),
        (
            &format!("?subject=/a&closure={long}"),
            Code::ParameterInvalid,
            "closure: expected at most 1024 bytes",
        ),
        (&format!("?subject=/a&token={token}"), Code::ParameterInvalid, "token: expected at most 8192 bytes"),
    ] {
        assert_eq!(produce(&format!("/rest/produce{query}")), Err((code, detail.into())), "{query}");
    }
}

#[test]
fn consume_begins_where_it_is_asked_to() {
    let start = |query: &str| {
        let consume = decode_consume(&request(&format!("/rest/consume?subject=/a{query}"), "", ""));
        consume
            .map(|consume| (consume.start, consume.wait_seconds))
            .map_err(|refusal| refusal.detail.into_string())
    };
    let from = |history, resume| Start { history, resume };
    assert_eq!(start(""), Ok((from(0, None), 0)));
    assert_eq!(start("&history=5&wait=60"), Ok((from(5, None), 60)));
    assert_eq!(start("&history=99999999999"), Ok((from(HISTORY_MAX, None), 0)));
    assert_eq!(start("&epoch=1790000000&seq=41"), Ok((from(0, Some(Position::new(1_790_000_000, 41))), 0)));
    for (query, detail) in [
        ("&epoch=1", "seq: it is missing; epoch and seq come together"),
        ("&seq=1", "epoch: it is missing; epoch and seq come together"),
        ("&epoch=-1&seq=1", "epoch: expected a number from 0 to 18446744073709551615"),
        ("&history=ten", "history: expected a number from 0 to 18446744073709551615"),
        ("&history=%2B5", "history: expected a number from 0 to 18446744073709551615"),
        ("&wait=61", "wait: expected a number from 0 to 60"),
        ("&closure=a", "closure"),
    ] {
        assert_eq!(start(query), Err(detail.into()), "{query}");
    }
}

#[test]
fn produce_result_is_compact_and_in_order() {
    let accepted = Accepted { position: Some(Position::new(7, 42)), duplicate: false };
    for (outcome, http_status, status) in [
        (Ok(accepted), 200, "OK"),
        (Err(Code::NoQuorum), 503, "FAILED"),
        (Err(Code::PublishDenied), 403, "DENY"),
        (Err(Code::TokenMissing), 401, "DENY"),
        (Err(Code::MessageTooLarge), 413, "MESSAGE_SIZE_LIMIT_EXCEEDED"),
    ] {
        let response = produce_result("/a\"b", "c1", &outcome);
        assert_eq!(response.status(), http_status);
        let expected = format!(r#"{{"subject":"/a\"b","closure":"c1","status":"{status}"}}"#);
        assert_eq!(str::from_utf8(response.body()).unwrap(), expected);
    }
}

#[test]
fn consume_result_is_compact_and_in_order() {
    let record =
        |seq, message| Record { group: GroupId(0), position: Position::new(7, seq), time_ms: 1, message };
    let subject = Subject::parse("/a").unwrap();
    let text = Message::new(subject.clone(), b"142.5".as_slice());
    let binary = Message {
        closure: "c1".into(),
        retained: false,
        compression: Some(Compression::Gzip),
        ..Message::new(subject, b"\xff\x00".as_slice())
    };
    let mut result = ConsumeResult::new("/a");
    assert!(result.is_empty());
    result.push(Kind::Snapshot, &record(41, text));
    result.push(Kind::Recovered, &record(42, binary));
    assert!(!result.is_empty() && result.held_bytes() > 200);
    let response = result.into_response();
    assert_eq!(
        str::from_utf8(response.body()).unwrap(),
        concat!(
            r#"{"subject":"/a","messages":["#,
            r#"{"message_type":"SNAPSHOT","content":"142.5","closure":null,"retained":true,"#,
            r#""compressed":false,"epoch":7,"seq":41},"#,
            r#"{"message_type":"RECOVERED","content":"/wA=","encoding":"base64","closure":"c1","retained":false,"#,
            r#""compressed":true,"epoch":7,"seq":42}]}"#
        )
    );
    let empty = ConsumeResult::new("/a").into_response();
    assert_eq!(empty.body(), br#"{"subject":"/a","messages":[]}"#);
}
