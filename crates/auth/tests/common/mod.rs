//! Keys and tokens of the tests.
#![allow(dead_code, reason = "each test program uses a part")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use sterna_auth::{Authority, AuthorityConfig, JwtConfig, KeyConfig, KeyMaterial, Secret};

/// Seconds of Unix time at which the tests take place.
pub(crate) const NOW_S: u64 = 1_790_000_000;

pub(crate) const SECRET_32: &[u8] = b"0123456789abcdef0123456789abcdef";
pub(crate) const SECRET_48: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef";
pub(crate) const SECRET_64: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) const RSA2048_PRIVATE: &str = include_str!("../keys/rsa2048.private.pem");
pub(crate) const RSA2048_PUBLIC: &str = include_str!("../keys/rsa2048.public.pem");
pub(crate) const EC256_PRIVATE: &str = include_str!("../keys/ec256.private.pem");
pub(crate) const EC256_PUBLIC: &str = include_str!("../keys/ec256.public.pem");

pub(crate) fn hmac(secret: &[u8]) -> KeyMaterial {
    KeyMaterial::Hmac(Secret::new(secret))
}

pub(crate) fn rsa(pem: &str) -> KeyMaterial {
    KeyMaterial::Rsa(Secret::new(pem))
}

pub(crate) fn ec(pem: &str) -> KeyMaterial {
    KeyMaterial::Ec(Secret::new(pem))
}

pub(crate) fn key(material: KeyMaterial) -> KeyConfig {
    KeyConfig { name: "Jwt.key".into(), material, algorithm: None }
}

pub(crate) fn key_for(material: KeyMaterial, algorithm: &str) -> KeyConfig {
    KeyConfig { algorithm: Some(algorithm.into()), ..key(material) }
}

/// An authority of mode JWT with these keys, tried in order.
pub(crate) fn authority(keys: impl IntoIterator<Item = KeyConfig>) -> Authority {
    let keys = keys.into_iter().collect();
    Authority::new(&AuthorityConfig::Jwt(JwtConfig { keys, ..JwtConfig::default() }))
        .expect("the keys of the tests are good")
}

/// Claims that are in order.
pub(crate) fn good_claims() -> Value {
    json!({ "exp": NOW_S + 60, "permissions": { "sub": ["/s/*"], "pub": ["/p"], "all": ["/a/**"] } })
}

pub(crate) fn sign(algorithm: Algorithm, key: &EncodingKey, claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, key).expect("the keys of the tests sign")
}

pub(crate) fn sign_hs256(claims: &Value) -> String {
    sign(Algorithm::HS256, &EncodingKey::from_secret(SECRET_32), claims)
}

/// A token with any header and signature.
pub(crate) fn assemble(header: &str, claims: &str, signature: &[u8]) -> String {
    [header.as_bytes(), claims.as_bytes(), signature].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
}
