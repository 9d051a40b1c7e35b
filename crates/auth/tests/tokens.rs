//! Tokens that must be refused, and the few that must not.

mod common;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::{
    NOW_S, RSA2048_PRIVATE, RSA2048_PUBLIC, SECRET_32, SECRET_64, assemble, authority, good_claims, hmac,
    key, key_for, rsa, sign, sign_hs256,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use serde_json::{Value, json};
use sterna_auth::{Authority, AuthorityConfig, ClaimsError, JwtConfig, TokenError};
use sterna_model::limit::TOKEN_BYTES_MAX;
use sterna_model::{Code, Identity};

fn verify(token: &str) -> Result<Identity, TokenError> {
    authority([key(hmac(SECRET_32))]).verify(Some(token), NOW_S)
}

fn verify_claims(claims: &Value) -> Result<Identity, TokenError> {
    verify(&sign_hs256(claims))
}

#[test]
fn a_forged_signature_is_refused() {
    let forger = EncodingKey::from_secret(b"another secret of 32 bytes......");
    let token = sign(Algorithm::HS256, &forger, &good_claims());
    assert_eq!(verify(&token), Err(TokenError::Signature));
    let forger = EncodingKey::from_rsa_pem(include_bytes!("keys/other_rsa2048.private.pem")).unwrap();
    let token = sign(Algorithm::RS256, &forger, &good_claims());
    let refusal = authority([key(rsa(RSA2048_PUBLIC))]).verify(Some(&token), NOW_S);
    assert_eq!(refusal, Err(TokenError::Signature));
    assert_eq!(TokenError::Signature.code(), Code::TokenInvalid);
}

#[test]
fn a_public_key_is_never_used_as_a_shared_secret() {
    let authority = authority([key(rsa(RSA2048_PUBLIC)), key(hmac(SECRET_32))]);
    let only_rsa = common::authority([key(rsa(RSA2048_PUBLIC))]);
    let base64_lines: String = RSA2048_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(base64_lines).unwrap();
    for secret in [RSA2048_PUBLIC.as_bytes(), RSA2048_PUBLIC.trim_end().as_bytes(), &der] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let token = sign(algorithm, &EncodingKey::from_secret(secret), &good_claims());
            assert_eq!(only_rsa.verify(Some(&token), NOW_S), Err(TokenError::Algorithm));
            assert!(authority.verify(Some(&token), NOW_S).is_err());
        }
    }
}

#[test]
fn an_unsigned_token_is_refused() {
    let claims = good_claims().to_string();
    for algorithm in ["none", "None", "nOnE", "NONE", ""] {
        let header = json!({ "typ": "JWT", "alg": algorithm }).to_string();
        for signature in [&b""[..], b"x", SECRET_32] {
            assert_eq!(verify(&assemble(&header, &claims, signature)), Err(TokenError::Malformed));
        }
    }
    let unsigned = assemble(r#"{"alg":"HS256"}"#, &claims, b"");
    assert_eq!(verify(&unsigned), Err(TokenError::Signature));
}

#[test]
fn another_algorithm_than_the_keys_is_refused_even_with_the_right_secret() {
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = sign(algorithm, &EncodingKey::from_secret(SECRET_32), &good_claims());
        assert_eq!(verify(&token), Err(TokenError::Algorithm));
    }
    let rsa_key = EncodingKey::from_rsa_pem(RSA2048_PRIVATE.as_bytes()).unwrap();
    let token = sign(Algorithm::PS256, &rsa_key, &good_claims());
    let refusal = authority([key(rsa(RSA2048_PUBLIC))]).verify(Some(&token), NOW_S);
    assert_eq!(refusal, Err(TokenError::Algorithm));
}

#[test]
fn every_changed_character_and_every_truncation_is_refused() {
    let token = sign_hs256(&good_claims());
    assert!(verify(&token).is_ok());
    let authority = authority([key(hmac(SECRET_32))]);
    for index in 0..token.len() {
        assert!(authority.verify(Some(&token[..index]), NOW_S).is_err(), "truncated to {index}");
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(authority.verify(Some(&changed), NOW_S).is_err(), "changed at {index}");
    }
    for padded in [format!("{token}="), format!("{token}."), format!(" {token}"), format!("{token}\n")] {
        assert!(authority.verify(Some(&padded), NOW_S).is_err(), "{padded:?}");
    }
}

#[test]
fn garbage_is_refused() {
    for token in [".", "..", "...", "a.b.c", "ÿ.ÿ.ÿ", "\u{1f525}\u{202e}\0", "Bearer x", "null"] {
        assert_eq!(verify(token), Err(TokenError::Malformed), "{token:?}");
    }
}

#[test]
fn an_oversize_token_is_refused_before_it_is_looked_at() {
    let claims = json!({ "exp": NOW_S + 60, "filler": "x".repeat(TOKEN_BYTES_MAX) });
    assert_eq!(verify_claims(&claims), Err(TokenError::TooLong));
    assert_eq!(verify(&"x".repeat(TOKEN_BYTES_MAX + 1)), Err(TokenError::TooLong));
    assert_eq!(verify(&"x".repeat(TOKEN_BYTES_MAX)), Err(TokenError::Malformed));
}

#[test]
fn a_header_that_demands_an_extension_is_refused() {
    let header = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::HS256) };
    let token = encode(&header, &good_claims(), &EncodingKey::from_secret(SECRET_32)).unwrap();
    assert_eq!(verify(&token), Err(TokenError::Extension));
}

#[test]
fn keys_and_claims_inside_the_header_mean_nothing() {
    let header = Header {
        kid: Some("../../dev/null".into()),
        jku: Some("http://127.0.0.1/keys".into()),
        ..Header::new(Algorithm::HS256)
    };
    let sign = |secret| encode(&header, &good_claims(), &EncodingKey::from_secret(secret)).unwrap();
    assert!(verify(&sign(SECRET_32)).is_ok());
    assert_eq!(verify(&sign(b"")), Err(TokenError::Signature));
}

#[test]
fn a_token_is_valid_strictly_before_exp_and_from_nbf_on() {
    let judge = |claims: Value, now_s| {
        authority([key(hmac(SECRET_32))]).verify(Some(&sign_hs256(&claims)), now_s).map(|i| i.expires_at_s)
    };
    assert_eq!(judge(json!({ "exp": 100 }), 99), Ok(Some(100)));
    assert_eq!(judge(json!({ "exp": 100 }), 100), Err(TokenError::Expired));
    assert_eq!(judge(json!({ "exp": 100.9 }), 99), Ok(Some(100)));
    assert_eq!(judge(json!({ "exp": 100.9 }), 100), Err(TokenError::Expired));
    assert_eq!(judge(json!({ "exp": 0 }), 0), Err(TokenError::Expired));
    assert_eq!(judge(json!({ "exp": 100, "nbf": 50 }), 49), Err(TokenError::NotYetValid));
    assert_eq!(judge(json!({ "exp": 100, "nbf": 50 }), 50), Ok(Some(100)));
    assert_eq!(judge(json!({ "exp": 100, "nbf": 50.1 }), 50), Err(TokenError::NotYetValid));
    assert_eq!(TokenError::Expired.code(), Code::TokenExpired);
    assert_eq!(TokenError::NotYetValid.code(), Code::TokenInvalid);
}

#[test]
fn leeway_stretches_the_validity_on_both_sides() {
    let keys = vec![key(hmac(SECRET_32))];
    let config = JwtConfig { keys, leeway_s: 5, ..JwtConfig::default() };
    let authority = Authority::new(&AuthorityConfig::Jwt(config)).unwrap();
    let token = sign_hs256(&json!({ "exp": 100, "nbf": 50 }));
    let judge = |now_s| authority.verify(Some(&token), now_s).map(|i| i.expires_at_s);
    assert_eq!(judge(44), Err(TokenError::NotYetValid));
    assert_eq!(judge(45), Ok(Some(105)));
    assert_eq!(judge(104), Ok(Some(105)));
    assert_eq!(judge(105), Err(TokenError::Expired));
    assert_eq!(judge(u64::MAX), Err(TokenError::Expired));
}

#[test]
fn a_forged_token_is_invalid_even_when_it_is_expired_too() {
    let forger = EncodingKey::from_secret(b"another secret of 32 bytes......");
    let token = sign(Algorithm::HS256, &forger, &json!({ "exp": 1 }));
    assert_eq!(verify(&token), Err(TokenError::Signature));
}

#[test]
fn malformed_claims_are_refused_although_they_are_signed() {
    assert_eq!(verify_claims(&json!({})), Err(TokenError::Claims(ClaimsError::ExpiryMissing)));
    assert_eq!(verify_claims(&json!([])), Err(TokenError::Malformed));
    let pattern = verify_claims(&json!({ "exp": NOW_S + 1, "permissions": { "pub": ["/ok", "/no*"] } }));
    let message = pattern.unwrap_err().to_string();
    assert_eq!(message, "permissions.pub[1]: '*' stands for a whole segment");
}

#[test]
fn several_keys_serve_while_keys_are_exchanged() {
    let old = EncodingKey::from_secret(SECRET_32);
    let new = EncodingKey::from_secret(b"fedcba9876543210fedcba9876543210");
    let rsa_key = EncodingKey::from_rsa_pem(RSA2048_PRIVATE.as_bytes()).unwrap();
    let authority = authority([
        key(hmac(b"fedcba9876543210fedcba9876543210")),
        key(hmac(SECRET_32)),
        key(rsa(RSA2048_PUBLIC)),
        key_for(hmac(SECRET_64), "HS256"),
    ]);
    for (algorithm, signer) in [
        (Algorithm::HS256, &old),
        (Algorithm::HS256, &new),
        (Algorithm::RS256, &rsa_key),
        (Algorithm::HS256, &EncodingKey::from_secret(SECRET_64)),
    ] {
        let token = sign(algorithm, signer, &good_claims());
        assert!(authority.verify(Some(&token), NOW_S).is_ok(), "{algorithm:?}");
    }
    let expired = sign(Algorithm::HS256, &old, &json!({ "exp": 1 }));
    assert_eq!(authority.verify(Some(&expired), NOW_S), Err(TokenError::Expired));
    let forged = sign(Algorithm::HS256, &EncodingKey::from_secret(b"x"), &good_claims());
    assert_eq!(authority.verify(Some(&forged), NOW_S), Err(TokenError::Signature));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_accepted_or_breaks_the_verifier(text in any::<String>()) {
        assert!(verify(&text).is_err());
    }

    #[test]
    fn no_unsigned_parts_are_accepted_or_break_the_verifier(
        header in prop::sample::select(vec![r#"{"alg":"HS256"}"#, r#"{"alg":"none"}"#, "{}", "[]", "\u{0}"]),
        claims in any::<Vec<u8>>(),
        signature in any::<Vec<u8>>(),
    ) {
        let parts = [header.as_bytes(), &claims, &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
        assert!(verify(&parts.join(".")).is_err());
    }
}
