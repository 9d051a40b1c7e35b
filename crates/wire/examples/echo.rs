//! WebSocket echo server for conformance suites: `cargo run -p sterna-wire --release --example echo -- 127.0.0.1:9001`.
//!
//! One blocking thread per connection, which the real server would never do; the codec is the same.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program owns its sockets and threads; only the crate itself is pure"
)]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sterna_wire::websocket::{
    Decoder, Deflater, Event, Opcode, PerMessageDeflate, Role, Shared, UpgradeRequest, close, frame, pong,
};

/// Conformance suites send messages of up to 16 MB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
const READ_BYTES: usize = 64 * 1024;
const HEADERS_MAX: usize = 32;
/// How long the peer may take to close its side after we have closed ours.
const LINGER: Duration = Duration::from_secs(1);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address)?;
    writeln!(io::stdout(), "echo server on ws://{}", listener.local_addr()?)?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            // A connection that breaks is the peer's business; the suite judges what it saw.
            let _ = serve(&stream);
        });
    }
    Ok(())
}

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut out = Vec::new();
    let mut read_bytes = 0;
    let (head_bytes, upgrade) = loop {
        let more = stream.read(&mut buffer[read_bytes..])?;
        if more == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read_bytes += more;
        if let Some(parsed) = read_head(&buffer[..read_bytes])? {
            break parsed;
        }
    };
    upgrade.write_answer(&mut out);
    stream.write_all(&out)?;

    let mut echo = Echo::new(upgrade.deflate);
    let mut unread = head_bytes..read_bytes;
    loop {
        out.clear();
        let open = echo.answer(&mut buffer[unread], &mut out);
        stream.write_all(&out)?;
        if !open {
            return hang_up(stream, &mut buffer);
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            more => unread = 0..more,
        }
    }
}

/// Head and valid upgrade, once the head is complete.
fn read_head(bytes: &[u8]) -> io::Result<Option<(usize, UpgradeRequest)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = request.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let headers = request.headers.iter().map(|header| (header.name, header.value));
    let upgrade = UpgradeRequest::read(headers, &[]).map_err(io::Error::other)?;
    Ok(Some((head_bytes, upgrade)))
}

/// Closes our side, then reads what is still under way: closing with unread bytes would reset the connection, and the
/// peer might never see the close frame.
fn hang_up(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(LINGER))?;
    while stream.read(buffer)? > 0 {}
    Ok(())
}

/// Decodes and answers.
struct Echo {
    decoder: Decoder,
    shared: Shared,
    sender: Sender,
}

impl Echo {
    fn new(deflate: Option<PerMessageDeflate>) -> Self {
        Self {
            decoder: Decoder::new(Role::Server, deflate.is_some()),
            shared: Shared::default(),
            sender: Sender { deflate, deflater: Deflater::new(6), compressed: Vec::new() },
        }
    }

    /// Appends the answers to `input`; false when the connection is to be closed.
    fn answer(&mut self, mut input: &mut [u8], out: &mut Vec<u8>) -> bool {
        loop {
            let step = match self.decoder.next(input, &mut self.shared, MESSAGE_BYTES_MAX) {
                Ok(step) => step,
                Err(violation) => {
                    close(violation.close_code(), violation.code().name(), out);
                    return false;
                }
            };
            let consumed = step.consumed;
            match step.event {
                None => return true,
                Some(Event::Text(text)) => self.sender.send(Opcode::Text, text.as_bytes(), out),
                Some(Event::Binary(bytes)) => self.sender.send(Opcode::Binary, bytes, out),
                Some(Event::Ping(payload)) => pong(payload, out),
                Some(Event::Pong(_)) => {}
                Some(Event::Close { code, .. }) => {
                    close(code.unwrap_or(1000), "", out);
                    return false;
                }
            }
            input = &mut input[consumed..];
        }
    }
}

/// Sends messages, compressed where the client allows it.
struct Sender {
    deflate: Option<PerMessageDeflate>,
    deflater: Deflater,
    compressed: Vec<u8>,
}

impl Sender {
    fn send(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        if self.deflate.is_some_and(|deflate| deflate.may_compress(payload.len())) {
            self.compressed.clear();
            self.deflater.compress(payload, &mut self.compressed);
            frame(opcode, &self.compressed, true, out);
        } else {
            frame(opcode, payload, false, out);
        }
    }
}
