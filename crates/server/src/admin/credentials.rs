//! Basic authentication (RFC 7617).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What an `Authorization` header must say.
pub(super) struct Expected(Box<[u8]>);

impl Expected {
    pub(super) fn new(credentials: &sterna_config::Credentials) -> Self {
        let sterna_config::Credentials { username, password } = credentials;
        Self(STANDARD.encode(format!("{username}:{}", password.expose())).into_bytes().into())
    }

    /// Whether the header shows user and password. How long it takes does not tell how much of them is right.
    pub(super) fn is_shown_by(&self, header: &[u8]) -> bool {
        let Some((scheme, shown)) = header.split_at_checked(b"Basic ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Basic ") && verify_slices_are_equal(shown.trim_ascii(), &self.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use sterna_config::{Credentials, Secret};

    use super::*;

    #[test]
    fn user_and_password_must_both_be_right() {
        let expected = Expected::new(&Credentials {
            username: "Aladdin".into(),
            password: Secret::new("open sesame".into()),
        });
        // The example of RFC 7617, 2.
        for right in ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] {
            assert!(expected.is_shown_by(right.as_bytes()), "{right}");
        }
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ] {
            assert!(!expected.is_shown_by(wrong.as_bytes()), "{wrong}");
        }
    }
}
