//! Runs the HTTP decoder over a byte stream, and checks what must hold for any bytes at all.
#![allow(dead_code, reason = "each test crate and fuzz target uses a part of it")]

use std::path::Component;

use sterna_model::limit::HTTP_HEAD_BYTES_MAX;
use sterna_wire::http::{Decoder, Limits, Outcome, Request, Response, Violation};
use sterna_wire::rest::{decode_consume, decode_produce};
use sterna_wire::sse::{ResumeToken, decode_stream};

pub(crate) const LIMITS: Limits = Limits { body_bytes_max: 1000 };

/// All requests in `bytes`, which arrive cut at `cuts` (in ascending order), and what ended them.
pub(crate) fn decode_cut(bytes: &[u8], cuts: &[usize]) -> (Vec<Request>, Result<Decoder, Violation>) {
    let mut decoder = Decoder::default();
    let mut requests = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut input = &bytes[start..end];
        start = end;
        loop {
            let step = match decoder.next(input, &LIMITS) {
                Ok(step) => step,
                Err(violation) => return (requests, Err(violation)),
            };
            input = &input[step.consumed..];
            match step.outcome {
                Outcome::NeedMore => {
                    assert!(input.is_empty(), "the caller never has to keep bytes");
                    break;
                }
                Outcome::Continue100 => {}
                Outcome::Request(request) => requests.push(request),
            }
        }
    }
    (requests, Ok(decoder))
}

/// The first byte says where the stream behind it is cut.
pub(crate) fn check_http_request(data: &[u8]) {
    let Some((stride, stream)) = data.split_first() else { return };
    let stride = usize::from(*stride).max(1);
    let cuts: Vec<usize> = (stride..stream.len()).step_by(stride).collect();
    let (requests, end) = decode_cut(stream, &[]);
    let (requests_cut, end_cut) = decode_cut(stream, &cuts);
    assert_eq!(requests, requests_cut);
    assert_eq!(end.as_ref().err(), end_cut.as_ref().err());
    if let Err(violation) = &end {
        Response::from(violation).encode_last("", &mut Vec::new());
    }
    for request in requests {
        check_request(request);
    }
}

fn check_request(mut request: Request) {
    assert!(request.body.len() <= LIMITS.body_bytes_max);
    assert!(request.path().starts_with('/') || request.path() == "*");
    assert!(request.query().all(|(name, value)| name.len() + value.len() < HTTP_HEAD_BYTES_MAX));
    if let Some(path) = request.safe_relative_path() {
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{}", path.display());
    }
    for (name, value) in request.headers.iter() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'));
    }
    let refusals = [
        decode_stream(&request).err(),
        decode_consume(&request).err(),
        decode_produce(&mut request, 0).err(),
    ];
    for refusal in refusals.iter().flatten() {
        Response::from(refusal).encode(&request, "", &mut Vec::new());
    }
}

/// The first byte says how many subjects the stream has, the rest is the id that a client gave.
pub(crate) fn check_resume_token(data: &[u8]) {
    let Some((count, text)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    let names: Vec<String> = (0..=*count % 8).map(|n| format!("/{n}")).collect();
    let subjects: Vec<&str> = names.iter().map(String::as_str).collect();
    let Ok(token) = ResumeToken::decode(text, &subjects) else { return };
    assert_eq!(ResumeToken::decode(&token.to_string(), &subjects), Ok(token.clone()));
    let mut line = Vec::new();
    token.write_id_line(&mut line);
    assert!(line.iter().filter(|byte| **byte == b'\n').count() <= 1);
}
