//! The entitlement modes: what a token, or the lack of one, makes of a client.

use std::fmt;

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use sterna_model::limit::TOKEN_BYTES_MAX;
use sterna_model::{Identity, Permissions};

use crate::jwt::{JwtConfig, JwtVerifier, TokenError};
use crate::{KeyError, Secret};

/// The parameter `Entitlement` with what its mode needs.
#[derive(Clone, Debug)]
pub enum AuthorityConfig {
    /// Everybody may do everything.
    None,
    /// Everybody may subscribe; publishing needs the shared token.
    Basic {
        /// `EntitlementAllowToken`; without one nobody may publish.
        token: Option<Secret>,
    },
    /// Signed tokens say who may do what.
    Jwt(JwtConfig),
}

/// Turns tokens into identities.
#[derive(Debug)]
pub struct Authority {
    entitlement: Entitlement,
    renew_before_s: u64,
}

#[derive(Debug)]
enum Entitlement {
    None,
    Basic(Option<TokenDigest>),
    Jwt(JwtVerifier),
}

impl Authority {
    /// Reads the keys.
    ///
    /// # Errors
    /// Says which key cannot be used, why, and what to do.
    pub fn new(config: &AuthorityConfig) -> Result<Self, KeyError> {
        let (entitlement, renew_before_s) = match config {
            AuthorityConfig::None => (Entitlement::None, 0),
            AuthorityConfig::Basic { token } => {
                (Entitlement::Basic(token.as_ref().map(TokenDigest::new).transpose()?), 0)
            }
            AuthorityConfig::Jwt(jwt) => (Entitlement::Jwt(JwtVerifier::new(jwt)?), jwt.renew_before_s),
        };
        Ok(Self { entitlement, renew_before_s })
    }

    /// Judges the token of a connect or renew request at the time `now_s` (seconds of Unix time).
    ///
    /// Mode None and mode Basic refuse nobody: in Basic a wrong token only leaves publishing out.
    ///
    /// # Errors
    /// In mode JWT: the token is missing, not valid, or expired.
    pub fn verify(&self, token: Option<&str>, now_s: u64) -> Result<Identity, TokenError> {
        let forever = |permissions| Identity { permissions, expires_at_s: None };
        match &self.entitlement {
            Entitlement::None => Ok(forever(Permissions::All)),
            Entitlement::Basic(expected) => {
                let known = expected.as_ref().zip(token).is_some_and(|(digest, token)| digest.is_of(token));
                Ok(forever(if known { Permissions::All } else { Permissions::SubscribeOnly }))
            }
            Entitlement::Jwt(verifier) => {
                let token = token.filter(|token| !token.is_empty()).ok_or(TokenError::Missing)?;
                verifier.verify(token, now_s)
            }
        }
    }

    /// How long before an identity expires its client is told to renew the token, seconds.
    #[must_use]
    pub fn renew_before_s(&self) -> u64 {
        self.renew_before_s
    }
}

/// The shared token, kept and compared as its hash: the comparison then takes as long for a wrong length as
/// for a wrong letter, and the token itself is not in memory.
struct TokenDigest(Digest);

impl TokenDigest {
    fn new(token: &Secret) -> Result<Self, KeyError> {
        match token.expose().len() {
            0 => Err(KeyError::TokenEmpty),
            1..=TOKEN_BYTES_MAX => Ok(Self(digest(&SHA256, token.expose()))),
            _ => Err(KeyError::TokenTooLong),
        }
    }

    fn is_of(&self, token: &str) -> bool {
        token.len() <= TOKEN_BYTES_MAX
            && constant_time::verify_slices_are_equal(
                self.0.as_ref(),
                digest(&SHA256, token.as_bytes()).as_ref(),
            )
            .is_ok()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}
