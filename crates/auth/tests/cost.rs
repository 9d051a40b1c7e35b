//! What a verification costs. Prints, asserts nothing about time: run with `--release` and `--nocapture`.
#![allow(clippy::disallowed_methods, reason = "measuring needs a clock")]

mod common;

use std::time::Instant;

use common::{NOW_S, RSA2048_PRIVATE, RSA2048_PUBLIC, SECRET_32, ec, good_claims, hmac, key, rsa, sign};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

const ROUNDS: u32 = 2_000;

#[test]
fn verification_cost_is_printed() {
    let small = good_claims();
    let subjects: Vec<_> = (0..300).map(|i| format!("/s/{i:04}/*")).collect();
    let large = json!({ "exp": NOW_S + 60, "permissions": { "sub": subjects } });
    let rsa_key = EncodingKey::from_rsa_pem(RSA2048_PRIVATE.as_bytes()).unwrap();
    let ec_key = EncodingKey::from_ec_pem(common::EC256_PRIVATE.as_bytes()).unwrap();
    let rows = [
        ("HS256", key(hmac(SECRET_32)), Algorithm::HS256, EncodingKey::from_secret(SECRET_32)),
        ("RS256", key(rsa(RSA2048_PUBLIC)), Algorithm::RS256, rsa_key),
        ("ES256", key(ec(common::EC256_PUBLIC)), Algorithm::ES256, ec_key),
    ];
    for (name, key, algorithm, signer) in rows {
        let authority = common::authority([key]);
        let cost_us = |claims: &Value| {
            let token = sign(algorithm, &signer, claims);
            let start = Instant::now();
            for _ in 0..ROUNDS {
                assert!(authority.verify(Some(&token), NOW_S).is_ok());
            }
            (start.elapsed() / ROUNDS, token.len())
        };
        println!("{name}: small {:?}, 300 permissions {:?}", cost_us(&small), cost_us(&large));
    }
}
