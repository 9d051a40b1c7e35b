//! What an identity may do: lists of subjects and patterns.

use crate::Subject;

/// A subject, or a pattern of subjects: a segment `*` stands for any one segment, a trailing `/**` for one
/// or more further segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    wild: bool,
}

/// Why a text is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not shaped like a subject.
    #[error(transparent)]
    Subject(#[from] crate::SubjectError),
    /// `**` stands elsewhere than in the last segment.
    #[error("'**' may only be the last segment")]
    DoubleStarInside,
    /// `*` is a part of a segment.
    #[error("'*' stands for a whole segment")]
    StarInSegment,
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Subject::check(text)?;
        let mut segments = text[1..].split('/').peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "*" => {}
                "**" if segments.peek().is_some() => return Err(PatternError::DoubleStarInside),
                "**" => {}
                _ if segment.contains('*') => return Err(PatternError::StarInSegment),
                _ => {}
            }
        }
        Ok(Self { text: text.into(), wild: text.contains('*') })
    }

    /// Whether the pattern covers the subject.
    #[must_use]
    pub fn covers(&self, subject: &Subject) -> bool {
        if !self.wild {
            return *self.text == *subject.as_str();
        }
        let mut wanted = self.text[1..].split('/');
        let mut given = subject.segments();
        loop {
            match (wanted.next(), given.next()) {
                (Some("**"), Some(_)) | (None, None) => return true,
                (Some("*"), Some(_)) => {}
                (Some(w), Some(g)) if w == g => {}
                _ => return false,
            }
        }
    }
}

/// Which subjects an identity may subscribe and publish to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permissions {
    /// Everything.
    All,
    /// Subscribe to everything, publish nothing (mode Basic without the token).
    SubscribeOnly,
    /// What the lists cover.
    Lists {
        /// May be subscribed to.
        subscribe: Vec<Pattern>,
        /// May be published to.
        publish: Vec<Pattern>,
    },
}

impl Permissions {
    /// Whether subscribing to the subject is allowed.
    #[must_use]
    pub fn may_subscribe(&self, subject: &Subject) -> bool {
        match self {
            Self::All | Self::SubscribeOnly => true,
            Self::Lists { subscribe, .. } => subscribe.iter().any(|p| p.covers(subject)),
        }
    }

    /// Whether publishing to the subject is allowed.
    #[must_use]
    pub fn may_publish(&self, subject: &Subject) -> bool {
        match self {
            Self::All => true,
            Self::SubscribeOnly => false,
            Self::Lists { publish, .. } => publish.iter().any(|p| p.covers(subject)),
        }
    }
}

/// Who a session is, as far as the rules care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it may do.
    pub permissions: Permissions,
    /// When the token expires, seconds of Unix time.
    pub expires_at_s: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, subject: &str) -> bool {
        Pattern::parse(pattern).unwrap().covers(&Subject::parse(subject).unwrap())
    }

    #[test]
    fn patterns_cover_what_they_say() {
        assert!(covers("/a/b", "/a/b"));
        assert!(!covers("/a/b", "/a/b/c"));
        assert!(covers("/a/*", "/a/b"));
        assert!(!covers("/a/*", "/a/b/c"));
        assert!(!covers("/a/*", "/a"));
        assert!(covers("/*/c", "/b/c"));
        assert!(covers("/a/**", "/a/b/c"));
        assert!(covers("/a/**", "/a/b"));
        assert!(!covers("/a/**", "/a"));
        assert!(covers("/**", "/a"));
        assert!(!covers("/a/**", "/ab/c"));
    }

    #[test]
    fn bad_patterns_are_refused() {
        assert_eq!(Pattern::parse("/a/**/b"), Err(PatternError::DoubleStarInside));
        assert_eq!(Pattern::parse("/a/b*"), Err(PatternError::StarInSegment));
        assert!(matches!(Pattern::parse("a"), Err(PatternError::Subject(_))));
    }
}
