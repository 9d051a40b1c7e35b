//! Paths and queries, the honest and the tricky.

use std::path::{Component, Path};

use proptest::prelude::*;
use sterna_model::Code;

use super::{decode, get, one, violation};

#[test]
fn query_is_decoded_in_order_with_repetitions() {
    let request = get("/sse?subject=/a%20b&subject=%2Fc+d&&x&y=&=z&e=a=b&subject=%C3%BC&raw=ü");
    let pairs: Vec<(String, String)> =
        request.query().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    let expected = [
        ("subject", "/a b"),
        ("subject", "/c d"),
        ("x", ""),
        ("y", ""),
        ("", "z"),
        ("e", "a=b"),
        ("subject", "ü"),
        ("raw", "ü"),
    ];
    assert_eq!(pairs, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    assert_eq!(request.path(), "/sse");
    assert_eq!(get("/").query().count(), 0);
}

#[test]
fn all_forms_of_a_target_give_its_path() {
    for (target, raw, decoded) in [
        ("/%72est/produce?x=/..", "/%72est/produce", "/rest/produce"),
        ("/a%2Fb", "/a%2Fb", "/a/b"),
        ("/?", "/", "/"),
        ("http://example.com/a?b", "/a", "/a"),
        ("HTTPS://example.com:8800", "/", "/"),
        ("http://example.com?b=/c", "/", "/"),
    ] {
        let request = get(target);
        assert_eq!((request.raw_path(), &*request.path()), (raw, decoded), "{target}");
    }
    assert_eq!(one(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path(), "*");
    assert_eq!(get("http://example.com?b=/c").query().next().unwrap().1, "/c");
}

#[test]
fn targets_that_are_no_utf8_are_refused() {
    for target in ["/%FF", "/%C0%AE%C0%AE/", "/?a=%80", "/?%ED%A0%80=a"] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(violation(bytes.as_bytes()).code, Code::InvalidUtf8, "{target}");
    }
    assert_eq!(violation(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n").code, Code::ProtocolViolation);
}

#[test]
fn honest_paths_lead_below_the_root() {
    for (target, path) in [
        ("/", ""),
        ("/index.html?x=../..", "index.html"),
        ("/a/b%20c/d.js", "a/b c/d.js"),
        ("/a/", "a"),
        ("/...", "..."),
        ("/..a/b..", "..a/b.."),
        ("/%252e%252e/a", "%2e%2e/a"),
        ("/%C3%BC", "ü"),
    ] {
        assert_eq!(get(target).safe_relative_path().as_deref(), Some(Path::new(path)), "{target}");
    }
}

#[test]
fn tricky_paths_lead_nowhere() {
    for target in [
        "/..",
        "/../etc/passwd",
        "/a/../../b",
        "/a/..",
        "/./a",
        "/a/.",
        "/%2e%2e/a",
        "/.%2E/a",
        "/%2e/a",
        "/..%2fa",
        "/a%2f..%2f..%2fb",
        "/%2fetc/passwd",
        "/a%2Fb",
        "/..\\a",
        "/..%5ca",
        "/a\\b",
        "/C:/a",
        "/C:%5Ca",
        "/a%00.html",
        "/%00",
        "/a%0a",
        "/a%7f",
        "/a%C2%85",
        "//etc/passwd",
        "//",
        "/a//b",
        "/a//",
        "/../",
        "/./",
        "/%2e%2e%2f",
    ] {
        assert_eq!(get(target).safe_relative_path(), None, "{target}");
    }
    assert_eq!(one(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").safe_relative_path(), None);
}

proptest! {
    #[test]
    fn no_path_leaves_the_root(target in "/([./%\\\\a:]|%2e|%2f|%5C|%00|%25){0,12}") {
        let (requests, _) = decode(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        if let Some(path) = requests.first().and_then(|request| request.safe_relative_path()) {
            prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{}", target);
            prop_assert!(Path::new("/root").join(&path).starts_with("/root"));
        }
    }
}
