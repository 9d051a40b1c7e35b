//! What must hold for any claims, used by the corpus test and by the fuzz target.

use sterna_auth::{ClaimsError, parse_claims};
use sterna_model::Permissions;
use sterna_model::limit::{PERMISSIONS_MAX, TOKEN_BYTES_MAX};

/// The last second of the year 9999.
const TIME_S_MAX: u64 = 253_402_300_799;

pub(crate) fn check_claims(json: &[u8]) {
    let judged = parse_claims(json);
    if let Ok(claims) = &judged {
        assert!(json.len() <= TOKEN_BYTES_MAX);
        assert!(claims.expires_at_s <= TIME_S_MAX && claims.not_before_s <= TIME_S_MAX);
        let Permissions::Lists { subscribe, publish } = &claims.permissions else {
            panic!("claims allow only what they list");
        };
        // Each list of the token, and the list `all` once more.
        assert!(subscribe.len() <= 2 * PERMISSIONS_MAX && publish.len() <= 2 * PERMISSIONS_MAX);
    }
    let spaced = [b" \n", json, b"\t\r\n"].concat();
    let too_long = spaced.len() > TOKEN_BYTES_MAX;
    let expected = if too_long { Err(ClaimsError::NotAnObject) } else { judged };
    assert_eq!(parse_claims(&spaced), expected);
}
