//! Connections that speak the handshake byte by byte, as a member would or would not.

use std::io::{Read, Write};
use std::net::TcpStream;

use sterna_link::Refusal;
use sterna_link::handshake::{Hello, Message, Purpose};

use crate::support::PATIENCE;

/// A connection.
pub(crate) struct Raw(TcpStream);

impl Raw {
    /// Connects to a port of the member with that entry.
    pub(crate) fn connect(entry: &str, purpose: Purpose) -> Self {
        let (host, port) = entry.rsplit_once(':').unwrap();
        let port = port.parse::<u16>().unwrap() + purpose as u16;
        Self::over(TcpStream::connect((host, port)).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, message: &Message) {
        let bytes = message.encode();
        self.send_bytes(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
        self.send_bytes(&bytes);
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn read(&mut self) -> Message {
        let mut length = [0; 2];
        self.0.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; u16::from_be_bytes(length).into()];
        self.0.read_exact(&mut bytes).unwrap();
        Message::decode(&bytes).unwrap()
    }

    /// The next message must be that refusal, and the last.
    pub(crate) fn assert_refused(mut self, refusal: Refusal) {
        assert_eq!(self.read(), Message::Refuse(refusal as u8));
        self.assert_closed();
    }

    /// Nothing more comes.
    pub(crate) fn assert_closed(mut self) {
        let mut rest = Vec::new();
        // An end by reset is an end, too.
        let _ = self.0.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }
}

/// A hello from slot 1 to slot 0, as one without the right fingerprint can write it.
pub(crate) fn hello() -> Hello {
    Hello {
        versions: (1, 1),
        purpose: Purpose::Log,
        from: 1,
        to: 0,
        nonce: 99,
        link: [0; 16],
        challenge: [5; 32],
        fingerprint: [6; 32],
        software: "raw/1".to_owned(),
        advertised: vec![],
    }
}
