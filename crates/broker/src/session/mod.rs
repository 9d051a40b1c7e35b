//! A session: a client's life on this member, from connect to close. One per connection, owned by its shard.

mod connect;
mod fetch;
mod publish;
mod subscribe;
mod subscriptions;
mod token;

use std::sync::Arc;

use sterna_model::{Code, ConnectionId, Identity, Reply, Request, ServerInfo, SessionId};

use crate::core::Event;

pub use subscribe::{Begun, Ended, Messages};
pub use subscriptions::{Subscription, Subscriptions};

use fetch::Fetch;

/// Judges tokens. Implemented by the server, because keys come from files.
pub trait Authority {
    /// Who the token's bearer is.
    ///
    /// # Errors
    /// The code to answer with, if this mode does not let such a bearer connect.
    fn verify(&self, token: Option<&str>, now_s: u64) -> Result<Arc<Identity>, Code>;
}

/// What all sessions of a shard have in common.
pub struct Rules {
    /// Judges tokens.
    pub authority: Box<dyn Authority + Send + Sync>,
    /// What clients are told of this member.
    pub info: Arc<ServerInfo>,
    /// Subscriptions a session may have.
    pub subscriptions_max: usize,
    /// How long before expiry a token's bearer is told, milliseconds.
    pub renew_before_ms: u64,
}

/// Why a request is refused, and the detail for a person.
type Refusal = (Code, Option<Box<str>>);

/// The moment at which something happens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Unix time, milliseconds.
    pub unix_ms: u64,
    /// Any monotonic scale, microseconds.
    pub monotonic_us: u64,
}

/// What a session wants done. The order is binding.
#[derive(Debug)]
pub enum Output {
    /// Tell the client.
    Reply(Reply),
    /// Tell the core.
    Core(Event),
    /// Close the connection with this code, after what was replied before.
    Close(Code),
}

/// One client's life. Small: an idle session with one subscription costs little more than this struct.
#[derive(Debug, Default)]
pub struct Session {
    /// Who it is; none until connected.
    identity: Option<Arc<Identity>>,
    subscriptions: Subscriptions,
    /// What is still to be fetched from the core; none when all is there.
    fetch: Option<Box<Fetch>>,
    /// The client's address may publish.
    address_may_publish: bool,
    /// The client was told that its token is about to expire.
    expiry_noticed: bool,
}

impl Session {
    /// A session that awaits its connect request.
    #[must_use]
    pub fn new(address_may_publish: bool) -> Self {
        Self { address_may_publish, ..Self::default() }
    }

    /// Takes one request in.
    pub fn handle_request(
        &mut self,
        now: Now,
        me: (ConnectionId, SessionId),
        rules: &Rules,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        let (connection, number) = me;
        match request {
            Request::Connect { version, token, .. } => {
                self.handle_connect(now, number, rules, version, token.as_deref(), out);
            }
            Request::Subscribe { id, items } => self.handle_subscribe(rules, id, items, out),
            Request::Unsubscribe { id, subjects } => self.handle_unsubscribe(id, subjects, out),
            Request::Publish { id, subject, reply_to, publish } => {
                self.handle_publish(
                    now,
                    connection,
                    rules,
                    id,
                    (&subject, reply_to.as_deref()),
                    *publish,
                    out,
                );
            }
            Request::Ping { id } => out.push(Output::Reply(Reply::Pong { id })),
            Request::RenewToken { id, token } => self.handle_renew(now, rules, id, &token, out),
        }
    }

    /// Whether the session stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether the session stands and may subscribe to the subject.
    #[must_use]
    pub fn may_subscribe(&self, name: &sterna_model::Subject) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.permissions.may_subscribe(name))
    }

    /// The subscriptions in force.
    #[must_use]
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.subscriptions
    }

    /// Whether there is a subscription to the subject, or to any, in force or catching up.
    #[must_use]
    pub fn hears(&self, subject: Option<sterna_model::SubjectId>) -> bool {
        let fetch = self.fetch.as_deref();
        match subject {
            None => {
                !self.subscriptions.is_empty() || fetch.is_some_and(|fetch| !fetch.catching_up.is_empty())
            }
            Some(subject) => {
                self.subscriptions.find(subject).is_some()
                    || fetch.is_some_and(|fetch| fetch.catching_up.contains_key(&subject))
            }
        }
    }

    pub(crate) fn subscriptions_mut(&mut self) -> &mut Subscriptions {
        &mut self.subscriptions
    }

    /// Bytes accounted for the session besides the struct itself.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.subscriptions.held_bytes() + self.fetch.as_ref().map_or(0, |fetch| fetch.held_bytes())
    }
}
