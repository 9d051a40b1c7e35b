//! The claims of a token: how long it is valid, and what it permits.

use serde_json::{Map, Value};
use sterna_model::limit::{PERMISSIONS_MAX, TOKEN_BYTES_MAX};
use sterna_model::{Pattern, PatternError, Permissions};

/// The last second of the year 9999. A time beyond it is in milliseconds by mistake.
const TIME_S_MAX: f64 = 253_402_300_799.0;

/// What a token says, once its signature is known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `exp`: the token is valid before this time, seconds of Unix time.
    pub expires_at_s: u64,
    /// `nbf`: and from this time on, seconds of Unix time; 0 if the token does not say.
    pub not_before_s: u64,
    /// `permissions`.
    pub permissions: Permissions,
}

/// Why claims cannot be accepted. Names places, never values: the text may go to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// Not a JSON object of at most [`TOKEN_BYTES_MAX`] bytes.
    #[error("the claims are not a JSON object")]
    NotAnObject,
    /// There is no `exp`.
    #[error("the claim exp is missing")]
    ExpiryMissing,
    /// `exp` or `nbf` is not a time.
    #[error("the claim {claim} is not a number of seconds since 1970")]
    TimeInvalid {
        /// Which.
        claim: &'static str,
    },
    /// `permissions` is not an object.
    #[error("permissions is not an object of the lists sub, pub and all")]
    PermissionsInvalid,
    /// A member of `permissions` is not a list.
    #[error("permissions.{list} is not a list")]
    NotAList {
        /// Which.
        list: &'static str,
    },
    /// A list has more than [`PERMISSIONS_MAX`] entries.
    #[error("permissions.{list} has more than {PERMISSIONS_MAX} entries")]
    ListTooLong {
        /// Which.
        list: &'static str,
    },
    /// An entry is not a text.
    #[error("permissions.{list}[{index}] is not a text")]
    NotAText {
        /// Which list.
        list: &'static str,
        /// Place in the list.
        index: usize,
    },
    /// An entry is not a subject or a pattern of subjects.
    #[error("permissions.{list}[{index}]: {why}")]
    NotAPattern {
        /// Which list.
        list: &'static str,
        /// Place in the list.
        index: usize,
        /// The rule it breaks.
        why: PatternError,
    },
}

/// Reads claims from their JSON.
///
/// # Errors
/// Says which claim is missing or malformed.
pub fn parse_claims(json: &[u8]) -> Result<Claims, ClaimsError> {
    if json.len() > TOKEN_BYTES_MAX {
        return Err(ClaimsError::NotAnObject);
    }
    let object = serde_json::from_slice(json).map_err(|_| ClaimsError::NotAnObject)?;
    Claims::from_object(&object)
}

impl Claims {
    /// Reads claims from a JSON object. Claims not known here are ignored (RFC 7519, 4).
    pub(crate) fn from_object(claims: &Map<String, Value>) -> Result<Self, ClaimsError> {
        let expires_at_s = time_s(claims, "exp")?.ok_or(ClaimsError::ExpiryMissing)?;
        let not_before_s = time_s(claims, "nbf")?.unwrap_or(0.0);
        let permissions = match claims.get("permissions") {
            None => permissions(&Map::new()),
            Some(Value::Object(lists)) => permissions(lists),
            Some(_) => Err(ClaimsError::PermissionsInvalid),
        }?;
        // Both casts are exact: the times are within 0..=TIME_S_MAX. A fraction shortens the validity.
        Ok(Self { expires_at_s: expires_at_s as u64, not_before_s: not_before_s.ceil() as u64, permissions })
    }
}

fn time_s(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<f64>, ClaimsError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=TIME_S_MAX).contains(seconds));
    seconds.map(Some).ok_or(ClaimsError::TimeInvalid { claim })
}

fn permissions(lists: &Map<String, Value>) -> Result<Permissions, ClaimsError> {
    let mut subscribe = patterns(lists, "sub")?;
    let mut publish = patterns(lists, "pub")?;
    let all = patterns(lists, "all")?;
    subscribe.extend_from_slice(&all);
    publish.extend(all);
    Ok(Permissions::Lists { subscribe, publish })
}

fn patterns(lists: &Map<String, Value>, list: &'static str) -> Result<Vec<Pattern>, ClaimsError> {
    let entries = match lists.get(list) {
        None => return Ok(Vec::new()),
        Some(Value::Array(entries)) if entries.len() > PERMISSIONS_MAX => {
            return Err(ClaimsError::ListTooLong { list });
        }
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(ClaimsError::NotAList { list }),
    };
    let pattern = |(index, entry): (usize, &Value)| {
        let text = entry.as_str().ok_or(ClaimsError::NotAText { list, index })?;
        Pattern::parse(text).map_err(|why| ClaimsError::NotAPattern { list, index, why })
    };
    entries.iter().enumerate().map(pattern).collect()
}
