//! Writes JSON objects straight into a byte buffer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One JSON object being written, its fields in the order of the calls. A value that is `None` is left out.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    /// What stands before the next field.
    separator: u8,
}

impl<'a> Object<'a> {
    /// Begins an object, which has to get at least one field, at the end of `out`.
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        Self { out, separator: b'{' }
    }

    /// Writes a text field.
    pub(crate) fn text<'t>(mut self, name: &'static str, text: impl Into<Option<&'t str>>) -> Self {
        if let Some(text) = text.into() {
            push_text(self.name(name), text);
        }
        self
    }

    /// Writes a number field.
    pub(crate) fn number(mut self, name: &'static str, number: impl Into<Option<u64>>) -> Self {
        if let Some(number) = number.into() {
            push_number(self.name(name), number);
        }
        self
    }

    /// Writes a field that is `true` or `false`.
    pub(crate) fn flag(mut self, name: &'static str, flag: impl Into<Option<bool>>) -> Self {
        if let Some(flag) = flag.into() {
            let text: &[u8] = if flag { b"true" } else { b"false" };
            self.name(name).extend_from_slice(text);
        }
        self
    }

    /// Writes `content` as text if it is UTF-8, else as base64 with the field `encoding` behind it.
    pub(crate) fn content(mut self, content: &[u8]) -> Self {
        let out = self.name("content");
        if let Ok(text) = simdutf8::basic::from_utf8(content) {
            push_text(out, text);
            return self;
        }
        out.push(b'"');
        let begin = out.len();
        out.resize(begin + content.len().div_ceil(3) * 4, 0);
        STANDARD.encode_slice(content, &mut out[begin..]).expect("base64 takes four bytes for three");
        out.push(b'"');
        self.text("encoding", "base64")
    }

    /// Writes a list, each item by `push`.
    pub(crate) fn list<T>(
        mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        push: impl Fn(&mut Vec<u8>, T),
    ) -> Self {
        let out = self.name(name);
        let mut separator = b'[';
        for item in items {
            out.push(separator);
            push(out, item);
            separator = b',';
        }
        if separator == b'[' {
            out.push(b'[');
        }
        out.push(b']');
        self
    }

    /// Writes an object as a field; `fill` writes its fields and ends it.
    pub(crate) fn object(mut self, name: &'static str, fill: impl FnOnce(Object<'_>)) -> Self {
        fill(Object::begin(self.name(name)));
        self
    }

    /// Closes the object.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// Field names are ours and need no escapes.
    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.out.push(self.separator);
        self.separator = b',';
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let (chunks, rest) = text.as_bytes().as_chunks::<32>();
    for chunk in chunks {
        push_escaped(out, chunk);
    }
    push_escaped(out, rest);
    out.push(b'"');
}

/// Appends `bytes`, in one piece if nothing in them needs an escape (a loop that compiles to vector code).
#[inline]
fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().fold(false, |found, byte| found | needs_escape(*byte)) {
        bytes.iter().for_each(|byte| push_byte(out, *byte));
    } else {
        out.extend_from_slice(bytes);
    }
}

/// The bytes that a JSON string may not hold as they are (RFC 8259, section 7).
fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        _ if !needs_escape(byte) => return out.push(byte),
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        b'"' | b'\\' => byte,
        _ => {
            let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Appends `number` in decimal digits.
fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20]; // u64::MAX has 20
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}
