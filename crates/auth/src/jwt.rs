//! Signed tokens (RFC 7519): signature first, then claims, then time.

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use serde_json::{Map, Value};
use sterna_model::limit::TOKEN_BYTES_MAX;
use sterna_model::{Code, Identity};

use crate::key::VerifyingKey;
use crate::{Claims, ClaimsError, KeyConfig, KeyError};

/// Keys tried for one token, so that a forged token costs a bounded amount of work.
pub(crate) const KEYS_MAX: usize = 16;

/// Configuration of mode JWT.
#[derive(Clone, Debug)]
pub struct JwtConfig {
    /// Keys, tried in order; more than one while keys are being exchanged.
    pub keys: Vec<KeyConfig>,
    /// How much the issuer's clock may differ, seconds.
    pub leeway_s: u64,
    /// How long before a token expires its client is told to renew it, seconds.
    pub renew_before_s: u64,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self { keys: Vec::new(), leeway_s: 0, renew_before_s: 60 }
    }
}

/// Why a token is refused. Says nothing of the token's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("there is no token")]
    Missing,
    /// Longer than [`TOKEN_BYTES_MAX`].
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not three parts of base64url, or a part is not the JSON it should be.
    #[error("the token is not a JSON Web Token of an algorithm known here")]
    Malformed,
    /// The token was signed with an algorithm that no configured key is for.
    #[error("no configured key is for the token's algorithm")]
    Algorithm,
    /// No configured key has made this signature.
    #[error("the token's signature is not of a configured key")]
    Signature,
    /// The header demands extensions (`crit`), and none is known here (RFC 7515, 4.1.11).
    #[error("the token's header demands an extension that is not known here")]
    Extension,
    /// A claim is missing or malformed.
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// `nbf` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
}

impl TokenError {
    /// The public code.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::Missing => Code::TokenMissing,
            Self::Expired => Code::TokenExpired,
            _ => Code::TokenInvalid,
        }
    }
}

#[derive(Debug)]
pub(crate) struct JwtVerifier {
    keys: Vec<(VerifyingKey, Validation)>,
    leeway_s: u64,
}

impl JwtVerifier {
    pub(crate) fn new(config: &JwtConfig) -> Result<Self, KeyError> {
        // Chosen by hand, because the library panics at run time when another crate of the build enables its
        // second provider too. An error means that a provider is chosen already.
        let _ = DEFAULT_PROVIDER.install_default();
        match config.keys.len() {
            0 => return Err(KeyError::NoKey),
            1..=KEYS_MAX => {}
            keys => return Err(KeyError::TooManyKeys { keys }),
        }
        let with_validation = |key| {
            let key = VerifyingKey::new(key)?;
            let validation = signature_only(&key);
            Ok((key, validation))
        };
        let keys = config.keys.iter().map(with_validation).collect::<Result<_, _>>()?;
        Ok(Self { keys, leeway_s: config.leeway_s })
    }

    pub(crate) fn verify(&self, token: &str, now_s: u64) -> Result<Identity, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let claims = Claims::from_object(&self.signed_claims(token)?)?;
        if now_s.saturating_add(self.leeway_s) < claims.not_before_s {
            return Err(TokenError::NotYetValid);
        }
        let expires_at_s = claims.expires_at_s.saturating_add(self.leeway_s);
        if now_s >= expires_at_s {
            return Err(TokenError::Expired);
        }
        Ok(Identity { permissions: claims.permissions, expires_at_s: Some(expires_at_s) })
    }

    /// The claims, if one of the keys has signed them.
    fn signed_claims(&self, token: &str) -> Result<Map<String, Value>, TokenError> {
        let mut refusal = TokenError::Algorithm;
        for (key, validation) in &self.keys {
            match decode(token, &key.key, validation) {
                Ok(data) if data.header.crit.is_some() => return Err(TokenError::Extension),
                Ok(data) => return Ok(data.claims),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidAlgorithm => {}
                    ErrorKind::InvalidSignature => refusal = TokenError::Signature,
                    _ => return Err(TokenError::Malformed),
                },
            }
        }
        Err(refusal)
    }
}

/// Has the library check the signature by the key's one algorithm, and nothing else: it reads its own clock,
/// and ours comes in as a value.
fn signature_only(key: &VerifyingKey) -> Validation {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
