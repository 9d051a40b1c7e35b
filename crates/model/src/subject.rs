//! What a subject looks like: an absolute path of non-empty segments.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limit::SUBJECT_BYTES_MAX;

/// Subjects under this prefix belong to the server; clients may not publish to them.
const RESERVED_PREFIX: &str = "/__sterna__";

/// A valid subject. Cheap to clone: clones share one allocation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

/// Why a text is not a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The text does not begin with `/`.
    #[error("a subject begins with '/'")]
    NoLeadingSlash,
    /// A segment between two slashes, or after the last one, is empty.
    #[error("a subject has no empty segment and no trailing '/'")]
    EmptySegment,
    /// Longer than [`SUBJECT_BYTES_MAX`].
    #[error("a subject has at most {SUBJECT_BYTES_MAX} bytes")]
    TooLong,
    /// Contains an ASCII control character.
    #[error("a subject has no control characters")]
    ControlCharacter,
}

impl Subject {
    /// Parses a subject.
    ///
    /// # Errors
    /// Says which rule of the syntax the text breaks.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        Self::check(text)?;
        Ok(Self(Arc::from(text)))
    }

    /// Checks the syntax without keeping the text.
    ///
    /// # Errors
    /// Says which rule of the syntax the text breaks.
    pub fn check(text: &str) -> Result<(), SubjectError> {
        if text.len() > SUBJECT_BYTES_MAX {
            return Err(SubjectError::TooLong);
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err(SubjectError::NoLeadingSlash);
        };
        if path.split('/').any(str::is_empty) {
            return Err(SubjectError::EmptySegment);
        }
        if path.bytes().any(|b| b.is_ascii_control()) {
            return Err(SubjectError::ControlCharacter);
        }
        Ok(())
    }

    /// The text of the subject.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, first to last.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0[1..].split('/')
    }

    /// Whether the subject belongs to the server itself (`/__sterna__/...`).
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.strip_prefix(RESERVED_PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_examples_are_judged_as_documented() {
        for good in ["/Stocks/NYSE/IBM", "/Stocks", "/a b/ü", "/a/b-c_d.e"] {
            assert_eq!(Subject::parse(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("Stocks/IBM", SubjectError::NoLeadingSlash),
            ("", SubjectError::NoLeadingSlash),
            ("/Stocks//IBM", SubjectError::EmptySegment),
            ("/Stocks/IBM/", SubjectError::EmptySegment),
            ("/", SubjectError::EmptySegment),
            ("//", SubjectError::EmptySegment),
            ("/a\nb", SubjectError::ControlCharacter),
            ("/a\0", SubjectError::ControlCharacter),
        ] {
            assert_eq!(Subject::parse(bad), Err(why), "{bad:?}");
        }
        assert!(Subject::parse(&format!("/{}", "x".repeat(SUBJECT_BYTES_MAX - 1))).is_ok());
        assert_eq!(
            Subject::parse(&format!("/{}", "x".repeat(SUBJECT_BYTES_MAX))),
            Err(SubjectError::TooLong)
        );
    }

    #[test]
    fn reserved_prefix_is_a_whole_segment() {
        let reserved = |text| Subject::parse(text).unwrap().is_reserved();
        assert!(reserved("/__sterna__/stats"));
        assert!(reserved("/__sterna__"));
        assert!(!reserved("/__sterna__x/stats"));
        assert!(!reserved("/a/__sterna__"));
    }
}
