//! Negotiation of permessage-deflate (RFC 7692, 5 and 7.1), always without context takeover in either direction: a
//! zlib context per connection would cost more memory than everything else of it together.

use super::HandshakeError;

const NAME: &str = "permessage-deflate";
/// What we offer as a client, and answer as a server.
pub(super) const OFFER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What a server agreed on with a client.
///
/// `client_max_window_bits` is accepted in offers and needs no answer, because the inflater takes every window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerMessageDeflate {
    /// Largest window the client's inflater has, as a power of two, 8 to 15, if it said so.
    server_max_window_bits: Option<u8>,
}

impl PerMessageDeflate {
    /// Whether a server may send the client a message of that many (uncompressed) bytes in compressed form.
    ///
    /// All clients get the same compressed bytes, made with the largest window. Without context takeover no reference
    /// in them reaches back further than the message is long, so they fit a smaller window too if the message does;
    /// a longer message goes to such a client uncompressed, which the extension leaves to the sender.
    #[must_use]
    pub fn may_compress(self, payload_bytes: usize) -> bool {
        self.server_max_window_bits.is_none_or(|bits| bits == 15 || payload_bytes <= 1 << bits)
    }

    /// Value of the `Sec-WebSocket-Extensions` header of the answer.
    pub(super) fn answer(self) -> String {
        match self.server_max_window_bits {
            Some(bits) => format!("{OFFER}; server_max_window_bits={bits}"),
            None => OFFER.to_owned(),
        }
    }
}

/// Server: the first acceptable offer of permessage-deflate in a `Sec-WebSocket-Extensions` header.
///
/// # Errors
/// The header is not a list of extensions. An offer with bad parameters is no error but declined.
pub(super) fn accept(offers: &[u8]) -> Result<Option<PerMessageDeflate>, HandshakeError> {
    let offers = str::from_utf8(offers).map_err(|_| HandshakeError::ExtensionsMalformed)?;
    let mut accepted = None;
    for extension in extensions(offers) {
        let (name, parameters) = extension?;
        if name == NAME && accepted.is_none() {
            accepted = Parameters::read(&parameters).map(|parameters| PerMessageDeflate {
                server_max_window_bits: parameters.server_max_window_bits,
            });
        }
    }
    Ok(accepted)
}

/// Client: checks the `Sec-WebSocket-Extensions` header of the answer to [`OFFER`].
///
/// # Errors
/// Anything but permessage-deflate as offered.
pub(super) fn verify(answer: &[u8]) -> Result<(), HandshakeError> {
    let answer = str::from_utf8(answer).map_err(|_| HandshakeError::ExtensionsMalformed)?;
    let mut chosen = extensions(answer);
    let (Some(Ok((NAME, parameters))), None) = (chosen.next(), chosen.next()) else {
        return Err(HandshakeError::ExtensionUnexpected);
    };
    match Parameters::read(&parameters) {
        // A server may limit the client's window only if the client offered that.
        Some(answer) if answer.server_no_context_takeover && !answer.client_max_window_bits => Ok(()),
        _ => Err(HandshakeError::ExtensionUnexpected),
    }
}

/// Parameters of permessage-deflate.
#[derive(Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: bool,
}

impl Parameters {
    /// `None` for an unknown or repeated parameter, or a bad value (RFC 7692, 7.1).
    fn read(parameters: &[Parameter<'_>]) -> Option<Self> {
        let mut read = Self::default();
        for (name, value) in parameters {
            let repeated = match (*name, value) {
                ("server_no_context_takeover", None) => set(&mut read.server_no_context_takeover),
                ("client_no_context_takeover", None) => set(&mut read.client_no_context_takeover),
                ("server_max_window_bits", Some(bits)) => {
                    read.server_max_window_bits.replace(window_bits(bits)?).is_some()
                }
                ("client_max_window_bits", bits) => {
                    bits.map_or(Some(15), window_bits)?;
                    set(&mut read.client_max_window_bits)
                }
                _ => return None,
            };
            if repeated {
                return None;
            }
        }
        Some(read)
    }
}

/// Sets a flag and says whether it was set before.
fn set(flag: &mut bool) -> bool {
    std::mem::replace(flag, true)
}

/// 8 to 15, without leading zeroes.
fn window_bits(value: &str) -> Option<u8> {
    (8..=15).find(|bits: &u8| bits.to_string() == value)
}

/// Name, and value if there is one.
type Parameter<'a> = (&'a str, Option<&'a str>);

/// The elements of a `Sec-WebSocket-Extensions` header (RFC 6455, 9.1): names with their parameters.
fn extensions(header: &str) -> impl Iterator<Item = Result<(&str, Vec<Parameter<'_>>), HandshakeError>> {
    split(header, ',').filter(|element| !element.is_empty()).map(|element| {
        let mut parts = split(element, ';');
        let name = parts.next().and_then(token).ok_or(HandshakeError::ExtensionsMalformed)?;
        let parameters: Option<Vec<_>> = parts.map(parameter).collect();
        Ok((name, parameters.ok_or(HandshakeError::ExtensionsMalformed)?))
    })
}

/// Splits outside of quoted strings, and trims.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == separator && !quoted
    })
    .map(str::trim_ascii)
}

fn parameter(text: &str) -> Option<Parameter<'_>> {
    let Some((name, value)) = text.split_once('=') else { return Some((token(text)?, None)) };
    let value = value.trim_ascii();
    // A quoted value must be a token without its quotes, so there is nothing to unescape.
    let unquoted = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    Some((token(name.trim_ascii())?, Some(token(unquoted)?)))
}

/// A token of HTTP (RFC 9110, 5.6.2).
fn token(text: &str) -> Option<&str> {
    let is_token = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_token)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(offers: &str) -> Option<String> {
        accept(offers.as_bytes()).unwrap().map(PerMessageDeflate::answer)
    }

    #[test]
    fn offers_are_accepted_without_context_takeover() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=10",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate",
            " , permessage-deflate ; client_max_window_bits = \"15\" ,",
        ] {
            assert_eq!(accepted(offer).as_deref(), Some(OFFER), "{offer}");
        }
    }

    #[test]
    fn a_limited_window_is_confirmed_and_bounds_what_is_sent_compressed() {
        let offer = "permessage-deflate; server_max_window_bits=9; client_max_window_bits";
        assert_eq!(accepted(offer), Some(format!("{OFFER}; server_max_window_bits=9")));
        let limited = accept(offer.as_bytes()).unwrap().unwrap();
        assert!(limited.may_compress(512) && !limited.may_compress(513));
        for unlimited in ["permessage-deflate", "permessage-deflate; server_max_window_bits=15"] {
            assert!(accept(unlimited.as_bytes()).unwrap().unwrap().may_compress(usize::MAX), "{unlimited}");
        }
    }

    #[test]
    fn bad_offers_are_declined_and_the_next_one_is_taken() {
        for offer in [
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; client_max_window_bits=x",
            "permessage-deflate; client_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; unknown",
        ] {
            assert_eq!(accepted(offer), None, "{offer}");
            assert!(accepted(&format!("{offer}, permessage-deflate")).is_some(), "{offer}");
        }
    }

    #[test]
    fn what_is_no_list_of_extensions_is_an_error() {
        for header in [
            "permessage-deflate;",
            "; a",
            "permessage deflate",
            "permessage-deflate; =1",
            "permessage-deflate; a=",
            "permessage-deflate; a=\"1",
            "permessage-deflate, b@d",
        ] {
            assert_eq!(accept(header.as_bytes()), Err(HandshakeError::ExtensionsMalformed), "{header}");
        }
    }

    #[test]
    fn a_client_takes_only_what_it_offered() {
        assert_eq!(verify(OFFER.as_bytes()), Ok(()));
        assert_eq!(
            verify(b"permessage-deflate; server_no_context_takeover; server_max_window_bits=10"),
            Ok(())
        );
        for answer in [
            "",
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; unknown",
            "permessage-bzip2",
            "permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
        ] {
            assert_eq!(verify(answer.as_bytes()), Err(HandshakeError::ExtensionUnexpected), "{answer}");
        }
    }
}
