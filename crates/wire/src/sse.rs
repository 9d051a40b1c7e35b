//! Server-Sent Events: what a stream asks for, events as lines, and the token by which a stream resumes.

mod resume;

use sterna_model::limit::{CONFLATION_MS_MAX, SSE_SUBJECTS_MAX};
use sterna_model::{Position, Start, SubscribeItem};

use crate::http::{Parameters, Refusal, Request};
use crate::rest::history;

use resume::Id;
pub use resume::ResumeToken;

/// A comment that shows both ends, and every proxy between them, that the stream is alive.
pub const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// What `GET /sse` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Entitlement token.
    pub token: Option<Box<str>>,
    /// Subjects in the order of the request, not yet judged, no two equal, each with its start.
    pub items: Vec<SubscribeItem>,
    /// Where the stream stands; the subjects have the numbers that they have in `items`.
    pub resume: ResumeToken,
}

/// Reads a stream request. The header Last-Event-ID goes before the parameter `last_event_id`: on a
/// reconnect, a browser repeats the address as it was and puts the newer id into the header.
///
/// # Errors
/// Names the parameter that is missing, unknown or out of bounds.
pub fn decode_stream(request: &Request) -> Result<Stream, Refusal> {
    let once = &["history", "conflation_ms", "token", "last_event_id"];
    let query = Parameters::read(request, once, Some(("subject", SSE_SUBJECTS_MAX)))?;
    query.required("subject")?;
    let subjects: Vec<&str> = query.all("subject").collect();
    if (1..subjects.len()).any(|index| subjects[..index].contains(&subjects[index])) {
        return Err(Refusal::parameter("subject", "expected each subject once"));
    }
    let header = request.header("last-event-id").filter(|id| !id.is_empty());
    let resume = match header.or_else(|| query.text("last_event_id")) {
        Some(id) => ResumeToken::decode(id, &subjects)?,
        None => ResumeToken::new(&subjects),
    };
    let history = history(&query)?;
    let conflation_ms = query.number("conflation_ms", CONFLATION_MS_MAX.into())?.unwrap_or(0);
    let conflation_ms = u32::try_from(conflation_ms).expect("the bound is a u32");
    let items = subjects.iter().enumerate().map(|(index, subject)| SubscribeItem {
        subject: (*subject).into(),
        start: Start { history, resume: resume.position(index) },
        conflation_ms,
    });
    Ok(Stream { token: query.token()?, items: items.collect(), resume })
}

/// Appends a `message` event. `json` is the native message object without `op`. The id stands in it, so that
/// all connections share the bytes, if their streams have this one subject; for a stream of several subjects
/// it is none, and [`ResumeToken::write_id_line`] goes directly before the event.
pub fn message_event(json: &[u8], id: Option<Position>, out: &mut Vec<u8>) {
    event("message", json, id, out);
}

/// Appends a `subscribed` event. The id is that of a stream with one subject, where nothing precedes the cut.
pub fn subscribed_event(json: &[u8], id: Option<Position>, out: &mut Vec<u8>) {
    event("subscribed", json, id, out);
}

/// Appends an `error` event. It does not move the stream's place, so it has no id.
pub fn error_event(json: &[u8], out: &mut Vec<u8>) {
    event("error", json, None, out);
}

/// Appends the order to wait this long before a reconnect, milliseconds.
pub fn retry(reconnect_after_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("retry: {reconnect_after_ms}\n\n").as_bytes());
}

fn event(name: &str, data: &[u8], id: Option<Position>, out: &mut Vec<u8>) {
    if let Some(position) = id {
        out.extend_from_slice(format!("id: {}\n", Id(position)).as_bytes());
    }
    out.extend_from_slice(format!("event: {name}\n").as_bytes());
    // A line end inside the data would end the line: each part gets its own, and the client joins them again.
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}
