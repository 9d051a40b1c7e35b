//! What browsers, proxies and old clients expect of the port: origins, preflights, methods, versions, addresses.

use sterna_model::Code;

use crate::http::{Answer, Http};
use crate::listening::Listening;
use crate::native::{Native, upgrade};
use crate::support::{Folder, Member, TOKEN};

const REST: &str = "-DRest.Enable=true";

/// A request with further header lines, and its answer.
fn ask(http: &mut Http, method: &str, target: &str, lines: &str) -> Answer {
    http.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
    http.answer()
}

#[test]
fn pages_of_other_origins_are_kept_out_if_there_is_a_list() {
    let member = Member::start(&["-DCors.AllowedOrigins=https://a.example, http://b.example:81", REST]);
    let mut http = Http::open(&member.address());
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    for (origin, expected) in [
        ("https://a.example", Some("https://a.example")),
        ("http://b.example:81", Some("http://b.example:81")),
        ("http://a.example", None),
        ("https://a.example.evil.example", None),
        ("null", None),
    ] {
        let line = format!("Origin: {origin}\r\n");
        let answer = ask(&mut http, "GET", "/rest/consume?subject=/a", &line);
        assert_eq!((answer.status, allowed(&answer).as_deref()), (200, expected), "{origin}");
        assert_eq!(answer.header("vary"), Some("Origin"));
        let preflight = ask(&mut http, "OPTIONS", "/rest/produce", &line);
        assert_eq!((preflight.status, allowed(&preflight).as_deref()), (204, expected), "{origin}");
        let methods = preflight.header("access-control-allow-methods");
        assert_eq!(methods.is_some_and(|methods| methods.contains("POST")), expected.is_some(), "{origin}");

        let mut socket = Http::open(&member.address());
        socket.send(upgrade(&line));
        match Native::answered(socket) {
            Ok(mut client) => {
                assert!(expected.is_some(), "{origin}");
                client.begin(None);
            }
            Err(head) => assert_eq!((head.status, expected), (Code::OriginDenied.http_status(), None)),
        }
    }
    // What is no page has no origin.
    Native::connect(&member.address(), None).assert_alive();
}

#[test]
fn without_a_list_any_page_may_use_the_member() {
    let member = Member::start(&[REST]);
    let mut http = Http::open(&member.address());
    let origin = "Origin: https://any.example\r\n";
    let answer = ask(&mut http, "GET", "/rest/consume?subject=/a", origin);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let answer = ask(&mut http, "GET", "/rest/consume?subject=a", origin);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (400, Some("*")), "errors too");
    let headers = ask(&mut http, "OPTIONS", "/sse", origin);
    assert!(
        headers.header("access-control-allow-headers").is_some_and(|names| names.contains("Last-Event-ID"))
    );
    Native::upgraded(Http::open(&member.address()), origin).begin(None);
}

#[test]
fn each_path_takes_its_methods_and_names_them() {
    let member = Member::start(&[REST]);
    let mut http = Http::open(&member.address());
    for (method, target, allow) in [
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/", "GET, HEAD, OPTIONS"),
        ("PUT", "/rest/produce", "POST, OPTIONS"),
        ("GET", "/rest/produce", "POST, OPTIONS"),
        ("POST", "/rest/consume?subject=/a", "GET, HEAD, OPTIONS"),
        ("POST", "/sse?subject=/a", "GET, HEAD, OPTIONS"),
        ("TRACE", "/", "GET, HEAD, OPTIONS"),
        ("get", "/", "GET, HEAD, OPTIONS"),
    ] {
        let answer = ask(&mut http, method, target, "");
        answer.assert_refused(Code::MethodNotAllowed);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {target}");
    }
    assert_eq!(ask(&mut http, "OPTIONS", "*", "").status, 204);
}

#[test]
fn head_is_get_without_the_body() {
    let member = Member::start(&[REST]);
    for target in
        ["/", "/console.html", "/health", "/nothing", "/rest/consume?subject=/a", "/sse?subject=/a", "/sse"]
    {
        let mut get = Http::open(&member.address());
        get.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let expected = get.head();
        let mut http = Http::open(&member.address());
        http.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        let head = http.head();
        http.assert_end();
        assert_eq!(head.status, expected.status, "{target}");
        for name in ["content-type", "cache-control"] {
            assert_eq!(head.header(name), expected.header(name), "{target}");
        }
    }
}

#[test]
fn http_1_0_is_understood_and_ends_with_its_answer() {
    let member = Member::start(&[REST]);
    for request in ["GET /health HTTP/1.0\r\n\r\n", "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"]
    {
        let mut http = Http::open(&member.address());
        http.send(request);
        let answer = http.answer();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        http.assert_end();
    }
    let mut http = Http::open(&member.address());
    http.send("GET /sse?subject=/a HTTP/1.0\r\n\r\n");
    assert_eq!(http.head().status, 200);
    assert!(http.receive_text("\n\n").contains("event: subscribed"));
}

#[test]
fn a_client_that_waits_to_be_asked_for_its_body_is_asked() {
    let member = Member::start(&[REST]);
    let mut http = Http::open(&member.address());
    let target = format!("/rest/produce?subject=/a&token={TOKEN}");
    let lines = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    http.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
    assert_eq!(http.answer().status, 100);
    http.send("hello");
    assert_eq!(http.answer().json()["status"], "OK");
    // Who does not wait is not asked.
    http.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\nhello"));
    assert_eq!(http.answer().status, 200);
}

#[test]
fn a_request_in_absolute_form_is_understood() {
    let member = Member::start(&[]);
    let mut http = Http::open(&member.address());
    assert_eq!(http.get("http://proxy.example:81/health").status, 200);
    assert_eq!(ask(&mut http, "GET", "/health", "Connection: close\r\n").header("connection"), Some("close"));
    http.assert_end();
}

#[test]
fn rest_is_off_unless_it_is_turned_on() {
    let member = Member::start(&[]);
    let mut http = Http::open(&member.address());
    http.get("/rest/consume?subject=/a").assert_refused(Code::RestDisabled);
    http.produce("/a", TOKEN, "x").assert_refused(Code::RestDisabled);
    assert_eq!(http.get("/health").status, 200);
}

#[test]
fn every_address_of_the_list_is_served_ipv6_among_them() {
    let mut member = Listening::start(Folder::new(), &["-DListen=127.0.0.1:0, [::1]:0, localhost:0"]);
    let addresses = member.addresses("Listen");
    assert!(addresses.len() >= 3, "{addresses:?}");
    assert!(addresses.iter().any(|address| address.starts_with("[::1]:")), "{addresses:?}");
    let mut subscribers: Vec<Native> =
        addresses.iter().map(|address| Native::connect(address, None)).collect();
    for subscriber in &mut subscribers {
        subscriber.subscribe("/a");
    }
    Native::connect(&addresses[1], Some("some-token")).publish_ok("/a", "x");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.frame_of("message")["content"], "x");
    }
    assert_eq!(Http::open(&addresses[0]).get("/health").status, 200);
    member.stop(0);
}

#[test]
fn every_answer_has_the_time() {
    let member = Member::start(&[REST]);
    let mut http = Http::open(&member.address());
    for target in ["/", "/health", "/nothing", "/rest/consume?subject=/a"] {
        let answer = http.get(target);
        let date = answer.header("date").unwrap_or_else(|| panic!("no date: {answer:?}"));
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
    }
    http.send("NOTHING\r\n\r\n");
    assert!(http.answer().header("date").is_some());
}
