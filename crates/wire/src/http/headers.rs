//! Header lines as they stood in a head: one allocation, looked through again at each question.

/// The header lines of one message. They were judged by the parser: no folded line, no space before a colon.
#[derive(Clone, PartialEq, Eq)]
pub struct Headers(Box<[u8]>);

impl Headers {
    /// `lines`: whole lines, each with its line end, as a strict parser accepted them.
    pub(super) fn new(lines: &[u8]) -> Self {
        Self(lines.into())
    }

    /// The header lines of a complete head, which begins with an optional empty line and the first line.
    pub(super) fn of_head(head: &[u8]) -> Self {
        let head = head.strip_prefix(b"\r\n").unwrap_or(head);
        let first_line_end = head.windows(2).position(|pair| pair == b"\r\n").map_or(head.len(), |at| at + 2);
        Self::new(&head[first_line_end..])
    }

    /// All lines as name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.split(|&byte| byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).expect("the parser takes only ASCII names");
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    /// Values of every line with that name, in order; letter case of the name does not matter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Value of the first line with that name, if it is UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Whether `token` is an element of the comma lists in the lines with that name, in any letter case.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .any(|element| element.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Bytes of memory held.
    pub(super) fn held_bytes(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines = self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)));
        f.debug_map().entries(lines).finish()
    }
}

/// Writes one header line. A value can never end its line: a control character becomes a space (RFC 9110,
/// 5.5).
pub(super) fn write_line(name: &str, value: &str, out: &mut Vec<u8>) {
    debug_assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name}");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_ignores_case_and_outer_spaces() {
        let headers =
            Headers::of_head(b"GET / HTTP/1.1\r\nHost:  a:1 \r\nX: \r\nVary: a, UPGRADE\r\nvary:b\r\n\r\n");
        assert_eq!(headers.get("hOST"), Some("a:1"));
        assert_eq!(headers.get("x"), Some(""));
        assert_eq!(headers.get("y"), None);
        assert_eq!(headers.iter().count(), 4);
        assert!(headers.has_token("Vary", "upgrade") && headers.has_token("vary", "B"));
        assert!(!headers.has_token("vary", "grade"));
    }

    #[test]
    fn value_cannot_split_a_response() {
        let mut out = Vec::new();
        write_line("Location", "/a\r\nSet-Cookie: x=1\0", &mut out);
        assert_eq!(out, b"Location: /a  Set-Cookie: x=1 \r\n");
    }
}
