//! Clients that break HTTP, or use it to get past somebody: each gets its code, and the server goes on.

use sterna_model::Code;

use crate::http::Http;
use crate::native::upgrade;
use crate::support::{Member, TOKEN};

const REST: &str = "-DRest.Enable=true";
const GET: &str = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_request_that_cannot_be_read_gets_its_code_and_the_end() {
    let member = Member::start(&[REST]);
    let long = "x".repeat(16 * 1024);
    let many = "X: y\r\n".repeat(65);
    let violation = Code::ProtocolViolation;
    let cases: Vec<(&str, String, Code)> = vec![
        ("no HTTP", "hello\r\n\r\n".into(), violation),
        ("a TLS hello", "\u{16}\u{3}\u{1}\u{2}\r\n\r\n".into(), violation),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), violation),
        ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n".into(), violation),
        ("no host", "GET / HTTP/1.1\r\n\r\n".into(), violation),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(), violation),
        ("a lone line feed", "GET / HTTP/1.1\nHost: a\n\n".into(), violation),
        ("a lone carriage return", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n".into(), violation),
        ("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n".into(), violation),
        ("a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n".into(), violation),
        ("NUL in a header", "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n".into(), violation),
        ("a broken escape", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n".into(), violation),
        ("an escape that is no UTF-8", "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n".into(), Code::InvalidUtf8),
        ("a fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n".into(), violation),
        ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n".into(), violation),
        ("a long target", format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), Code::HeadTooLarge),
        ("a long header", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), Code::HeadTooLarge),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), Code::HeadTooLarge),
        (
            "a head without an end",
            format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(10_000)),
            Code::HeadTooLarge,
        ),
    ];
    for (name, bytes, code) in cases {
        let mut http = Http::open(&member.address());
        // The server may answer and close before it has taken all.
        let _ = http.try_send(&bytes);
        let answer = http.answer();
        println!("{name}: {}", answer.text());
        answer.assert_refused(code);
        assert_eq!(answer.header("connection"), Some("close"), "{name}");
        http.assert_end();
    }
    assert_eq!(Http::open(&member.address()).get("/health").status, 200);
}

#[test]
fn a_body_with_an_ambiguous_or_too_great_length_smuggles_nothing() {
    let member = Member::start(&[REST]);
    let smuggled = format!(
        "POST /rest/produce?subject=/smuggled&token={TOKEN} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    );
    let length = smuggled.len();
    let cases = [
        ("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n".to_owned(), "0\r\n\r\n"),
        ("two equal lengths", "Content-Length: 3\r\nContent-Length: 3\r\n".into(), "abc"),
        ("two lengths", "Content-Length: 3\r\nContent-Length: 0\r\n".into(), "abc"),
        ("a list of lengths", "Content-Length: 3, 3\r\n".into(), "abc"),
        ("a negative length", "Content-Length: -1\r\n".into(), ""),
        ("a length with a sign", "Content-Length: +3\r\n".into(), "abc"),
        ("a hexadecimal length", "Content-Length: 0x3\r\n".into(), "abc"),
        ("a length beyond 64 bits", "Content-Length: 18446744073709551619\r\n".into(), "abc"),
        ("a coding before chunked", "Transfer-Encoding: gzip, chunked\r\n".into(), "0\r\n\r\n"),
        ("a coding like chunked", "Transfer-Encoding: xchunked\r\n".into(), "0\r\n\r\n"),
        (
            "chunked twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".into(),
            "0\r\n\r\n",
        ),
        ("a chunk with a negative size", "Transfer-Encoding: chunked\r\n".into(), "-1\r\n"),
        (
            "a chunk that is longer than it says",
            "Transfer-Encoding: chunked\r\n".into(),
            "1\r\nabc\r\n0\r\n\r\n",
        ),
        ("a chunk line with a lone line feed", "Transfer-Encoding: chunked\r\n".into(), "1\na\r\n0\r\n\r\n"),
        ("a chunk size beyond 64 bits", "Transfer-Encoding: chunked\r\n".into(), "fffffffffffffffff\r\n"),
    ];
    for (name, lines, body) in cases {
        let mut http = Http::open(&member.address());
        http.send(format!(
            "POST /rest/produce?subject=/a&token={TOKEN} HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}{smuggled}"
        ));
        let answer = http.answer();
        println!("{name}: {}", answer.text());
        answer.assert_refused(Code::ProtocolViolation);
        http.assert_end();
    }
    // A body with GET is a body, and not the next request.
    let mut http = Http::open(&member.address());
    http.send(format!("GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{smuggled}"));
    assert_eq!(http.answer().status, 200);
    assert_eq!(
        http.get("/rest/consume?subject=/smuggled").json()["messages"].as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn a_body_beyond_the_bound_is_refused_by_what_it_states() {
    let member = Member::start(&[REST, "-DMaxMessageSize=1000"]);
    let head = |lines: &str| {
        format!("POST /rest/produce?subject=/a&closure=c&token={TOKEN} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
    };
    for lines in [
        "Content-Length: 1001\r\n",
        "Content-Length: 1001\r\nExpect: 100-continue\r\n",
        "Content-Length: 99999999999\r\n",
    ] {
        let mut http = Http::open(&member.address());
        http.send(head(lines));
        let answer = http.answer();
        assert_eq!(
            (answer.status, answer.text()),
            (413, r#"{"subject":"/a","closure":"c","status":"MESSAGE_SIZE_LIMIT_EXCEEDED"}"#)
        );
        http.assert_end();
    }
    let mut http = Http::open(&member.address());
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    http.send(format!("{}{chunk}{chunk}1\r\n", head("Transfer-Encoding: chunked\r\n")));
    assert_eq!(http.answer().status, 413);
    http.assert_end();
    let mut http = Http::open(&member.address());
    http.send(format!("{}{chunk}{chunk}0\r\n\r\n", head("Transfer-Encoding: chunked\r\n")));
    assert_eq!(http.answer().json()["status"], "OK");
}

#[test]
fn parameters_that_are_wrong_are_named() {
    let member = Member::start(&[REST]);
    let mut http = Http::open(&member.address());
    let long = "x".repeat(1025);
    let cases = [
        ("/rest/consume", Code::ParameterInvalid, "subject"),
        ("/rest/consume?subject=", Code::ParameterInvalid, "subject"),
        ("/rest/consume?subject=/a&subject=/b", Code::ParameterInvalid, "subject"),
        ("/rest/consume?subject=/a&histroy=1", Code::UnknownField, "histroy"),
        ("/rest/consume?subject=/a&history=-1", Code::ParameterInvalid, "history"),
        ("/rest/consume?subject=/a&history=1e3", Code::ParameterInvalid, "history"),
        ("/rest/consume?subject=/a&seq=1", Code::ParameterInvalid, "epoch"),
        ("/rest/consume?subject=/a&epoch=1", Code::ParameterInvalid, "seq"),
        ("/rest/consume?subject=/a&wait=61", Code::ParameterInvalid, "wait"),
        ("/rest/consume?subject=a", Code::SubjectInvalid, ""),
        ("/rest/consume?subject=/a%00b", Code::SubjectInvalid, ""),
        ("/sse", Code::ParameterInvalid, "subject"),
        ("/sse?subject=/a&subject=/a", Code::ParameterInvalid, "subject"),
        ("/sse?subject=/a&last_event_id=x!", Code::ParameterInvalid, "last_event_id"),
        ("/sse?subject=a", Code::SubjectInvalid, ""),
        ("/sse?subject=/a&conflation_ms=60001", Code::ParameterInvalid, "conflation_ms"),
        ("/nothing/here", Code::NotFound, ""),
    ];
    for (target, code, named) in cases {
        let answer = http.get(target);
        println!("{target}: {}", answer.text());
        answer.assert_refused(code);
        assert!(
            answer.json()["detail"].as_str().unwrap_or_default().contains(named),
            "{target}: {}",
            answer.text()
        );
        assert_eq!(answer.header("connection"), Some("keep-alive"), "the connection goes on");
    }
    for (query, code) in [
        ("subject=/a&retained=yes".to_owned(), Code::ParameterInvalid),
        ("subject=/a&qos=best".into(), Code::ParameterInvalid),
        ("subject=/a&reply_to=/b".into(), Code::UnknownField),
        (format!("subject=/a&closure={long}"), Code::ParameterInvalid),
    ] {
        http.send(format!("POST /rest/produce?{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"));
        http.answer().assert_refused(code);
    }
}

#[test]
fn what_a_publish_over_rest_is_refused_for_is_in_its_status() {
    let member = Member::start(&[REST]);
    let mut http = Http::open(&member.address());
    let status = |http: &mut Http, subject: &str, token: &str, content: &str| {
        let answer = http.produce(subject, token, content);
        let body = answer.json();
        assert_eq!((&body["subject"], &body["closure"]), (&subject.into(), &"c".into()), "{body}");
        (answer.status, body["status"].as_str().expect("a status").to_owned())
    };
    assert_eq!(status(&mut http, "/a", TOKEN, "x"), (200, "OK".to_owned()));
    assert_eq!(status(&mut http, "/a", "wrong", "x"), (403, "DENY".to_owned()));
    assert_eq!(status(&mut http, "a", TOKEN, "x"), (400, "FAILED".to_owned()));
    assert_eq!(status(&mut http, "/a", TOKEN, ""), (400, "FAILED".to_owned()));
    assert_eq!(status(&mut http, "/__sterna__/a", TOKEN, "x"), (403, "DENY".to_owned()));
}

#[test]
fn upgrades_that_are_no_upgrades_are_refused() {
    let member = Member::start(&[]);
    let good = upgrade("");
    let cases = [
        good.replace("Version: 13", "Version: 8"),
        good.replace("Sec-WebSocket-Version: 13\r\n", ""),
        good.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
        good.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="),
        good.replace("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all!!!!!!!"),
    ];
    for request in cases {
        let mut http = Http::open(&member.address());
        http.send(&request);
        let answer = http.answer();
        answer.assert_refused(Code::ProtocolViolation);
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    }
    let mut http = Http::open(&member.address());
    http.send(good.replace("GET / ", "GET /elsewhere "));
    http.answer().assert_refused(Code::NotFound);
    http.send(GET);
    assert_eq!(http.answer().status, 200, "the connection still speaks HTTP");
}

#[test]
fn a_thousand_pipelined_requests_are_answered_in_their_order() {
    let member = Member::start(&[REST]);
    let mut http = Http::open(&member.address());
    let requests: String = (0..1000)
        .map(|number| match number % 5 {
            0 => format!("POST /rest/produce?subject=/pipe&closure=c{number}&token={TOKEN} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
            1 => "GET /rest/consume?subject=/pipe&history=1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            2 => GET.to_owned(),
            3 => "GET /rest/consume?subject=none HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            _ => "POST /rest/produce?subject=/pipe&closure=d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".to_owned(),
        })
        .collect();
    http.send(requests);
    for number in 0..1000 {
        let answer = http.answer();
        match number % 5 {
            0 => assert_eq!(answer.json()["closure"], format!("c{number}")),
            1 => assert_eq!(answer.json()["messages"][0]["closure"], format!("c{}", number - 1)),
            2 => assert_eq!(answer.json()["status"], "ok"),
            3 => answer.assert_refused(Code::SubjectInvalid),
            _ => assert_eq!(answer.json()["status"], "DENY"),
        }
    }
}

#[test]
fn pipelined_requests_that_fail_at_once_cost_no_stack() {
    let member = Member::start(&[REST]);
    for refused in [
        "GET /rest/consume?subject=x HTTP/1.1\r\nHost:a\r\n\r\n",
        "POST /rest/produce?subject=x HTTP/1.1\r\nHost:a\r\n\r\n",
    ] {
        let mut http = Http::open(&member.address());
        // More than one read of the server.
        http.send(refused.repeat(4000));
        for _ in 0..4000 {
            assert_eq!(http.answer().status, 400);
        }
    }
    assert_eq!(Http::open(&member.address()).get("/health").status, 200);
}

#[test]
fn a_request_whose_client_ended_its_output_is_answered() {
    let member = Member::start(&[REST]);
    for request in [GET, "GET /rest/consume?subject=/a HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut http = Http::open(&member.address());
        http.send(request);
        http.socket().shutdown(std::net::Shutdown::Write).expect("an open socket");
        assert_eq!(http.answer().status, 200);
        http.assert_end();
    }
}
