//! What clients of the load send: requests as masked text frames.

use sterna_model::{Publish, Qos, Request, Start, SubscribeItem};
use sterna_wire::native;
use sterna_wire::websocket::{self, Opcode};

/// RFC 6455 wants each key unforeseeable, to protect proxies; between the load and its own server there are none.
pub(super) const MASK: [u8; 4] = [0x5a, 0x3c, 0xa5, 0xc3];

/// The name of a subject of the load.
pub(crate) fn subject(number: usize) -> Box<str> {
    format!("/bench/{number:07}").into()
}

/// Appends a connect request.
pub(crate) fn connect(out: &mut Vec<u8>) {
    push(&Request::Connect { version: 1, token: None, client: Some("sterna-bench".into()) }, out);
}

/// Appends a subscribe request for subjects by their numbers, unless there are none.
pub(crate) fn subscribe(numbers: impl Iterator<Item = usize>, history: u32, out: &mut Vec<u8>) {
    let start = Start { history, resume: None };
    let item = |number| SubscribeItem { subject: subject(number), start, conflation_ms: 0 };
    let items: Vec<_> = numbers.map(item).collect();
    if !items.is_empty() {
        push(&Request::Subscribe { id: None, items }, out);
    }
}

/// Appends a publish request; with an id it will be answered.
pub(crate) fn publish(id: Option<u64>, number: usize, content: &[u8], out: &mut Vec<u8>) {
    let publish = Publish {
        content: content.into(),
        closure: "".into(),
        retained: true,
        qos: Qos::Guaranteed,
        compression: None,
        stamp: None,
    };
    push(&Request::Publish { id, subject: subject(number), reply_to: None, publish: Box::new(publish) }, out);
}

/// The first frames of a subscriber to subjects by their numbers.
pub(crate) fn subscriber(numbers: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut out = Vec::new();
    connect(&mut out);
    subscribe(numbers, 0, &mut out);
    out
}

/// The first frame of a publisher.
pub(crate) fn publisher() -> Vec<u8> {
    subscriber(std::iter::empty())
}

fn push(request: &Request, out: &mut Vec<u8>) {
    let mut json = Vec::new();
    native::encode_request(request, &mut json);
    websocket::masked_frame(Opcode::Text, &json, false, MASK, out);
}
