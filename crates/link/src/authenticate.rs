//! The handshake on a connection: four messages, each side proves that it knows the password.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::handshake::{HASH_BYTES, Hello, LinkId, Message, Purpose, Welcome};
use crate::identity::Identity;
use crate::limit::HANDSHAKE_BYTES_MAX;
use crate::proof::{Role, Transcript};
use crate::refusal::Refusal;
use crate::stream::Stream;
use crate::tls;

/// Who is at the other end.
#[derive(Debug)]
pub(crate) struct Proved {
    pub(crate) slot: u16,
    pub(crate) process: Process,
    /// The link that the connection belongs to.
    pub(crate) link: LinkId,
}

/// A process of a member, and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) nonce: u128,
    pub(crate) software: String,
    /// Where clients reach it.
    pub(crate) advertised: Vec<String>,
}

/// Why there is no answer to that.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("refused: {0}")]
    Refused(Refusal),
    #[error("the other side refuses: seen from there, {0}")]
    RefusedThere(Refusal),
    #[error("the connection ended: {0}")]
    Lost(io::Error),
}

impl From<Refusal> for HandshakeError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> Self {
        match tls::refusal_of(&error) {
            Some((refusal, false)) => Self::Refused(refusal),
            Some((refusal, true)) => Self::RefusedThere(refusal),
            None => Self::Lost(error),
        }
    }
}

/// The side that accepted. It shows no proof to anyone who has not proved to know the password.
pub(crate) async fn accept(
    stream: &mut Stream,
    identity: &Identity,
    purpose: Purpose,
) -> Result<Proved, HandshakeError> {
    let proved = accept_or_refuse(stream, identity, purpose).await;
    if let Err(HandshakeError::Refused(refusal)) = &proved {
        // Whoever has gone already does not need to know.
        let _ = write(stream, &Message::Refuse(*refusal as u8).encode()).await;
    }
    proved
}

async fn accept_or_refuse(
    stream: &mut Stream,
    identity: &Identity,
    purpose: Purpose,
) -> Result<Proved, HandshakeError> {
    let (hello_bytes, hello) = read_hello(stream).await?;
    let version = identity.check_hello(purpose, &hello)?;
    let welcome = Message::Welcome(identity.welcome(version, random()?)).encode();
    write(stream, &welcome).await?;
    let transcript = Transcript { hello: &hello_bytes, welcome: &welcome };
    let proof = read_proof(stream).await?;
    if !transcript.is_proved(&identity.key, Role::Dialler, &proof) {
        return Err(Refusal::Password.into());
    }
    let own = Message::Proof(transcript.prove(&identity.key, Role::Acceptor));
    write(stream, &own.encode()).await?;
    let link = link_of(&transcript, identity, &hello);
    let Hello { from, nonce, software, advertised, .. } = hello;
    Ok(Proved { slot: from, process: Process { nonce, software, advertised }, link })
}

/// The side that dialled.
pub(crate) async fn dial(
    stream: &mut Stream,
    identity: &Identity,
    purpose: Purpose,
    to: u16,
    link: LinkId,
) -> Result<Proved, HandshakeError> {
    let hello = identity.hello(purpose, to, link, random()?);
    let hello_bytes = Message::Hello(hello.clone()).encode();
    write(stream, &hello_bytes).await?;
    let (welcome_bytes, welcome) = read_welcome(stream).await?;
    identity.check_welcome(&hello, &welcome)?;
    let transcript = Transcript { hello: &hello_bytes, welcome: &welcome_bytes };
    let own = Message::Proof(transcript.prove(&identity.key, Role::Dialler));
    write(stream, &own.encode()).await?;
    let proof = read_proof(stream).await?;
    if !transcript.is_proved(&identity.key, Role::Acceptor, &proof) {
        return Err(Refusal::Password.into());
    }
    let link = link_of(&transcript, identity, &hello);
    let Welcome { slot, nonce, software, advertised, .. } = welcome;
    Ok(Proved { slot, process: Process { nonce, software, advertised }, link })
}

fn link_of(transcript: &Transcript<'_>, identity: &Identity, hello: &Hello) -> LinkId {
    if hello.purpose == Purpose::Log { transcript.link_id(&identity.key) } else { hello.link }
}

async fn read_hello(stream: &mut Stream) -> Result<(Vec<u8>, Hello), HandshakeError> {
    match read(stream).await? {
        (bytes, Message::Hello(hello)) => Ok((bytes, hello)),
        (_, unexpected) => Err(out_of_turn(&unexpected)),
    }
}

async fn read_welcome(stream: &mut Stream) -> Result<(Vec<u8>, Welcome), HandshakeError> {
    match read(stream).await? {
        (bytes, Message::Welcome(welcome)) => Ok((bytes, welcome)),
        (_, unexpected) => Err(out_of_turn(&unexpected)),
    }
}

async fn read_proof(stream: &mut Stream) -> Result<[u8; HASH_BYTES], HandshakeError> {
    match read(stream).await? {
        (_, Message::Proof(proof)) => Ok(proof),
        (_, unexpected) => Err(out_of_turn(&unexpected)),
    }
}

fn out_of_turn(message: &Message) -> HandshakeError {
    match message {
        Message::Refuse(number) => HandshakeError::RefusedThere(Refusal::from_number(*number)),
        _ => Refusal::Malformed.into(),
    }
}

/// Reads one message: its length, u16, then its bytes.
async fn read(stream: &mut Stream) -> Result<(Vec<u8>, Message), HandshakeError> {
    let length = usize::from(stream.read_u16().await?);
    if length > HANDSHAKE_BYTES_MAX {
        return Err(Refusal::Oversized.into());
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    let message = Message::decode(&bytes).map_err(Refusal::from)?;
    Ok((bytes, message))
}

async fn write(stream: &mut Stream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).expect("below HANDSHAKE_BYTES_MAX");
    stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await?;
    stream.flush().await
}

fn random() -> io::Result<[u8; HASH_BYTES]> {
    let mut bytes = [0; HASH_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(bytes)
}
