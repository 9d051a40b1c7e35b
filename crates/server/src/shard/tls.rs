//! TLS of one connection, through rustls' unbuffered API: no buffer while nothing is half done.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus};

/// Plain bytes in one record.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Bytes that a record adds, generously.
const RECORD_OVERHEAD_BYTES: usize = 256;
/// What rustls and the keys of both directions occupy besides [`Tls`] itself once the handshake is done, bytes. Found by
/// `sterna bench memory`, which compares what is accounted with what the process has.
const HEAP_BYTES: usize = 2_400;
/// Bytes of an incomplete record that are kept: a record and its header, or a long handshake message.
const INCOMING_BYTES_MAX: usize = 64 * 1024;

/// The TLS side of a connection.
pub(super) struct Tls {
    connection: UnbufferedServerConnection,
    /// Bytes of a record that is not complete.
    incoming: Vec<u8>,
    /// Ciphertext that the socket did not take yet, from `sent` on.
    outgoing: Vec<u8>,
    sent: usize,
    /// Application data can be sent.
    established: bool,
    peer_closed: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("established", &self.established).finish_non_exhaustive()
    }
}

/// What a call has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsProgress {
    /// Go on.
    Open,
    /// The peer has closed its side.
    PeerClosed,
}

impl Tls {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            established: false,
            peer_closed: false,
        })
    }

    /// Whether application data can be sent.
    pub(super) fn is_established(&self) -> bool {
        self.established
    }

    /// Ciphertext that waits for the socket.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.outgoing[self.sent..]
    }

    /// The socket took `count` bytes of the ciphertext.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.outgoing.len() {
            self.outgoing = Vec::new();
            self.sent = 0;
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + HEAP_BYTES + self.incoming.capacity() + self.outgoing.capacity()
    }

    /// Takes bytes from the socket; appends what they decrypt to.
    pub(super) fn read(
        &mut self,
        input: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<TlsProgress, rustls::Error> {
        if self.incoming.is_empty() {
            let consumed = self.process(input, plain)?;
            self.incoming.extend_from_slice(&input[consumed..]);
        } else {
            let mut incoming = std::mem::take(&mut self.incoming);
            incoming.extend_from_slice(input);
            let consumed = self.process(&mut incoming, plain)?;
            if consumed < incoming.len() {
                incoming.drain(..consumed);
                self.incoming = incoming;
            }
        }
        if self.incoming.len() > INCOMING_BYTES_MAX {
            return Err(rustls::Error::General("record longer than any valid one".to_owned()));
        }
        Ok(if self.peer_closed { TlsProgress::PeerClosed } else { TlsProgress::Open })
    }

    /// Runs the state machine over `input`; returns how many bytes are done with.
    fn process(&mut self, input: &mut [u8], plain: &mut Vec<u8>) -> Result<usize, rustls::Error> {
        let mut consumed = 0;
        loop {
            let UnbufferedStatus { mut discard, state, .. } =
                self.connection.process_tls_records(&mut input[consumed..]);
            let mut more = true;
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    self.encode_alerts();
                    return Err(error);
                }
            };
            match state {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(encode) => encode_to(&mut self.outgoing, encode)?,
                // What was encoded is in `outgoing`, which is sent in order.
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::BlockedHandshake => more = false,
                ConnectionState::WriteTraffic(_) => {
                    self.established = true;
                    more = false;
                }
                // Seen once; whether we may still write is seen next.
                ConnectionState::PeerClosed => self.peer_closed = true,
                ConnectionState::Closed => {
                    self.peer_closed = true;
                    more = false;
                }
                _ => return Err(rustls::Error::General("early data is not offered".to_owned())),
            }
            consumed += discard;
            if !more {
                return Ok(consumed);
            }
        }
    }

    /// Appends what tells the peer why TLS has failed.
    fn encode_alerts(&mut self) {
        while let Ok(ConnectionState::EncodeTlsData(encode)) =
            self.connection.process_tls_records(&mut []).state
            && encode_to(&mut self.outgoing, encode).is_ok()
        {}
    }

    /// Encrypts application data, at most [`RECORD_BYTES_MAX`], to be sent after what waits already.
    pub(super) fn encrypt(&mut self, plain: &[u8]) -> Result<(), rustls::Error> {
        self.with_write_traffic(|traffic, outgoing| {
            outgoing.reserve(plain.len() + RECORD_OVERHEAD_BYTES);
            grow(outgoing, |out| traffic.encrypt(plain, out).map_err(required_size))
        })
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn close(&mut self) -> Result<(), rustls::Error> {
        self.with_write_traffic(|traffic, outgoing| {
            grow(outgoing, |out| traffic.queue_close_notify(out).map_err(required_size))
        })
    }

    fn with_write_traffic(
        &mut self,
        write: impl FnOnce(
            &mut rustls::unbuffered::WriteTraffic<'_, rustls::server::ServerConnectionData>,
            &mut Vec<u8>,
        ) -> Result<(), rustls::Error>,
    ) -> Result<(), rustls::Error> {
        let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut []);
        match state? {
            ConnectionState::WriteTraffic(mut traffic) => write(&mut traffic, &mut self.outgoing),
            _ => Err(rustls::Error::General("application data before the handshake is done".to_owned())),
        }
    }
}

fn encode_to(
    out: &mut Vec<u8>,
    mut encode: EncodeTlsData<'_, rustls::server::ServerConnectionData>,
) -> Result<(), rustls::Error> {
    grow(out, |out| {
        encode.encode(out).map_err(|error| match error {
            EncodeError::InsufficientSize(size) => Ok(size.required_size),
            other @ EncodeError::AlreadyEncoded => Err(other.to_string()),
        })
    })
}

fn required_size(error: EncryptError) -> Result<usize, String> {
    match error {
        EncryptError::InsufficientSize(size) => Ok(size.required_size),
        other @ EncryptError::EncryptExhausted => Err(other.to_string()),
    }
}

/// Appends what `encode` writes, making room as it asks.
fn grow(
    out: &mut Vec<u8>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, Result<usize, String>>,
) -> Result<(), rustls::Error> {
    let before = out.len();
    let mut room = (out.capacity() - before).max(1024);
    loop {
        out.resize(before + room, 0);
        match encode(&mut out[before..]) {
            Ok(written) => {
                out.truncate(before + written);
                return Ok(());
            }
            Err(Ok(required)) => room = required,
            Err(Err(reason)) => {
                out.truncate(before);
                return Err(rustls::Error::General(reason));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn configurations() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(server), Arc::new(client))
    }

    fn written(client: &mut ClientConnection) -> Vec<u8> {
        let mut out = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut out).unwrap();
        }
        out
    }

    #[test]
    fn a_client_that_ends_its_side_with_its_first_bytes_can_be_answered() {
        let (server, client) = configurations();
        let mut client = ClientConnection::new(client, ServerName::try_from("localhost").unwrap()).unwrap();
        let mut tls = Tls::new(server).unwrap();
        let mut plain = Vec::new();
        assert_eq!(tls.read(&mut written(&mut client), &mut plain), Ok(TlsProgress::Open));
        let mut answer = tls.unsent();
        while !answer.is_empty() {
            client.read_tls(&mut answer).unwrap();
            client.process_new_packets().unwrap();
        }
        // The end of the handshake, a request and the end of the input arrive together.
        client.writer().write_all(b"request").unwrap();
        client.send_close_notify();
        assert_eq!(tls.read(&mut written(&mut client), &mut plain), Ok(TlsProgress::PeerClosed));
        assert_eq!(plain, b"request");
        assert!(tls.is_established());
        tls.encrypt(b"answer").unwrap();
    }
}
