//! Small values that parameters take.

use std::fmt;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Keeps a value from being shown.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// Least severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What a developer wants.
    Debug,
    /// What an operator wants.
    Info,
    /// What an operator should look at.
    Warn,
    /// What is broken.
    Error,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What carries messages between members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterEngine {
    /// Sterna's own replication.
    BuiltIn,
    /// Kafka.
    Kafka,
}

/// Signature algorithm of a JWT (RFC 7518, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
}

/// What signs tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JwtSignature {
    Hmac,
    Rsa,
    Ecdsa,
}

impl JwtAlgorithm {
    /// Name in a token's header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }

    pub(crate) fn signature(self) -> JwtSignature {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => JwtSignature::Hmac,
            Self::Rs256 | Self::Rs384 | Self::Rs512 => JwtSignature::Rsa,
            Self::Es256 | Self::Es384 => JwtSignature::Ecdsa,
        }
    }
}

/// Mode of entitlement, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntitlementMode {
    None,
    Basic,
    Jwt,
    Custom,
}

/// Monitoring interface, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MonitorInterface {
    Jmx,
    Http,
    Prometheus,
}
