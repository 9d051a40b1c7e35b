//! The one place that touches the outside: reading a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Largest file that configuration is read from, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a text file of at most 1 MB.
///
/// # Errors
/// What the system says, or `InvalidData` if the file is larger or not UTF-8.
pub fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 1 MB"));
    }
    Ok(text)
}
