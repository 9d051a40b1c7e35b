//! How the claims of a token are read.

use serde_json::{Value, json};
use sterna_auth::{Claims, ClaimsError, parse_claims};
use sterna_model::limit::{PERMISSIONS_MAX, TOKEN_BYTES_MAX};
use sterna_model::{Pattern, PatternError, Permissions};

fn parse(claims: &Value) -> Result<Claims, ClaimsError> {
    parse_claims(claims.to_string().as_bytes())
}

fn lists(subscribe: &[&str], publish: &[&str]) -> Permissions {
    let patterns =
        |texts: &[&str]| texts.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect();
    Permissions::Lists { subscribe: patterns(subscribe), publish: patterns(publish) }
}

#[test]
fn the_list_all_counts_for_both() {
    let claims = parse(
        &json!({ "exp": 5, "nbf": 4, "permissions": { "sub": ["/s"], "pub": ["/p/*"], "all": ["/a/**"] } }),
    );
    let permissions = lists(&["/s", "/a/**"], &["/p/*", "/a/**"]);
    assert_eq!(claims, Ok(Claims { expires_at_s: 5, not_before_s: 4, permissions }));
}

#[test]
fn what_is_not_listed_is_not_allowed() {
    for claims in [
        json!({ "exp": 5 }),
        json!({ "exp": 5, "permissions": {} }),
        json!({ "exp": 5, "permissions": { "sub": [], "pub": [], "all": [] } }),
        json!({ "exp": 5, "sub": "somebody", "aud": "x", "permissions": { "else": 1 } }),
    ] {
        assert_eq!(parse(&claims).unwrap().permissions, lists(&[], &[]), "{claims}");
    }
}

#[test]
fn times_are_numbers_of_seconds() {
    assert_eq!(parse(&json!({ "nbf": 1 })), Err(ClaimsError::ExpiryMissing));
    for exp in [json!(5), json!(5.0), json!(5.9), json!(5e0)] {
        assert_eq!(parse(&json!({ "exp": exp })).unwrap().expires_at_s, 5);
    }
    for nbf in [json!(5), json!(4.1)] {
        assert_eq!(parse(&json!({ "exp": 9, "nbf": nbf })).unwrap().not_before_s, 5);
    }
    let in_milliseconds = json!(1_790_000_000_000_u64);
    for bad in
        [json!(null), json!("5"), json!(-1), json!([5]), json!(u64::MAX), json!(1e300), in_milliseconds]
    {
        let refused = |claim| Err(ClaimsError::TimeInvalid { claim });
        assert_eq!(parse(&json!({ "exp": bad })), refused("exp"), "{bad}");
        assert_eq!(parse(&json!({ "exp": 5, "nbf": bad })), refused("nbf"), "{bad}");
    }
}

#[test]
fn malformed_permissions_are_refused_with_their_place() {
    let permissions =
        |permissions: Value| parse(&json!({ "exp": 5, "permissions": permissions })).unwrap_err();
    assert_eq!(permissions(json!(["read:all"])), ClaimsError::PermissionsInvalid);
    assert_eq!(permissions(json!(null)), ClaimsError::PermissionsInvalid);
    assert_eq!(permissions(json!({ "sub": "/a" })), ClaimsError::NotAList { list: "sub" });
    assert_eq!(permissions(json!({ "all": ["/a", 7] })), ClaimsError::NotAText { list: "all", index: 1 });
    let why = PatternError::DoubleStarInside;
    assert_eq!(
        permissions(json!({ "pub": ["/a", "/**/b"] })),
        ClaimsError::NotAPattern { list: "pub", index: 1, why }
    );
}

#[test]
fn lists_are_bounded() {
    let entries = |count: usize| parse(&json!({ "exp": 5, "permissions": { "sub": vec!["/a"; count] } }));
    assert!(entries(PERMISSIONS_MAX).is_ok());
    assert_eq!(entries(PERMISSIONS_MAX + 1), Err(ClaimsError::ListTooLong { list: "sub" }));
    let too_long = json!({ "exp": 5, "permissions": { "sub": vec!["/a"; TOKEN_BYTES_MAX] } });
    assert_eq!(parse(&too_long), Err(ClaimsError::NotAnObject));
}

#[test]
fn what_is_not_a_json_object_is_refused() {
    let deep = "[".repeat(4000);
    for text in ["", "null", "[]", "{", r#"{"exp":5} x"#, r#"{"exp":NaN}"#, "\u{feff}{}", &deep] {
        assert_eq!(parse_claims(text.as_bytes()), Err(ClaimsError::NotAnObject), "{text:.20}");
    }
    assert_eq!(parse_claims(&[0xff, 0xfe]), Err(ClaimsError::NotAnObject));
}
