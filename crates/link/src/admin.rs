//! Administration: one request and one answer, over the member's fourth port.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::authenticate::{self, HandshakeError};
use crate::carry::{read_frame, write_frame};
use crate::context::Context;
use crate::dial::{connect, resolve};
use crate::event::LinkEvent;
use crate::handshake::{LinkId, NO_SLOT, Purpose};
use crate::identity::Identity;
use crate::limit::{ADMIN_ANSWER_BYTES_MAX, ADMIN_REQUEST_BYTES_MAX, ADMIN_TIMEOUT};
use crate::proof::ClusterKey;
use crate::refusal::Refusal;
use crate::settings::{Entry, SettingsError};
use crate::stream::{self, Stream};
use crate::tls::LinkTls;

/// Where the answer to a request goes. Dropped without an answer, it ends the conversation.
#[derive(Debug)]
pub struct Answer(oneshot::Sender<Bytes>);

impl Answer {
    /// Answers, with at most `limit::ADMIN_ANSWER_BYTES_MAX` bytes. Whoever asked may have gone.
    pub fn send(self, answer: Bytes) {
        let _ = self.0.send(answer);
    }
}

/// Serves one conversation whose other end has proved to know the password.
pub(crate) async fn converse(context: &Context, mut stream: Stream) {
    let conversation = async {
        let request = read_frame(&mut stream, ADMIN_REQUEST_BYTES_MAX).await?;
        let (answer, answered) = oneshot::channel();
        context.tell(LinkEvent::Admin { request, answer: Answer(answer) });
        let answer = answered.await.map_err(io::Error::other)?;
        if answer.len() > ADMIN_ANSWER_BYTES_MAX {
            return Err(io::Error::other("the answer is longer than allowed"));
        }
        write_frame(&mut stream, &answer).await?;
        stream.shutdown().await
    };
    match timeout(ADMIN_TIMEOUT, conversation).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "administration without an answer"),
        Err(_) => tracing::debug!("administration without an answer in time"),
    }
}

/// A member gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The member is not given as `host:port`.
    #[error(transparent)]
    Entry(#[from] SettingsError),
    /// The request is too long.
    #[error("the request has more than {ADMIN_REQUEST_BYTES_MAX} bytes")]
    Oversized,
    /// The member cannot be reached.
    #[error(
        "cannot reach {member}: {source}; see whether it runs, and its four ports from ClusterMemberListen on"
    )]
    Unreachable {
        /// As given.
        member: String,
        /// What the system says.
        source: io::Error,
    },
    /// The member refuses.
    #[error("the member refuses; seen from there: {0}")]
    RefusedThere(Refusal),
    /// What answers is not trusted.
    #[error("the member's answer is refused: {0}")]
    Refused(Refusal),
    /// The conversation ended early.
    #[error("the member gave no answer: {0}")]
    NoAnswer(io::Error),
    /// Too late.
    #[error("the member gave no answer within {0:?}")]
    TooSlow(Duration),
}

impl From<HandshakeError> for AdminError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Refused(refusal) => Self::Refused(refusal),
            HandshakeError::RefusedThere(refusal) => Self::RefusedThere(refusal),
            HandshakeError::Lost(error) => Self::NoAnswer(error),
        }
    }
}

/// Asks a member, given by its entry in `ClusterMembers` (its port of administration is the third after it), and waits
/// for the answer. Must not be called from asynchronous code.
///
/// # Errors
/// There was no answer from a member that knows the password.
pub fn admin_request(
    member: &str,
    key: &ClusterKey,
    tls: Option<&LinkTls>,
    request: &[u8],
    patience: Duration,
) -> Result<Bytes, AdminError> {
    let entry = Entry::parse(member)?;
    if request.len() > ADMIN_REQUEST_BYTES_MAX {
        return Err(AdminError::Oversized);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(AdminError::NoAnswer)?;
    let asked = runtime.block_on(async {
        timeout(patience, ask(member, &entry, &Identity::admin(key.clone()), tls, request)).await
    });
    // A lookup of the name may still be under way.
    runtime.shutdown_background();
    asked.unwrap_or(Err(AdminError::TooSlow(patience)))
}

async fn ask(
    member: &str,
    entry: &Entry,
    identity: &Identity,
    tls: Option<&LinkTls>,
    request: &[u8],
) -> Result<Bytes, AdminError> {
    let unreachable = |source| AdminError::Unreachable { member: member.to_owned(), source };
    let mut addresses = resolve(entry).await.map_err(unreachable)?;
    for address in &mut addresses {
        *address = SocketAddr::new(address.ip(), entry.port + Purpose::Admin as u16);
    }
    let (tcp, _) = connect(&addresses).await.map_err(unreachable)?;
    let mut stream = stream::dialled(tcp, &entry.host, tls).await.map_err(HandshakeError::from)?;
    authenticate::dial(&mut stream, identity, Purpose::Admin, NO_SLOT, LinkId::default()).await?;
    write_frame(&mut stream, request).await.map_err(AdminError::NoAnswer)?;
    stream.flush().await.map_err(AdminError::NoAnswer)?;
    read_frame(&mut stream, ADMIN_ANSWER_BYTES_MAX).await.map_err(AdminError::NoAnswer)
}
