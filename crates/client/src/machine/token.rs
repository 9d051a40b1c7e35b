//! A new token: in force at once in the live session, and for later connections.

use sterna_model::{Code, Request};
use sterna_wire::native::Refusal;

use super::Machine;
use super::connect::Phase;
use crate::Event;

/// A token request without an answer.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) id: u64,
    /// The token that stays in force if the new one is refused.
    pub(super) old_token: Option<Box<str>>,
}

impl Machine {
    /// Gives the client another token. In a live session it replaces the old one without interruption; a client that
    /// was denied for its token connects again.
    pub fn set_entitlement_token(&mut self, token: &str) {
        let old_token = self.settings.token.replace(token.into());
        match &self.phase {
            Phase::Connected(_) => {
                let id = self.next_id();
                self.renewal = Some(Renewal { id, old_token });
                self.send(&Request::RenewToken { id: Some(id), token: token.into() });
            }
            Phase::Denied(refusal) if is_about_token(refusal) => self.connect(),
            _ => {}
        }
    }

    pub(super) fn on_token_renewed(&mut self, expires_in_ms: Option<u64>) {
        self.renewal = None;
        self.tell(Event::TokenRenewed { expires_in_ms });
    }

    /// Whether the refusal answered the token request.
    pub(super) fn on_token_refused(&mut self, id: Option<u64>, refusal: &Refusal) -> bool {
        let Some(renewal) = self.renewal.take_if(|renewal| Some(renewal.id) == id) else { return false };
        self.settings.token = renewal.old_token;
        self.tell(Event::TokenInvalid(refusal.clone()));
        true
    }
}

pub(super) fn is_about_token(refusal: &Refusal) -> bool {
    matches!(refusal.code(), Some(Code::TokenMissing | Code::TokenInvalid | Code::TokenExpired))
}
