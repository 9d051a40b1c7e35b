//! Static files of DocumentRoot, for tests and demonstrations.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sterna_wire::http::{Request, Response};

/// Largest file that is served, bytes. Read on the I/O thread: this is no file server.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The file that a request names, if there is one. Never leaves `root`, also not through links.
pub(super) fn read(root: &Path, request: &Request) -> Option<Response> {
    let (path, bytes) = open(root, request.safe_relative_path()?)?;
    Some(Response::new(200, content_type(&path), bytes))
}

fn open(root: &Path, relative: PathBuf) -> Option<(PathBuf, Vec<u8>)> {
    let root = root.canonicalize().ok()?;
    let mut path = root.join(relative).canonicalize().ok()?;
    if path.is_dir() {
        path = path.join("index.html").canonicalize().ok()?;
    }
    if !path.starts_with(&root) {
        return None;
    }
    // Before it is opened: to open a named pipe would wait for its other end.
    let metadata = path.metadata().ok()?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return None;
    }
    let file = File::open(&path).ok()?;
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some((path, bytes))
}

fn content_type(path: &Path) -> &'static str {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "ndjson" => "application/x-ndjson",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" | "md" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        _ => "application/octet-stream",
    }
}
