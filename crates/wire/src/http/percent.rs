//! Percent-encoding (RFC 3986, 2.1) and the form rule that `+` is a space.

use std::borrow::Cow;

use sterna_model::Code;

use super::Violation;

/// Decodes a part of a path.
pub(super) fn decode_path(text: &str) -> Result<Cow<'_, str>, Violation> {
    decode(text, false)
}

/// Decodes a name or a value of a query.
pub(super) fn decode_query(text: &str) -> Result<Cow<'_, str>, Violation> {
    decode(text, true)
}

fn decode(text: &str, plus_is_space: bool) -> Result<Cow<'_, str>, Violation> {
    let is_plain = |byte: u8| byte != b'%' && !(plus_is_space && byte == b'+');
    if text.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let [high, low, tail @ ..] = rest else { return Err(bad_escape()) };
                decoded.push(hex(*high)? << 4 | hex(*low)?);
                rest = tail;
            }
            b'+' if plus_is_space => decoded.push(b' '),
            byte => decoded.push(*byte),
        }
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| Violation::new(Code::InvalidUtf8, "the request target is not UTF-8 once decoded"))
}

fn hex(digit: u8) -> Result<u8, Violation> {
    let value = char::from(digit).to_digit(16).ok_or_else(bad_escape)?;
    Ok(u8::try_from(value).expect("a hexadecimal digit is below 16"))
}

fn bad_escape() -> Violation {
    Violation::protocol("a percent sign in the request target needs two hexadecimal digits")
}

/// Encodes every byte that is not unreserved (RFC 3986, 2.3) or a slash: right in a path and in a query
/// value.
pub(super) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                let digit = |value: u8| char::from(b"0123456789ABCDEF"[usize::from(value)]);
                out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_text_decodes_to_itself() {
        let text = "/a b/ü+%&=?#\0~";
        let mut encoded = String::new();
        encode(text, &mut encoded);
        assert_eq!(encoded, "/a%20b/%C3%BC%2B%25%26%3D%3F%23%00~");
        assert_eq!(decode_path(&encoded).unwrap(), text);
        assert_eq!(decode_query(&encoded).unwrap(), text);
    }

    #[test]
    fn plus_is_a_space_in_queries_only() {
        assert_eq!(decode_query("a+b").unwrap(), "a b");
        assert_eq!(decode_path("a+b").unwrap(), "a+b");
    }

    #[test]
    fn bad_escapes_are_refused() {
        for bad in ["%", "%2", "a%zz", "%+1", "%%41"] {
            assert_eq!(decode_path(bad).unwrap_err().code, Code::ProtocolViolation, "{bad}");
        }
        assert_eq!(decode_path("%FC").unwrap_err().code, Code::InvalidUtf8);
        assert_eq!(decode_path("%C0%AF").unwrap_err().code, Code::InvalidUtf8, "overlong slash");
    }
}
