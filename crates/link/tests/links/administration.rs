//! Whoever knows the password may ask, once per connection.

use std::time::Duration;

use bytes::Bytes;
use sterna_link::limit::{ADMIN_ANSWER_BYTES_MAX, ADMIN_REQUEST_BYTES_MAX};
use sterna_link::{AdminError, ClusterKey, LinkEvent, Refusal, admin_request, start};

use crate::support::{PATIENCE, members, settings};

/// A member that answers a request with itself and as many zeros as it says.
fn answering(members: &[String]) -> sterna_link::Links {
    start(settings(0, members), |event| {
        let LinkEvent::Admin { request, answer } = event else { return };
        match &request[..] {
            b"silent" => drop(answer),
            b"large" => answer.send(Bytes::from(vec![0; ADMIN_ANSWER_BYTES_MAX])),
            b"too large" => answer.send(Bytes::from(vec![0; ADMIN_ANSWER_BYTES_MAX + 1])),
            _ => answer.send(request),
        }
    })
    .unwrap()
}

#[test]
fn requests_are_answered() {
    let members = members(3);
    let links = answering(&members);
    let ask =
        |request: &[u8]| admin_request(&members[0], &ClusterKey::new(b"secret"), None, request, PATIENCE);
    assert_eq!(ask(b"status").unwrap(), "status");
    assert_eq!(ask(b"").unwrap(), "");
    assert_eq!(ask(&vec![7; ADMIN_REQUEST_BYTES_MAX]).unwrap().len(), ADMIN_REQUEST_BYTES_MAX);
    assert_eq!(ask(b"large").unwrap().len(), ADMIN_ANSWER_BYTES_MAX);
    assert!(matches!(ask(b"silent"), Err(AdminError::NoAnswer(_))));
    assert!(matches!(ask(b"too large"), Err(AdminError::NoAnswer(_))));
    assert!(matches!(ask(&vec![7; ADMIN_REQUEST_BYTES_MAX + 1]), Err(AdminError::Oversized)));
    links.stop();
    assert!(matches!(ask(b"status"), Err(AdminError::Unreachable { .. })));
}

#[test]
fn without_the_password_nothing_is_asked() {
    let members = members(1);
    let links = start(settings(0, &members), |event| panic!("{event:?}")).unwrap();
    let asked = admin_request(&members[0], &ClusterKey::new(b""), None, b"status", PATIENCE);
    assert!(matches!(asked, Err(AdminError::RefusedThere(Refusal::Password))));
    links.stop();
}

#[test]
fn whoever_asks_does_not_wait_for_ever() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port() - 3;
    let patience = Duration::from_millis(200);
    let asked = admin_request(&format!("127.0.0.1:{port}"), &ClusterKey::new(b""), None, b"status", patience);
    assert!(matches!(asked, Err(AdminError::TooSlow(waited)) if waited == patience));
}
