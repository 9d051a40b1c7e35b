//! A message on its way to many connections: encoded once for each wire form in use, and shared.

use std::sync::{Arc, OnceLock};

use sterna_model::{Kind, Record, SubjectId};
use sterna_wire::websocket::{self, Opcode};
use sterna_wire::{native, sse};

/// A committed message with its encoded forms. A form is made by the first shard that needs it.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Subject.
    pub(crate) subject: SubjectId,
    /// The message.
    pub(crate) record: Arc<Record>,
    /// When it was received, microseconds of the process clock.
    pub(crate) received_us: u64,
    plain: OnceLock<Arc<[u8]>>,
    deflated: OnceLock<Option<Arc<[u8]>>>,
    event: OnceLock<Arc<[u8]>>,
    events: OnceLock<Arc<[u8]>>,
}

impl Delivery {
    pub(crate) fn new(subject: SubjectId, record: Arc<Record>, received_us: u64) -> Self {
        Self {
            subject,
            record,
            received_us,
            plain: OnceLock::new(),
            deflated: OnceLock::new(),
            event: OnceLock::new(),
            events: OnceLock::new(),
        }
    }

    /// A WebSocket text frame. It is encoded in `scratch`, so that its bytes are allocated once.
    pub(crate) fn plain(&self, scratch: &mut Vec<u8>) -> &Arc<[u8]> {
        self.plain.get_or_init(|| {
            scratch.clear();
            websocket_frame(Kind::Update, &self.record, scratch);
            scratch.as_slice().into()
        })
    }

    /// Bytes that whoever keeps this keeps in memory, about: the message, and one form of it.
    pub(crate) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.record.cost_bytes() + self.record.message.content.len()
    }

    /// The same compressed, if that is worth it.
    pub(crate) fn deflated(
        &self,
        threshold_bytes: usize,
        deflater: &mut websocket::Deflater,
    ) -> Option<&Arc<[u8]>> {
        let make = || {
            if self.record.message.content.len() < threshold_bytes {
                return None;
            }
            let mut json = Vec::new();
            native::encode_message(Kind::Update, &self.record, &mut json);
            let mut compressed = Vec::new();
            deflater.compress(&json, &mut compressed);
            if compressed.len() >= json.len() {
                return None;
            }
            let mut frame = Vec::with_capacity(compressed.len() + 10);
            websocket::frame(Opcode::Text, &compressed, true, &mut frame);
            Some(frame.into())
        };
        self.deflated.get_or_init(make).as_ref()
    }

    /// An event of a stream with one subject: the id stands in it.
    pub(crate) fn event(&self) -> &Arc<[u8]> {
        self.event.get_or_init(|| event_bytes(Kind::Update, &self.record, true).into())
    }

    /// An event of a stream with several subjects: an id line goes before it.
    pub(crate) fn event_without_id(&self) -> &Arc<[u8]> {
        self.events.get_or_init(|| event_bytes(Kind::Update, &self.record, false).into())
    }
}

/// Appends a message as a WebSocket text frame.
pub(crate) fn websocket_frame(kind: Kind, record: &Record, out: &mut Vec<u8>) {
    websocket::frame_with(Opcode::Text, false, out, |out| native::encode_message(kind, record, out));
}

/// A message as a server-sent event.
pub(crate) fn event_bytes(kind: Kind, record: &Record, with_id: bool) -> Vec<u8> {
    let mut json = Vec::with_capacity(record.message.content.len() + 256);
    native::encode_message_body(kind, record, &mut json);
    let mut out = Vec::with_capacity(json.len() + 64);
    sse::message_event(&json, with_id.then_some(record.position), &mut out);
    out
}
