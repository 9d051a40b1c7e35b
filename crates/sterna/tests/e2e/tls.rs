//! TLS: both versions, large messages, strangers on the port, and a new certificate under a living connection.

use std::process::Command;

use rustls::version::{TLS12, TLS13};
use serde_json::json;
use sterna_model::Code;

use crate::http::Http;
use crate::listening::Listening;
use crate::native::Native;
use crate::stream::Stream;
use crate::support::{Folder, eventually};

const TOKEN: &str = "some-token";

/// Writes a new certificate and its key into the folder.
fn certify(folder: &Folder, key_kind: &[&str]) {
    let arguments = [
        &["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-newkey"],
        key_kind,
        &[
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            "key.pem",
            "-out",
            "certificate.pem",
        ],
    ]
    .concat();
    let output = Command::new("openssl").args(arguments).current_dir(folder.path()).output();
    let output = output.expect("there is a program openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const RSA: &[&str] = &["rsa:2048"];
const ECDSA: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

fn start(key_kind: &[&str]) -> Listening {
    let folder = Folder::new();
    certify(&folder, key_kind);
    let options = [
        "-DListen=",
        "-DListenEncrypted=127.0.0.1:0",
        "-DTlsCertificate=certificate.pem",
        "-DTlsKey=key.pem",
        "-DRest.Enable=true",
        "-DHandshakeTimeout=3",
    ];
    Listening::start(folder, &options)
}

#[test]
fn what_was_asked_before_the_end_of_tls_is_answered() {
    let mut member = start(ECDSA);
    let address = member.address("ListenEncrypted");
    let produce = |content: &str| {
        format!(
            "POST /rest/produce?subject=/half HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Length: {}\r\n\r\n{content}",
            content.len()
        )
    };
    let requests = [
        "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        produce("one"),
        produce("two"),
        format!(
            "GET /rest/consume?subject=/half/empty&wait=60 HTTP/1.1\r\nHost: a\r\n\
             Authorization: Bearer {TOKEN}\r\n\r\n"
        ),
    ];
    for version in [&TLS12, &TLS13] {
        for last in 0..requests.len() {
            let mut http = Http::over(Stream::encrypted(&address, version).expect("a handshake"));
            http.send_last(requests[..=last].concat());
            for _ in 0..=last {
                assert_eq!(http.answer().status, 200);
            }
            http.assert_end();
        }
    }
    member.stop(0);
}

#[test]
fn both_versions_carry_http_and_websocket_and_large_messages_both_ways() {
    let mut member = start(RSA);
    let address = member.address("ListenEncrypted");
    for (version, subject) in [(&TLS12, "/large/2"), (&TLS13, "/large/3")] {
        let open = || Http::over(Stream::encrypted(&address, version).expect("a handshake"));
        assert_eq!(open().get("/health").status, 200);
        let mut client = Native::upgraded(open(), "");
        client.begin(Some(TOKEN));
        client.subscribe(subject);
        for number in 0..50_usize {
            let content = format!("{number}").repeat(60_000 / number.to_string().len());
            client.send(&json!({"op": "publish", "id": number, "subject": subject, "content": content}));
            let frames = [client.frame(), client.frame()];
            let message = frames.iter().find(|frame| frame["op"] == "message").expect("a message");
            assert_eq!(message["content"], content);
        }
        // More than fits into any buffer: the server's queue, and the records cut from it, take part.
        client.send(&json!({"op": "subscribe", "subjects": [subject], "history": 50}));
        client.frame_of("subscribed");
        for _ in 0..50 {
            assert_eq!(client.frame_of("message")["type"], "historical");
        }
        let mut http = open();
        let answer = http.get(&format!("/rest/consume?subject={subject}&history=15"));
        assert_eq!(answer.json()["messages"].as_array().map(Vec::len), Some(15));
        let mut stream = open();
        stream.send(format!("GET /sse?subject={subject} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(stream.receive_text("event: message").contains("event: subscribed"));
    }
    member.stop(0);
}

#[test]
fn strangers_on_the_encrypted_port_are_sent_away_and_nobody_else_notices() {
    let mut member = start(ECDSA);
    let address = member.address("ListenEncrypted");
    let mut bystander =
        Native::upgraded(Http::over(Stream::encrypted(&address, &TLS13).expect("a handshake")), "");
    bystander.begin(None);
    let hello_of_nothing = [0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0xff];
    let cases: [(&str, &[u8]); 5] = [
        ("plain HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("garbage", &[0xff; 4096]),
        ("a broken hello", &hello_of_nothing),
        ("a record that is too long", &[0x16, 0x03, 0x01, 0xff, 0xff, 0x01]),
        ("an SSL 2 hello", &[0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10]),
    ];
    for (name, bytes) in cases {
        let mut stranger = Http::open(&address);
        stranger.send(bytes);
        let rest = stranger.rest();
        println!("{name}: {rest:02x?}");
        // An alert says why (RFC 8446, 6): a record of type 21 and two bytes, fatal.
        assert!(matches!(rest[..], [0x15, 0x03, _, 0x00, 0x02, 0x02, _]), "{name}: {rest:02x?}");
        bystander.assert_alive();
    }
    // Half a hello, and half a request behind a whole handshake: their time is that of any handshake.
    let mut half = Http::open(&address);
    half.send(&hello_of_nothing[..7]);
    half.assert_end();
    let mut slow = Http::over(Stream::encrypted(&address, &TLS12).expect("a handshake"));
    slow.send("GET / HT");
    slow.answer().assert_refused(Code::RequestTimeout);
    bystander.assert_alive();
    member.stop(0);
}

#[test]
fn a_new_certificate_is_taken_up_while_connections_live_on() {
    let mut member = start(RSA);
    let address = member.address("ListenEncrypted");
    let shown = || Stream::encrypted(&address, &TLS13).expect("a handshake").certificate();
    let first = shown();
    let mut living =
        Native::upgraded(Http::over(Stream::encrypted(&address, &TLS12).expect("a handshake")), "");
    living.begin(Some(TOKEN));
    living.subscribe("/a");

    certify(member.folder(), ECDSA);
    member.running.signal("HUP");
    let second = eventually("the new certificate", || Some(shown()).filter(|shown| *shown != first));
    living.publish_and_hear("/a", "x");

    member.folder().write("certificate.pem", "garbage");
    member.running.signal("HUP");
    let line = member.running.stdout.find("ERROR").expect("the member lives");
    assert!(line.contains("TlsCertificate"), "{line}");
    assert_eq!(shown(), second, "the last good one stays");
    living.publish_and_hear("/a", "y");
    member.stop(1);
    assert_eq!(living.frame_of("notice")["notice"], "going_away");
    assert_eq!(living.close().0, 4301);
}
