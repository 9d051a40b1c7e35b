//! How a parameter's text is read: one kind per form of value, each of which can say what it expects.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sterna_model::DeliveryMode;

use crate::address::{Address, Host, Network};
use crate::values::{
    ClusterEngine, EntitlementMode, JwtAlgorithm, JwtSignature, LogFormat, LogLevel, MonitorInterface, Secret,
};

/// A form of value.
pub(crate) trait Kind {
    /// What the text becomes.
    type Value;
    /// What is accepted, to go after "expected".
    fn expected(&self) -> String;
    /// The value, or nothing if the text is not what is expected. The text has no blanks around it.
    fn parse(&self, text: &str) -> Option<Self::Value>;
    /// Whether the value must never be shown.
    fn is_secret(&self) -> bool {
        false
    }
}

/// A number from the first to the second.
pub(crate) struct Count(pub(crate) usize, pub(crate) usize);

/// Bytes, from the first to the second, with or without a unit.
pub(crate) struct Size(pub(crate) usize, pub(crate) usize);

/// Whole seconds, from the first to the second.
pub(crate) struct Seconds(pub(crate) u64, pub(crate) u64);

/// Whole milliseconds, from the first to the second.
pub(crate) struct Milliseconds(pub(crate) u64, pub(crate) u64);

/// One of some words, in any letter case.
pub(crate) struct Choice<T: 'static>(pub(crate) &'static [(&'static str, T)]);

/// A word that stands for "none", or a value.
pub(crate) struct Maybe<K>(pub(crate) &'static str, pub(crate) K);

/// Any number of values between commas.
pub(crate) struct List<K>(pub(crate) K);

/// A text of so many bytes.
pub(crate) struct Text(pub(crate) usize);

/// A text of so many bytes that is never shown.
pub(crate) struct Password(pub(crate) usize);

/// Base64 of so many bytes, from the first to the second; kept as text, never shown.
pub(crate) struct Base64(pub(crate) usize, pub(crate) usize);

/// Path of a file or a folder.
pub(crate) struct File;

/// Address to listen on, with the port that a missing one means.
pub(crate) struct ListenAddress(pub(crate) u16);

/// Address of another process.
pub(crate) struct RemoteAddress;

/// Address or CIDR range.
pub(crate) struct NetworkRange;

/// Origin of a web page (RFC 6454, 6.2).
pub(crate) struct WebOrigin;

pub(crate) const SWITCH: &[(&str, bool)] = &[("true", true), ("false", false)];
pub(crate) const SWITCH_OR_YES: &[(&str, bool)] =
    &[("yes", true), ("no", false), ("true", true), ("false", false)];
pub(crate) const SWITCH_OR_LOG4J: &[(&str, bool)] =
    &[("true", true), ("log4j", true), ("false", false), ("off", false)];
pub(crate) const DELIVERY_MODES: &[(&str, DeliveryMode)] =
    &[("Standard", DeliveryMode::Standard), ("Guaranteed", DeliveryMode::Guaranteed)];
pub(crate) const CLUSTER_ENGINES: &[(&str, ClusterEngine)] =
    &[("built-in", ClusterEngine::BuiltIn), ("kafka", ClusterEngine::Kafka)];
pub(crate) const ENTITLEMENTS: &[(&str, EntitlementMode)] = &[
    ("None", EntitlementMode::None),
    ("Basic", EntitlementMode::Basic),
    ("JWT", EntitlementMode::Jwt),
    ("Custom", EntitlementMode::Custom),
];
pub(crate) const JWT_SIGNATURES: &[(&str, JwtSignature)] =
    &[("hmac", JwtSignature::Hmac), ("rsa", JwtSignature::Rsa), ("ecdsa", JwtSignature::Ecdsa)];
pub(crate) const JWT_ALGORITHMS: &[(&str, JwtAlgorithm)] = &[
    ("HS256", JwtAlgorithm::Hs256),
    ("HS384", JwtAlgorithm::Hs384),
    ("HS512", JwtAlgorithm::Hs512),
    ("RS256", JwtAlgorithm::Rs256),
    ("RS384", JwtAlgorithm::Rs384),
    ("RS512", JwtAlgorithm::Rs512),
    ("ES256", JwtAlgorithm::Es256),
    ("ES384", JwtAlgorithm::Es384),
];
pub(crate) const MONITORS: &[(&str, MonitorInterface)] = &[
    ("HTTP", MonitorInterface::Http),
    ("PROMETHEUS", MonitorInterface::Prometheus),
    ("JMX", MonitorInterface::Jmx),
];
pub(crate) const LOG_LEVELS: &[(&str, LogLevel)] = &[
    ("TRACE", LogLevel::Trace),
    ("DEBUG", LogLevel::Debug),
    ("INFO", LogLevel::Info),
    ("WARN", LogLevel::Warn),
    ("ERROR", LogLevel::Error),
];
pub(crate) const LOG_FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

/// Units of sizes, largest first.
const UNITS: [(&str, usize); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

/// Base64 of RFC 4648, 4, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Digits only: the standard library would take a sign as well.
fn parse_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A size as people write it.
pub(crate) fn show_size(bytes: usize) -> String {
    let exact = UNITS.iter().find(|(_, unit)| bytes != 0 && bytes.is_multiple_of(*unit));
    let (name, unit) = exact.unwrap_or(&("B", 1));
    format!("{} {name}", bytes / unit)
}

impl Kind for Count {
    type Value = usize;
    fn expected(&self) -> String {
        format!("a number from {} to {}", self.0, self.1)
    }
    fn parse(&self, text: &str) -> Option<usize> {
        let number = usize::try_from(parse_number(text)?).ok()?;
        (self.0..=self.1).contains(&number).then_some(number)
    }
}

impl Kind for Size {
    type Value = usize;
    fn expected(&self) -> String {
        format!("a size from {} to {} (bytes, or KB, MB, GB)", show_size(self.0), show_size(self.1))
    }
    fn parse(&self, text: &str) -> Option<usize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit_name) = text.split_at(digits);
        let unit_name = unit_name.trim_start();
        let unit = match UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit_name)) {
            Some((_, unit)) => *unit,
            None if unit_name.is_empty() => 1,
            None => return None,
        };
        let bytes = usize::try_from(parse_number(number)?).ok()?.checked_mul(unit)?;
        (self.0..=self.1).contains(&bytes).then_some(bytes)
    }
}

impl Kind for Seconds {
    type Value = Duration;
    fn expected(&self) -> String {
        format!("seconds, from {} to {}", self.0, self.1)
    }
    fn parse(&self, text: &str) -> Option<Duration> {
        let seconds = parse_number(text)?;
        (self.0..=self.1).contains(&seconds).then(|| Duration::from_secs(seconds))
    }
}

impl Kind for Milliseconds {
    type Value = Duration;
    fn expected(&self) -> String {
        format!("milliseconds, from {} to {}", self.0, self.1)
    }
    fn parse(&self, text: &str) -> Option<Duration> {
        let milliseconds = parse_number(text)?;
        (self.0..=self.1).contains(&milliseconds).then(|| Duration::from_millis(milliseconds))
    }
}

impl<T: Copy> Kind for Choice<T> {
    type Value = T;
    fn expected(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| *word).collect();
        match words.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
    fn parse(&self, text: &str) -> Option<T> {
        self.0.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
    }
}

impl<K: Kind> Kind for Maybe<K> {
    type Value = Option<K::Value>;
    fn expected(&self) -> String {
        match self.0 {
            "" => self.1.expected(),
            word => format!("`{word}`, or {}", self.1.expected()),
        }
    }
    fn parse(&self, text: &str) -> Option<Option<K::Value>> {
        if text.eq_ignore_ascii_case(self.0) {
            return Some(None);
        }
        // Where a word says "none", an empty value is more likely a mistake than a meaning.
        if text.is_empty() { None } else { self.1.parse(text).map(Some) }
    }
    fn is_secret(&self) -> bool {
        self.1.is_secret()
    }
}

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;
    fn expected(&self) -> String {
        format!("a comma list, each {}", self.0.expected())
    }
    fn parse(&self, text: &str) -> Option<Vec<K::Value>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        text.split(',').map(|item| self.0.parse(item.trim())).collect()
    }
}

impl Kind for Text {
    type Value = String;
    fn expected(&self) -> String {
        format!("a text of 1 to {} bytes", self.0)
    }
    fn parse(&self, text: &str) -> Option<String> {
        (1..=self.0).contains(&text.len()).then(|| text.to_owned())
    }
}

impl Kind for Password {
    type Value = Secret<String>;
    fn expected(&self) -> String {
        Text(self.0).expected()
    }
    fn parse(&self, text: &str) -> Option<Secret<String>> {
        Text(self.0).parse(text).map(Secret::new)
    }
    fn is_secret(&self) -> bool {
        true
    }
}

impl Kind for Base64 {
    type Value = Secret<Vec<u8>>;
    fn expected(&self) -> String {
        format!("base64 of {} to {} bytes", self.0, self.1)
    }
    fn parse(&self, text: &str) -> Option<Secret<Vec<u8>>> {
        // Base64 makes 4 characters of 3 bytes: nothing longer is decoded.
        if text.len() > self.1.div_ceil(3) * 4 {
            return None;
        }
        let bytes = BASE64.decode(text).ok()?;
        (self.0..=self.1).contains(&bytes.len()).then(|| Secret::new(bytes))
    }
    fn is_secret(&self) -> bool {
        true
    }
}

impl Kind for File {
    type Value = PathBuf;
    fn expected(&self) -> String {
        "a path".to_owned()
    }
    fn parse(&self, text: &str) -> Option<PathBuf> {
        (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    }
}

impl Kind for ListenAddress {
    type Value = Address;
    fn expected(&self) -> String {
        "`host:port`, `[v6]:port` or `*:port`".to_owned()
    }
    fn parse(&self, text: &str) -> Option<Address> {
        Address::parse(text, Some(self.0))
    }
}

impl Kind for RemoteAddress {
    type Value = Address;
    fn expected(&self) -> String {
        "`host:port` or `[v6]:port`".to_owned()
    }
    fn parse(&self, text: &str) -> Option<Address> {
        Address::parse(text, None).filter(|address| address.port != 0 && address.host != Host::Any)
    }
}

impl Kind for NetworkRange {
    type Value = Network;
    fn expected(&self) -> String {
        "an IP address or a CIDR range".to_owned()
    }
    fn parse(&self, text: &str) -> Option<Network> {
        Network::parse(text)
    }
}

impl Kind for WebOrigin {
    type Value = String;
    fn expected(&self) -> String {
        "`scheme://host` or `scheme://host:port`".to_owned()
    }
    fn parse(&self, text: &str) -> Option<String> {
        let (scheme, host) = text.split_once("://")?;
        let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let in_host = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'[' | b']')
        };
        let well_formed = !scheme.is_empty()
            && !host.is_empty()
            && scheme.bytes().all(in_scheme)
            && host.bytes().all(in_host);
        // Browsers send scheme and host in lower case.
        well_formed.then(|| text.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_a_unit_with_or_without_a_blank_in_any_case() {
        let size = Size(0, 4096 << 30);
        let good =
            [("65536", 65536), ("128MB", 128 << 20), ("512 MB", 512 << 20), ("1 gb", 1 << 30), ("7 B", 7)];
        for (text, bytes) in good {
            assert_eq!(size.parse(text), Some(bytes), "{text}");
        }
        let bad =
            ["", "MB", "-1", "+1", "1.5 GB", "1 TB", "1 M B", "99999999999999999999", "9999999999999999 GB"];
        for text in bad {
            assert_eq!(size.parse(text), None, "{text}");
        }
    }

    #[test]
    fn bounds_are_inclusive() {
        assert_eq!(Count(3, 5).parse("3"), Some(3));
        assert_eq!(Count(3, 5).parse("5"), Some(5));
        assert_eq!(Count(3, 5).parse("2"), None);
        assert_eq!(Seconds(0, 9).parse("10"), None);
        assert_eq!(Size(16 << 20, 1 << 30).parse("15MB"), None);
    }

    #[test]
    fn words_are_taken_in_any_letter_case() {
        assert_eq!(Choice(LOG_LEVELS).parse("info"), Some(LogLevel::Info));
        assert_eq!(Choice(SWITCH).parse("TRUE"), Some(true));
        assert_eq!(Choice(SWITCH).parse("1"), None);
        assert_eq!(Choice(SWITCH).expected(), "true or false");
    }

    #[test]
    fn an_empty_value_is_not_mistaken_for_the_word_that_means_none() {
        assert_eq!(Maybe("never", Seconds(1, 9)).parse("Never"), Some(None));
        assert_eq!(Maybe("never", Seconds(1, 9)).parse(""), None);
        assert_eq!(Maybe("", Text(9)).parse(""), Some(None));
    }

    #[test]
    fn a_list_is_refused_for_one_bad_item() {
        let list = List(ListenAddress(80));
        assert_eq!(list.parse("a, b:1").map(|list| list.len()), Some(2));
        assert_eq!(list.parse(""), Some(Vec::new()));
        assert_eq!(list.parse("a:1,"), None);
        assert_eq!(list.parse("a:1,b:x"), None);
    }

    #[test]
    fn base64_is_taken_with_and_without_padding_within_its_bounds() {
        let kind = Base64(4, 8);
        assert!(kind.parse("AAAAAA==").is_some());
        assert!(kind.parse("AAAAAA").is_some());
        for text in ["AAAA", "AAAAAAAAAAAA", "no base64"] {
            assert!(kind.parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_web_origin_has_no_path() {
        assert_eq!(
            WebOrigin.parse("https://App.example.com:444").as_deref(),
            Some("https://app.example.com:444")
        );
        for text in ["app.example.com", "https://", "https://a/", "https://a/b", "://a", "*"] {
            assert_eq!(WebOrigin.parse(text), None, "{text}");
        }
    }
}
