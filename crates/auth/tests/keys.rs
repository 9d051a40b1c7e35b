//! Which keys are accepted, which algorithm they are bound to, and what is said of those that are not.

mod common;

use common::{EC256_PUBLIC, NOW_S, RSA2048_PUBLIC, ec, good_claims, hmac, key, key_for, rsa, sign};
use jsonwebtoken::{Algorithm, EncodingKey};
use sterna_auth::{Authority, AuthorityConfig, JwtConfig, KeyConfig};

/// Whether a token signed by `signer` with `algorithm` is good for the configured key.
fn verifies(config: KeyConfig, algorithm: Algorithm, signer: &EncodingKey) -> bool {
    let token = sign(algorithm, signer, &good_claims());
    common::authority([config]).verify(Some(&token), NOW_S).is_ok()
}

fn refusal(config: KeyConfig) -> String {
    let config = AuthorityConfig::Jwt(JwtConfig { keys: vec![config], ..JwtConfig::default() });
    Authority::new(&config).expect_err("the key is bad").to_string()
}

#[test]
fn the_length_of_a_secret_chooses_the_algorithm() {
    let algorithms = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    let secrets = [common::SECRET_32, common::SECRET_48, common::SECRET_64];
    for (secret, chosen) in secrets.into_iter().zip(algorithms) {
        for algorithm in algorithms {
            let signer = EncodingKey::from_secret(secret);
            assert_eq!(verifies(key(hmac(secret)), algorithm, &signer), algorithm == chosen, "{algorithm:?}");
        }
    }
}

#[test]
fn the_size_of_an_rsa_key_chooses_the_algorithm() {
    let keys = [
        (common::RSA2048_PRIVATE, RSA2048_PUBLIC, Algorithm::RS256),
        (include_str!("keys/rsa3072.private.pem"), include_str!("keys/rsa3072.public.pem"), Algorithm::RS384),
        (include_str!("keys/rsa4096.private.pem"), include_str!("keys/rsa4096.public.pem"), Algorithm::RS512),
    ];
    for (private, public, chosen) in keys {
        let signer = EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
        for algorithm in [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
            assert_eq!(verifies(key(rsa(public)), algorithm, &signer), algorithm == chosen, "{algorithm:?}");
        }
    }
}

#[test]
fn the_curve_of_a_key_chooses_the_algorithm() {
    let signer = EncodingKey::from_ec_pem(common::EC256_PRIVATE.as_bytes()).unwrap();
    assert!(verifies(key(ec(EC256_PUBLIC)), Algorithm::ES256, &signer));
    let signer = EncodingKey::from_ec_pem(include_bytes!("keys/ec384.private.pem")).unwrap();
    assert!(verifies(key(ec(include_str!("keys/ec384.public.pem"))), Algorithm::ES384, &signer));
    assert!(!verifies(key(ec(EC256_PUBLIC)), Algorithm::ES384, &signer));
}

#[test]
fn an_rsa_key_may_also_be_pkcs1() {
    let signer = EncodingKey::from_rsa_pem(common::RSA2048_PRIVATE.as_bytes()).unwrap();
    let public = include_str!("keys/rsa2048.public.pkcs1.pem");
    assert!(verifies(key(rsa(public)), Algorithm::RS256, &signer));
}

#[test]
fn a_named_algorithm_takes_the_place_of_the_size() {
    let signer = EncodingKey::from_secret(common::SECRET_64);
    assert!(verifies(key_for(hmac(common::SECRET_64), "HS256"), Algorithm::HS256, &signer));
    assert!(!verifies(key_for(hmac(common::SECRET_64), "HS256"), Algorithm::HS512, &signer));
    let signer = EncodingKey::from_rsa_pem(common::RSA2048_PRIVATE.as_bytes()).unwrap();
    assert!(verifies(key_for(rsa(RSA2048_PUBLIC), "RS512"), Algorithm::RS512, &signer));
    assert!(!verifies(key_for(rsa(RSA2048_PUBLIC), "RS512"), Algorithm::RS256, &signer));
}

#[test]
fn refusals_name_the_key_and_what_to_do() {
    let private = common::RSA2048_PRIVATE;
    for (config, part) in [
        (
            key(hmac(b"short")),
            "a size of 5 chooses no algorithm; use one of HS256 (32), HS384 (48), HS512 (64)",
        ),
        (key(hmac(b"")), "a size of 0 "),
        (key_for(hmac(common::SECRET_32), "HS512"), "too short for HS512; use at least 64"),
        (key_for(hmac(common::SECRET_32), "RS256"), "RS256 does not go with this key; use one of HS256"),
        (key_for(hmac(common::SECRET_32), "none"), "none does not go with this key"),
        (key_for(rsa(RSA2048_PUBLIC), "PS256"), "PS256 does not go"),
        (key_for(ec(EC256_PUBLIC), "ES384"), "ES384 does not go with this key; use one of ES256 (256)"),
        (key(rsa(private)), "this is a private key; give its public key only"),
        (key(ec(common::EC256_PRIVATE)), "this is a private key"),
        (key(rsa(include_str!("keys/rsa1024.public.pem"))), "1024 bits; it must have 2048 to 8192"),
        (key(rsa(include_str!("keys/rsa2560.public.pem"))), "a size of 2560 chooses no algorithm"),
        (key(rsa(EC256_PUBLIC)), "not an RSA public key"),
        (key(rsa("")), "not an RSA public key"),
        (key(rsa("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")), "not an RSA public key"),
        (key(ec(RSA2048_PUBLIC)), "not a public key of the curve"),
        (key(ec(include_str!("keys/secp256k1.public.pem"))), "not a public key of the curve"),
        (key(ec(include_str!("keys/ed25519.public.pem"))), "not a public key of the curve"),
    ] {
        let message = refusal(config);
        assert!(message.starts_with("Jwt.key: ") && message.contains(part), "{part:?} in {message:?}");
    }
    let odd_size = key_for(rsa(include_str!("keys/rsa2560.public.pem")), "RS256");
    let config = AuthorityConfig::Jwt(JwtConfig { keys: vec![odd_size], ..JwtConfig::default() });
    assert!(Authority::new(&config).is_ok(), "a named algorithm makes any safe size usable");
}
