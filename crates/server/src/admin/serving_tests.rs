//! The monitoring interfaces as their users meet them: over sockets, with passwords and TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use sterna_config::{Credentials, Secret, Tls};

use super::interface::{Interface, Kind};
use super::serve::{Admin, Setup, start};
use super::tests::figures;
use crate::reload::server_config;

/// How long an answer may take; only a failing test waits so long.
const SOON: Duration = Duration::from_secs(10);

struct Monitored {
    admin: Option<Admin>,
    addresses: Vec<SocketAddr>,
}

impl Drop for Monitored {
    fn drop(&mut self) {
        self.admin.take().expect("it runs until here").stop();
    }
}

fn monitored(kinds: &[Kind], credentials: Option<&Credentials>, tls: Option<&Tls>) -> Monitored {
    let mut addresses = Vec::new();
    let interface = |kind: &Kind| {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        addresses.push(socket.local_addr().unwrap());
        Interface { kind: *kind, socket, encrypted: tls.is_some(), credentials: credentials.cloned() }
    };
    let setup = Setup {
        interfaces: kinds.iter().map(interface).collect(),
        figures: Arc::new(figures()),
        tls: tls.map(|tls| server_config(tls).unwrap()),
        log_interval: None,
    };
    Monitored { admin: Some(start(setup).unwrap()), addresses }
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

fn get(mut stream: impl Read + Write, path: &str, headers: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_interface_has_its_pages_and_health() {
    let monitored = monitored(&[Kind::Prometheus, Kind::Http], None, None);
    let [prometheus, http] = monitored.addresses[..] else { panic!("two interfaces") };
    let text = get(connect(prometheus), "/metrics", "");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
    assert!(text.contains("\nsterna_ready 0\n"), "{text}");
    let json = get(connect(http), "/", "");
    let object: serde_json::Value = serde_json::from_str(json.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(object["connected_sessions"], 0);
    assert_eq!(object["metrics"]["sterna_ready"], 0);
    for address in [prometheus, http] {
        assert!(get(connect(address), "/health/live", "").starts_with("HTTP/1.1 200 "));
        let starting = get(connect(address), "/health/ready", "");
        assert!(
            starting.starts_with("HTTP/1.1 503 ") && starting.contains("\r\nretry-after: 1\r\n"),
            "{starting}"
        );
        assert!(starting.contains(r#"{"status":"starting","#), "{starting}");
    }
    assert!(get(connect(prometheus), "/", "").starts_with("HTTP/1.1 404 "));
    assert!(get(connect(http), "/metrics", "").starts_with("HTTP/1.1 404 "));
}

#[test]
fn figures_need_the_password_in_the_header_and_health_needs_none() {
    let credentials = Credentials { username: "admin".into(), password: Secret::new("pass".into()) };
    let monitored = monitored(&[Kind::Prometheus], Some(&credentials), None);
    let address = monitored.addresses[0];
    let refused = get(connect(address), "/metrics", "");
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(refused.contains("\r\nwww-authenticate: Basic realm=\"sterna\"\r\n"), "{refused}");
    assert!(!refused.contains("sterna_ready"), "{refused}");
    // Never in the address, where proxies would log it.
    assert!(get(connect(address), "/metrics?username=admin&password=pass", "").starts_with("HTTP/1.1 401 "));
    // admin:wrong
    let wrong = get(connect(address), "/metrics", "Authorization: Basic YWRtaW46d3Jvbmc=\r\n");
    assert!(wrong.starts_with("HTTP/1.1 401 "), "{wrong}");
    // admin:pass
    let right = get(connect(address), "/metrics", "Authorization: Basic YWRtaW46cGFzcw==\r\n");
    assert!(right.starts_with("HTTP/1.1 200 "), "{right}");
    assert!(get(connect(address), "/health/live", "").starts_with("HTTP/1.1 200 "));
}

struct Certified {
    tls: Tls,
    certificate: CertificateDer<'static>,
}

fn certified() -> Certified {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls =
        Tls { certificate_pem: made.cert.pem(), key_pem: Secret::new(made.signing_key.serialize_pem()) };
    Certified { tls, certificate: made.cert.der().clone() }
}

/// The answer over TLS, to a client that trusts one certificate; or why there is none.
fn get_encrypted(address: SocketAddr, trusted: &Certified, path: &str) -> Result<String, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = connect(address);
    client.complete_io(&mut socket).map_err(|error| error.to_string())?;
    Ok(get(rustls::Stream::new(&mut client, &mut socket), path, ""))
}

#[test]
fn an_encrypted_interface_takes_up_a_new_certificate() {
    let (old, new) = (certified(), certified());
    let monitored = monitored(&[Kind::Prometheus], None, Some(&old.tls));
    let address = monitored.addresses[0];
    assert!(get_encrypted(address, &old, "/metrics").unwrap().starts_with("HTTP/1.1 200 "));
    let admin = monitored.admin.as_ref().unwrap();
    admin.reload(Some(server_config(&new.tls).unwrap()));
    assert!(get_encrypted(address, &new, "/metrics").unwrap().starts_with("HTTP/1.1 200 "));
    assert!(get_encrypted(address, &old, "/metrics").is_err());
}

#[test]
fn a_client_that_says_nothing_keeps_nobody_else_waiting() {
    let monitored = monitored(&[Kind::Prometheus], None, None);
    let address = monitored.addresses[0];
    let _silent: Vec<_> = (0..super::CONNECTIONS_MAX - 1).map(|_| connect(address)).collect();
    assert!(get(connect(address), "/metrics", "").starts_with("HTTP/1.1 200 "));
}
