//! Who may do what: tokens verified, permissions judged. Pure: keys and the time come in as values.

mod authority;
mod claims;
mod jwt;
mod key;
mod secret;

pub use authority::{Authority, AuthorityConfig};
pub use claims::{Claims, ClaimsError, parse_claims};
pub use jwt::{JwtConfig, TokenError};
pub use key::{Choices, KeyConfig, KeyError, KeyMaterial, KeyProblem};
pub use secret::Secret;
