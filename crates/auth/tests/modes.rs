//! What each entitlement mode makes of a token, and that none of them shows it.

mod common;

use common::{NOW_S, authority, good_claims, hmac, key, sign_hs256};
use sterna_auth::{
    Authority, AuthorityConfig, JwtConfig, KeyConfig, KeyError, KeyMaterial, Secret, TokenError,
};
use sterna_model::limit::TOKEN_BYTES_MAX;
use sterna_model::{Code, Permissions, Subject};

fn basic(token: Option<&str>) -> Result<Authority, KeyError> {
    Authority::new(&AuthorityConfig::Basic { token: token.map(Secret::new) })
}

#[test]
fn mode_none_allows_everything_to_everybody() {
    let authority = Authority::new(&AuthorityConfig::None).unwrap();
    for token in [None, Some(""), Some("anything")] {
        let identity = authority.verify(token, NOW_S).unwrap();
        assert_eq!(identity.permissions, Permissions::All);
        assert_eq!(identity.expires_at_s, None);
    }
}

#[test]
fn mode_basic_lets_only_the_token_publish_and_refuses_nobody() {
    let authority = basic(Some("some-token")).unwrap();
    assert_eq!(authority.verify(Some("some-token"), NOW_S).unwrap().permissions, Permissions::All);
    let huge = "x".repeat(TOKEN_BYTES_MAX + 1);
    for token in [None, Some(""), Some("some-toke"), Some("some-token "), Some("Some-token"), Some(&*huge)] {
        let identity = authority.verify(token, NOW_S).unwrap();
        assert_eq!(identity.permissions, Permissions::SubscribeOnly, "{token:?}");
        assert_eq!(identity.expires_at_s, None);
    }
}

#[test]
fn mode_basic_without_a_token_lets_nobody_publish() {
    let authority = basic(None).unwrap();
    for token in [None, Some(""), Some("some-token")] {
        assert_eq!(authority.verify(token, NOW_S).unwrap().permissions, Permissions::SubscribeOnly);
    }
}

#[test]
fn mode_basic_refuses_a_token_that_no_client_could_give() {
    assert_eq!(basic(Some("")).unwrap_err(), KeyError::TokenEmpty);
    assert_eq!(basic(Some(&"x".repeat(TOKEN_BYTES_MAX + 1))).unwrap_err(), KeyError::TokenTooLong);
    assert!(basic(Some(&"x".repeat(TOKEN_BYTES_MAX))).is_ok());
}

#[test]
fn mode_jwt_needs_a_token() {
    let authority = authority([key(hmac(common::SECRET_32))]);
    for token in [None, Some("")] {
        let refusal = authority.verify(token, NOW_S).unwrap_err();
        assert_eq!(refusal, TokenError::Missing);
        assert_eq!(refusal.code(), Code::TokenMissing);
    }
}

#[test]
fn mode_jwt_gives_what_the_token_lists_until_it_expires() {
    let authority = authority([key(hmac(common::SECRET_32))]);
    let identity = authority.verify(Some(&sign_hs256(&good_claims())), NOW_S).unwrap();
    assert_eq!(identity.expires_at_s, Some(NOW_S + 60));
    assert_eq!(authority.renew_before_s(), 60);
    for (subject, subscribe, publish) in
        [("/s/1", true, false), ("/p", false, true), ("/a/b/c", true, true), ("/other", false, false)]
    {
        let subject = Subject::parse(subject).unwrap();
        assert_eq!(identity.permissions.may_subscribe(&subject), subscribe, "{subject}");
        assert_eq!(identity.permissions.may_publish(&subject), publish, "{subject}");
    }
}

#[test]
fn mode_jwt_needs_at_least_one_key_and_bounds_them() {
    let keys = |count| {
        let keys = vec![key(hmac(common::SECRET_32)); count];
        Authority::new(&AuthorityConfig::Jwt(JwtConfig { keys, ..JwtConfig::default() })).map(|_| ())
    };
    assert_eq!(keys(0), Err(KeyError::NoKey));
    assert_eq!(keys(16), Ok(()));
    assert_eq!(keys(17), Err(KeyError::TooManyKeys { keys: 17 }));
}

#[test]
fn no_token_and_no_secret_is_ever_shown() {
    const CANARY: &str = "secret-canary";
    let secret = || Secret::new(CANARY);
    let mut shown = vec![
        format!("{:?}", secret()),
        format!("{:?}", AuthorityConfig::Basic { token: Some(secret()) }),
        format!("{:?}", Authority::new(&AuthorityConfig::Basic { token: Some(secret()) }).unwrap()),
    ];
    for material in [KeyMaterial::Hmac(secret()), KeyMaterial::Rsa(secret()), KeyMaterial::Ec(secret())] {
        let key = KeyConfig { name: "Jwt.key".into(), material, algorithm: None };
        let config = AuthorityConfig::Jwt(JwtConfig { keys: vec![key], ..JwtConfig::default() });
        let error = Authority::new(&config).unwrap_err();
        shown.extend([format!("{config:?}"), format!("{error:?}"), error.to_string()]);
    }
    for text in &shown {
        // As a text, and as the first of a list of bytes.
        assert!(!text.contains(CANARY) && !text.contains("115, 101, 99"), "{text}");
    }
}

#[test]
fn neither_a_key_nor_a_token_is_shown_by_a_verifier_and_its_refusals() {
    let authority = authority([key(hmac(common::SECRET_32))]);
    let shown = format!("{authority:?}");
    // As a text, as base64, and as the first of a list of bytes (48 is '0').
    for trace in ["0123456789", "MDEyMzQ1", "48, 49, 50"] {
        assert!(!shown.contains(trace), "{shown}");
    }
    let token = sign_hs256(&serde_json::json!({ "exp": NOW_S + 1, "permissions": { "sub": ["canary*"] } }));
    let refusal = authority.verify(Some(&token), NOW_S).unwrap_err();
    for text in [format!("{refusal:?}"), refusal.to_string()] {
        assert!(!text.contains("canary") && !text.contains(&token[..20]), "{text}");
    }
}
