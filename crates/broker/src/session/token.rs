//! Tokens on a live session: renewal, the notice before expiry, the end at expiry.

use sterna_model::{Code, Identity, Reply};

use super::{Now, Output, Rules, Session};
use crate::shard::Audiences;

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

    /// Subjects that the session is subscribed to but (after a renewal) no longer may be.
    #[must_use]
    pub fn no_longer_allowed(&self, audiences: &Audiences) -> Vec<sterna_model::Subject> {
        let Some(identity) = &self.identity else { return Vec::new() };
        let names = self.subscriptions.iter().filter_map(|subscription| audiences.name(subscription.subject));
        // Those that the core has not begun yet are judged when it does.
        let pending = self.fetch.iter().flat_map(|fetch| fetch.catching_up.values());
        names
            .chain(pending.map(|catch_up| &catch_up.name))
            .filter(|name| !identity.permissions.may_subscribe(name))
            .cloned()
            .collect()
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
