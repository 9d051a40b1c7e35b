//! Tokens on a live session: renewal, the notice before expiry, the end at expiry.

use sterna_model::{Code, ConnectionId, Identity, Reply, SubjectId};

use super::subscribe::refused;
use super::{Now, Output, Rules, Session};
use crate::core::Event;
use crate::shard::{Audiences, Sessions};

/// Milliseconds until the identity's token expires.
pub(super) fn expires_in_ms(identity: &Identity, now: Now) -> Option<u64> {
    identity.expires_at_s.map(|at_s| (at_s.saturating_mul(1000)).saturating_sub(now.unix_ms))
}

impl Session {
    pub(super) fn handle_renew(
        &mut self,
        now: Now,
        rules: &Rules,
        id: Option<u64>,
        token: &str,
        out: &mut Vec<Output>,
    ) {
        if !self.is_connected() {
            out.push(Output::Reply(Reply::error(id, Code::ConnectRequired)));
            return;
        }
        match rules.authority.verify(Some(token), now.unix_ms / 1000) {
            Ok(identity) => {
                let expires_in_ms = expires_in_ms(&identity, now);
                self.identity = Some(identity);
                self.expiry_noticed = false;
                out.push(Output::Reply(Reply::TokenRenewed { id, expires_in_ms }));
            }
            // The old token stays in force until it expires.
            Err(code) => out.push(Output::Reply(Reply::error(id, code))),
        }
    }

    /// After a renewal: ends the subscriptions that are no longer allowed, and returns their subjects. Those that
    /// the core has not begun yet are judged when it does.
    pub fn end_denied(
        &mut self,
        me: ConnectionId,
        audiences: &mut Audiences,
        sessions: &mut impl Sessions,
        out: &mut Vec<Output>,
    ) -> Vec<SubjectId> {
        let standing = self.subscriptions.iter().filter_map(|subscription| {
            let subject = subscription.subject;
            audiences.name(subject).map(|name| (subject, name))
        });
        let fetch = self.fetch.iter();
        let catching_up =
            fetch.flat_map(|fetch| fetch.catching_up.iter().map(|(subject, of)| (*subject, &of.name)));
        let denied = standing.chain(catching_up).filter(|(_, name)| !self.may_subscribe(name));
        let denied: Vec<_> = denied.map(|(subject, name)| (subject, name.clone())).collect();
        for (subject, name) in &denied {
            self.end_subscription(*subject, audiences, sessions);
            out.push(refused(None, Code::SubscribeDenied, name.as_str().into()));
            out.push(Output::Reply(Reply::Unsubscribed { id: None, subject: name.as_str().into() }));
        }
        self.drop_idle_fetch();
        let subjects: Vec<_> = denied.into_iter().map(|(subject, _)| subject).collect();
        if !subjects.is_empty() {
            out.push(Output::Core(Event::Release { shard: me.shard, subjects: subjects.clone() }));
        }
        subjects
    }

    /// When the session wants [`Session::on_timer`] to be called, Unix milliseconds.
    #[must_use]
    pub fn deadline_ms(&self, rules: &Rules) -> Option<u64> {
        let expires_ms = self.identity.as_ref()?.expires_at_s?.saturating_mul(1000);
        Some(if self.expiry_noticed { expires_ms } else { expires_ms.saturating_sub(rules.renew_before_ms) })
    }

    /// Lets time pass: the notice before the token's expiry, the end at it.
    pub fn on_timer(&mut self, now: Now, rules: &Rules, out: &mut Vec<Output>) {
        let Some(left_ms) = self.identity.as_ref().and_then(|identity| expires_in_ms(identity, now)) else {
            return;
        };
        if left_ms == 0 {
            out.push(Output::Reply(Reply::error(None, Code::TokenExpired)));
            out.push(Output::Close(Code::TokenExpired));
        } else if left_ms <= rules.renew_before_ms && !self.expiry_noticed {
            self.expiry_noticed = true;
            out.push(Output::Reply(Reply::TokenToExpire { expires_in_ms: left_ms }));
        }
    }
}
