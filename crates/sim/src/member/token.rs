//! Tokens of the simulation: which subjects may be subscribed to, and until when.

use std::sync::Arc;

use sterna_broker::session::Authority;
use sterna_model::{Code, Identity, Pattern, Permissions};

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// One bit for each subject that may be subscribed to.
    pub(crate) subjects: u32,
    /// Unix time in seconds; 0 is never.
    pub(crate) expires_at_s: u64,
}

impl Token {
    /// Allows everything, for ever.
    pub(crate) const ALL: Self = Self { subjects: u32::MAX, expires_at_s: 0 };

    pub(crate) fn allows(self, subject: u32) -> bool {
        self.subjects & (1 << subject) != 0
    }

    pub(crate) fn text(self) -> Box<str> {
        format!("{}:{}", self.subjects, self.expires_at_s).into()
    }

    fn read(text: &str) -> Option<Self> {
        let (subjects, expires_at_s) = text.split_once(':')?;
        Some(Self { subjects: subjects.parse().ok()?, expires_at_s: expires_at_s.parse().ok()? })
    }
}

/// Reads [`Token`]s.
pub(super) struct Tokens;

impl Authority for Tokens {
    fn verify(&self, token: Option<&str>, now_s: u64) -> Result<Arc<Identity>, Code> {
        let token = token.ok_or(Code::TokenMissing)?;
        let token = Token::read(token).ok_or(Code::TokenInvalid)?;
        if token.expires_at_s != 0 && token.expires_at_s <= now_s {
            return Err(Code::TokenExpired);
        }
        let pattern = |text: &str| Pattern::parse(text).expect("written here");
        let allowed = (0..u32::BITS).filter(|subject| token.allows(*subject));
        let subscribe = allowed.map(|subject| pattern(&crate::op::subject_text(subject))).collect();
        let permissions = Permissions::Lists { subscribe, publish: vec![pattern("/**")] };
        let expires_at_s = (token.expires_at_s != 0).then_some(token.expires_at_s);
        Ok(Arc::new(Identity { permissions, expires_at_s }))
    }
}
