//! Responses byte by byte.

use sterna_model::Code;
use sterna_wire::http::{OriginPolicy, Response};

use super::{get, one, violation};

fn encoded(response: &Response) -> String {
    let mut out = Vec::new();
    response.encode(&get("/"), "", &mut out);
    String::from_utf8(out).expect("these responses are text")
}

#[test]
fn complete_response_states_its_length() {
    assert_eq!(
        encoded(&Response::new(200, "text/plain", "hello".as_bytes())),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"
    );
}

#[test]
fn a_clock_gives_a_date() {
    let mut out = Vec::new();
    Response::empty(304).encode(&get("/"), &sterna_wire::http::date(784_111_777), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 304 Not Modified\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\n\r\n"
    );
}

#[test]
fn answer_to_head_has_the_length_but_no_body() {
    let mut out = Vec::new();
    let head = one(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    Response::json(200, b"{}".to_vec()).encode(&head, "", &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n\
         Cache-Control: no-store\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn bodiless_statuses_have_no_length() {
    assert_eq!(encoded(&Response::empty(304)), "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(
        encoded(&Response::empty(301).header("Location", "/a/")),
        "HTTP/1.1 301 Moved Permanently\r\nLocation: /a/\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
    );
}

#[test]
fn event_stream_ends_with_its_connection() {
    assert_eq!(
        encoded(&Response::event_stream()),
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
         X-Accel-Buffering: no\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn error_shows_the_row_of_the_code_table() {
    let text = encoded(&Response::error(Code::SubjectInvalid, Some("no \"leading\" slash")));
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    assert!(
        text.ends_with(
            "\r\n\r\n{\"code\":4007,\"name\":\"subject_invalid\",\"class\":\"rejected\",\
             \"advice\":\"The subject is not an absolute path of non-empty segments; correct it.\",\
             \"detail\":\"no \\\"leading\\\" slash\"}"
        ),
        "{text}"
    );
    for code in Code::ALL {
        let response = Response::error(*code, None);
        assert_eq!(response.status(), code.http_status());
        let text = encoded(&response);
        assert!(!text.starts_with(&format!("HTTP/1.1 {} \r\n", code.http_status())), "no phrase: {code}");
        assert_eq!(text.contains("\r\nWWW-Authenticate: Bearer\r\n"), response.status() == 401, "{code}");
        assert_eq!(text.contains("\r\nRetry-After: 1\r\n"), matches!(response.status(), 429 | 503), "{code}");
        assert!(!text.contains("\"detail\""), "{code}");
    }
    let text = encoded(&Response::method_not_allowed("GET, HEAD"));
    assert!(
        text.starts_with("HTTP/1.1 405 Method Not Allowed\r\n") && text.contains("\r\nAllow: GET, HEAD\r\n")
    );
}

#[test]
fn violation_is_answered_and_ends_the_connection() {
    let mut out = Vec::new();
    Response::from(&violation(b"GET / HTTP/1.1\r\n\r\n")).encode_last("", &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n") && text.contains("\r\nConnection: close\r\n"));
    assert!(text.contains("the Host header is missing"));
}

#[test]
fn nothing_splits_a_response() {
    let evil = "https://a\r\n\r\nHTTP/1.1 200 OK\r\nX: \n\0\u{7f}";
    let listed = OriginPolicy::Listed([evil.into()].into());
    let text = encoded(&Response::empty(204).header("Location", evil).cors(Some(evil), &listed));
    assert_eq!(text.matches("\r\n\r\n").count(), 1, "{text:?}");
    assert_eq!(text.lines().count(), 6, "{text:?}");
}

#[test]
fn pages_may_only_run_what_comes_from_here() {
    let text = encoded(&Response::page("text/html; charset=utf-8", "<p>".as_bytes()));
    assert!(text.contains("\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; "));
    assert!(text.contains("frame-ancestors 'none'\r\n") && !text.contains("unsafe"));
    assert!(text.contains("\r\nX-Content-Type-Options: nosniff\r\n"));
}

#[test]
fn origins_are_welcome_as_the_policy_says() {
    let listed = OriginPolicy::Listed(["https://a.example".into()].into());
    assert!(listed.allows(Some("HTTPS://A.example")) && listed.allows(None));
    assert!(OriginPolicy::Any.allows(Some("null")));
    for stranger in ["https://a.example.evil", "http://a.example", "null", "https://a.example, https://b", ""]
    {
        assert!(!listed.allows(Some(stranger)), "{stranger}");
    }

    let line = |origin, policy: &OriginPolicy| {
        let text = encoded(&Response::empty(200).cors(origin, policy));
        text.lines().find_map(|line| line.strip_prefix("Access-Control-Allow-Origin: ").map(str::to_owned))
    };
    assert_eq!(line(Some("https://a.example"), &listed).as_deref(), Some("https://a.example"));
    assert_eq!(line(Some("https://b.example"), &listed), None);
    assert_eq!(line(Some("https://b.example"), &OriginPolicy::Any).as_deref(), Some("*"));
    assert!(encoded(&Response::empty(200).cors(None, &listed)).contains("\r\nVary: Origin\r\n"));
}

#[test]
fn preflight_is_answered_without_a_body() {
    assert_eq!(
        encoded(&OriginPolicy::Any.preflight(Some("https://a"))),
        "HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\n\
         Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n\
         Access-Control-Allow-Headers: Authorization, Content-Type, Last-Event-ID\r\n\
         Access-Control-Max-Age: 86400\r\nConnection: keep-alive\r\n\r\n"
    );
    let listed = OriginPolicy::Listed(Box::default());
    assert!(!encoded(&listed.preflight(Some("https://a"))).contains("Access-Control"));
}
