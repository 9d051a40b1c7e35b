//! Signed tokens, and the options of a member that takes them.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const RSA_PRIVATE: &str = include_str!("../../../auth/tests/keys/rsa2048.private.pem");
const RSA_PUBLIC: &str = include_str!("../../../auth/tests/keys/rsa2048.public.pem");
const EC_PRIVATE: &str = include_str!("../../../auth/tests/keys/ec256.private.pem");
const EC_PUBLIC: &str = include_str!("../../../auth/tests/keys/ec256.public.pem");

/// An algorithm with the key of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    Hs256,
    Rs256,
    Es256,
}

impl Signer {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Hs256, Self::Rs256, Self::Es256];

    /// Options of a member that takes its tokens.
    pub(crate) fn options(self, folder: &crate::support::Folder) -> Vec<String> {
        let public = |pem| folder.write("public.pem", pem).display().to_string();
        let key = match self {
            Self::Hs256 => vec![format!("-DJwt.HmacSecret={}", STANDARD.encode(SECRET))],
            Self::Rs256 => vec![format!("-DJwt.PublicKeyPath={}", public(RSA_PUBLIC)), type_is("rsa")],
            Self::Es256 => vec![format!("-DJwt.PublicKeyPath={}", public(EC_PUBLIC)), type_is("ecdsa")],
        };
        [vec!["-DEntitlement=JWT".to_owned()], key].concat()
    }

    /// A token with these claims.
    pub(crate) fn sign(self, claims: &Value) -> String {
        let (algorithm, key) = match self {
            Self::Hs256 => (Algorithm::HS256, EncodingKey::from_secret(SECRET)),
            Self::Rs256 => {
                (Algorithm::RS256, EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).expect("a key"))
            }
            Self::Es256 => {
                (Algorithm::ES256, EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).expect("a key"))
            }
        };
        jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("the key signs")
    }

    /// A token that permits this and expires after that many seconds.
    pub(crate) fn token(self, permissions: &Value, in_s: i64) -> String {
        self.sign(&claims(permissions, in_s))
    }
}

fn type_is(name: &str) -> String {
    format!("-DJwt.SignatureType={name}")
}

/// Claims that permit this and expire after that many seconds.
pub(crate) fn claims(permissions: &Value, in_s: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now_s = i64::try_from(now.as_secs()).expect("before the end of time");
    json!({"exp": now_s + in_s, "permissions": permissions})
}

/// A token that says of itself that nobody signed it.
pub(crate) fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims))
}

/// A token that is signed with HS256, and the public RSA key as the secret.
pub(crate) fn confused(claims: &Value) -> String {
    let key = EncodingKey::from_secret(RSA_PUBLIC.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("any secret signs")
}

/// The token with other claims under the same signature.
pub(crate) fn forged(token: &str, claims: &Value) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}
