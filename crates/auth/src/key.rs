//! Keys that verify tokens: judged when they are read, and bound to one algorithm each.

use std::fmt;

use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use jsonwebtoken::{Algorithm, DecodingKey};
use sterna_model::limit::TOKEN_BYTES_MAX;

use crate::Secret;
use crate::jwt::KEYS_MAX;

/// One key as configured.
#[derive(Clone, Debug)]
pub struct KeyConfig {
    /// What errors call the key: the parameter or the file it comes from.
    pub name: Box<str>,
    /// The key itself.
    pub material: KeyMaterial,
    /// The algorithm (`RS256` and the like) if the key's size shall not choose it.
    pub algorithm: Option<Box<str>>,
}

/// Key material, by the kind of signature.
#[derive(Clone, Debug)]
pub enum KeyMaterial {
    /// A shared secret, the bytes themselves; 32, 48, 64 bytes choose HS256, HS384, HS512.
    Hmac(Secret),
    /// An RSA public key in PEM; 2048, 3072, 4096 bits choose RS256, RS384, RS512.
    Rsa(Secret),
    /// An elliptic curve public key in PEM; P-256, P-384 choose ES256, ES384.
    Ec(Secret),
}

/// Why an authority cannot be made of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Mode JWT has no key.
    #[error("entitlement JWT needs a key; configure a secret or a public key")]
    NoKey,
    /// More keys than are tried for one token.
    #[error("{keys} keys are configured; {KEYS_MAX} are the most that are tried, remove old ones")]
    TooManyKeys {
        /// How many.
        keys: usize,
    },
    /// The shared token of mode Basic is empty.
    #[error("the entitlement token is empty; give it a value, or leave it out so that nobody may publish")]
    TokenEmpty,
    /// The shared token of mode Basic is longer than a client can send.
    #[error("the entitlement token is longer than {TOKEN_BYTES_MAX} bytes; choose a shorter one")]
    TokenTooLong,
    /// A key cannot be used.
    #[error("{name}: {problem}")]
    Key {
        /// Name of the key in the configuration.
        name: Box<str>,
        /// What is wrong with it and what to do.
        problem: KeyProblem,
    },
}

/// What is wrong with a key and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// A private key does not belong on a server that only verifies.
    #[error("this is a private key; give its public key only (openssl pkey -in FILE -pubout)")]
    PrivateKey,
    /// No RSA public key in PEM.
    #[error("not an RSA public key in PEM, which begins with -----BEGIN PUBLIC KEY-----")]
    NotRsaPublicKey,
    /// No elliptic curve public key in PEM, or of another curve.
    #[error(
        "not a public key of the curve P-256 or P-384 in PEM, which begins with -----BEGIN PUBLIC KEY-----"
    )]
    NotEcPublicKey,
    /// An RSA key outside of what is safe and fast.
    #[error("an RSA key of {bits} bits; it must have 2048 to 8192")]
    RsaSize {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The size chooses no algorithm.
    #[error("a size of {size} chooses no algorithm; use one of {choices}, or name the algorithm")]
    SizeChoosesNone {
        /// Bytes of a secret, bits of a public key.
        size: usize,
        /// The sizes that choose one.
        choices: Choices,
    },
    /// The secret is shorter than the hash (RFC 7518, 3.2).
    #[error("a secret of {bytes} bytes is too short for {algorithm}; use at least {wanted}")]
    SecretTooShort {
        /// Bytes of the secret.
        bytes: usize,
        /// Algorithm that was named.
        algorithm: Box<str>,
        /// Bytes it needs.
        wanted: usize,
    },
    /// The algorithm does not go with the key.
    #[error("the algorithm {algorithm} does not go with this key; use one of {choices}")]
    AlgorithmUnsuitable {
        /// Algorithm that was named.
        algorithm: Box<str>,
        /// The algorithms that do.
        choices: Choices,
    },
}

/// The algorithms of a kind of key, each with the size that chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices(&'static [(Algorithm, usize)]);

/// Sizes in bytes.
const HMAC: Choices = Choices(&[(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]);
/// Sizes in bits.
const RSA: Choices = Choices(&[(Algorithm::RS256, 2048), (Algorithm::RS384, 3072), (Algorithm::RS512, 4096)]);
/// Sizes in bits.
const P256: Choices = Choices(&[(Algorithm::ES256, 256)]);
/// Sizes in bits.
const P384: Choices = Choices(&[(Algorithm::ES384, 384)]);

impl Choices {
    /// The algorithm that was named, or else that of the key's size; and the size that goes with it.
    fn pick(self, named: Option<&str>, size: usize) -> Result<(Algorithm, usize), KeyProblem> {
        let suits = |(algorithm, chosen_by): &&(Algorithm, usize)| match named {
            Some(name) => format!("{algorithm:?}") == name,
            None => *chosen_by == size,
        };
        self.0.iter().find(suits).copied().ok_or_else(|| match named {
            Some(name) => KeyProblem::AlgorithmUnsuitable { algorithm: name.into(), choices: self },
            None => KeyProblem::SizeChoosesNone { size, choices: self },
        })
    }
}

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (algorithm, size)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{algorithm:?} ({size})")?;
        }
        Ok(())
    }
}

/// A key and the one algorithm it verifies.
#[derive(Debug)]
pub(crate) struct VerifyingKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

impl VerifyingKey {
    pub(crate) fn new(config: &KeyConfig) -> Result<Self, KeyError> {
        let named = config.algorithm.as_deref();
        match &config.material {
            KeyMaterial::Hmac(secret) => Self::hmac(secret.expose(), named),
            KeyMaterial::Rsa(pem) => Self::rsa(pem.expose(), named),
            KeyMaterial::Ec(pem) => Self::ec(pem.expose(), named),
        }
        .map_err(|problem| KeyError::Key { name: config.name.clone(), problem })
    }

    fn hmac(secret: &[u8], named: Option<&str>) -> Result<Self, KeyProblem> {
        let bytes = secret.len();
        let (algorithm, wanted) = HMAC.pick(named, bytes)?;
        if bytes < wanted {
            let algorithm = format!("{algorithm:?}").into();
            return Err(KeyProblem::SecretTooShort { bytes, algorithm, wanted });
        }
        Ok(Self { algorithm, key: DecodingKey::from_secret(secret) })
    }

    fn rsa(pem: &[u8], named: Option<&str>) -> Result<Self, KeyProblem> {
        refuse_private_key(pem)?;
        let key = DecodingKey::from_rsa_pem(pem).map_err(|_| KeyProblem::NotRsaPublicKey)?;
        let public = PublicKey::from_der(key_bytes(&key)).map_err(|_| KeyProblem::NotRsaPublicKey)?;
        let bits = public.modulus_len() * 8;
        if !(2048..=8192).contains(&bits) {
            return Err(KeyProblem::RsaSize { bits });
        }
        Ok(Self { algorithm: RSA.pick(named, bits)?.0, key })
    }

    fn ec(pem: &[u8], named: Option<&str>) -> Result<Self, KeyProblem> {
        refuse_private_key(pem)?;
        let key = DecodingKey::from_ec_pem(pem).map_err(|_| KeyProblem::NotEcPublicKey)?;
        let point = key_bytes(&key);
        // The PEM reader does not look at the curve, and points of other curves can be of the same length.
        let (choices, bits) = if ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_ok() {
            (P256, 256)
        } else if ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).is_ok() {
            (P384, 384)
        } else {
            return Err(KeyProblem::NotEcPublicKey);
        };
        Ok(Self { algorithm: choices.pick(named, bits)?.0, key })
    }
}

fn refuse_private_key(pem: &[u8]) -> Result<(), KeyProblem> {
    if String::from_utf8_lossy(pem).contains("PRIVATE KEY-----") {
        Err(KeyProblem::PrivateKey)
    } else {
        Ok(())
    }
}

fn key_bytes(key: &DecodingKey) -> &[u8] {
    key.try_get_as_bytes().expect("keys made of a PEM file hold bytes")
}
