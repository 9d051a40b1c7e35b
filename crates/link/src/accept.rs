//! Takes connections on one of the four ports and lets in who can prove to belong here.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::admin;
use crate::authenticate::{self, HandshakeError, Proved};
use crate::complaints::Complaint;
use crate::context::Context;
use crate::event::Channel;
use crate::handshake::Purpose;
use crate::limit::{ACCEPT_PAUSE, HALF_OPEN_MAX, HALF_OPEN_PER_ADDRESS_MAX};
use crate::refusal::Refusal;
use crate::remote::{Arrival, Input};
use crate::stream::{self, Stream};

/// Accepts for as long as the links run.
pub(crate) async fn accept(listener: TcpListener, purpose: Purpose, context: Arc<Context>) {
    let mut half_open: Vec<(IpAddr, JoinHandle<()>)> = Vec::with_capacity(HALF_OPEN_MAX);
    loop {
        let Ok((tcp, address)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let ip = address.ip().to_canonical();
        half_open.retain(|(_, task)| !task.is_finished());
        let from_there = half_open.iter().filter(|(other, _)| *other == ip).count();
        if half_open.len() >= HALF_OPEN_MAX || from_there >= HALF_OPEN_PER_ADDRESS_MAX {
            refuse(&context, ip, Refusal::TooMany);
            continue;
        }
        let task = tokio::spawn(let_in(tcp, SocketAddr::new(ip, address.port()), purpose, context.clone()));
        half_open.push((ip, task));
    }
}

async fn let_in(tcp: TcpStream, address: SocketAddr, purpose: Purpose, context: Arc<Context>) {
    let shake = async {
        let mut stream = stream::accepted(tcp, context.tls().as_ref()).await?;
        let proved = authenticate::accept(&mut stream, &context.identity, purpose).await?;
        Ok((stream, proved))
    };
    let shaken = timeout(context.settings.handshake, shake).await;
    match shaken.unwrap_or_else(|_| Err(Refusal::TooSlow.into())) {
        Ok((stream, proved)) => lead_on(&context, purpose, address, stream, proved).await,
        Err(HandshakeError::Refused(refusal)) => refuse(&context, address.ip(), refusal),
        Err(error) => tracing::debug!(%address, %error, "handshake given up"),
    }
}

async fn lead_on(context: &Context, purpose: Purpose, address: SocketAddr, stream: Stream, proved: Proved) {
    let channel = match purpose {
        Purpose::Log => Channel::Log,
        Purpose::Forward => Channel::Forward,
        Purpose::Transfer => Channel::Transfer,
        Purpose::Admin => return admin::converse(context, stream).await,
    };
    let remote = context.remotes.get(usize::from(proved.slot)).and_then(Option::as_ref);
    let remote = remote.expect("the handshake lets in slots of the list other than the own");
    let _ = remote.send(Input::Arrived(Arrival { channel, address, stream, proved }));
}

fn refuse(context: &Context, address: IpAddr, refusal: Refusal) {
    context.complaints.add(Complaint { address, refusal, refused_there: false });
}
