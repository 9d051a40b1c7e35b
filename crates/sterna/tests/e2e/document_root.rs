//! `DocumentRoot`: the files below it and nothing else, whatever the path.

use std::os::unix::fs::symlink;
use std::process::Command;

use sterna_model::Code;

use crate::http::Http;
use crate::support::{Folder, Member};

#[test]
fn files_below_the_root_are_served_and_nothing_else() {
    let folder = Folder::new();
    folder.write("secret.txt", "secret");
    folder.write("root/index.html", "<p>index");
    folder.write("root/inner/index.html", "<p>inner");
    folder.write("root/inner/data file.json", "{}");
    folder.write("root/%2e%2e/x.txt", "odd name");
    let root = folder.path().join("root");
    symlink(folder.path().join("secret.txt"), root.join("link.txt")).expect("a link");
    symlink(folder.path(), root.join("up")).expect("a link");
    symlink(root.join("index.html"), root.join("inside.html")).expect("a link");
    symlink(root.join("loop"), root.join("loop")).expect("a link");
    let status = Command::new("mkfifo").arg(root.join("pipe")).status();
    assert!(status.expect("there is a program mkfifo").success());
    let option = format!("-DDocumentRoot={}", root.display());
    let member = Member::start_in(folder, &[&option]);

    let mut http = Http::open(&member.address());
    for (path, content, kind) in [
        ("/", "<p>index", "text/html; charset=utf-8"),
        ("/index.html?x=y", "<p>index", "text/html; charset=utf-8"),
        ("/inner/", "<p>inner", "text/html; charset=utf-8"),
        ("/inner/data%20file.json", "{}", "application/json"),
        ("/inside.html", "<p>index", "text/html; charset=utf-8"),
        ("/%252e%252e/x.txt", "odd name", "text/plain; charset=utf-8"),
    ] {
        let answer = http.get(path);
        assert_eq!((answer.status, answer.text()), (200, content), "{path}");
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    for path in [
        "/../secret.txt",
        "/inner/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/inner/%2e%2e/%2e%2e/secret.txt",
        "//secret.txt",
        "/./index.html",
        "/index.html%00.txt",
        "/%00",
        "/link.txt",
        "/up/secret.txt",
        "/up",
        "/loop",
        "/pipe",
        "/no/such/file",
        "/inner/data file.json",
    ] {
        let mut http = Http::open(&member.address());
        http.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = http.answer();
        let code = if path.contains(' ') { Code::ProtocolViolation } else { Code::NotFound };
        answer.assert_refused(code);
        assert!(!answer.text().contains("root"), "{path}: {}", answer.text());
    }
    assert_eq!(http.get("/health").status, 200, "health goes before files");
}

#[test]
fn a_root_that_is_not_there_leaves_the_rest_of_the_port() {
    let member = Member::start(&["-DDocumentRoot=/no/such/folder"]);
    let mut http = Http::open(&member.address());
    http.get("/no-such-file.html").assert_refused(Code::NotFound);
    assert_eq!(http.get("/health").status, 200);
    assert_eq!(http.get("/console.html").status, 200, "the built-in pages are behind the root");
}
