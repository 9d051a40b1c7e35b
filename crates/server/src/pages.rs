//! The built-in pages: welcome page, Debug Console, and what they need. Part of the binary.

use sterna_model::Code;
use sterna_wire::http::Response;

macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../assets/", $name)) as &[u8])),*]
    };
}

/// File name and content of each asset.
const ASSETS: &[(&str, &[u8])] = assets![
    "clipboard.js",
    "connect_view.js",
    "console.css",
    "console.html",
    "console.js",
    "content.js",
    "dom.js",
    "favicon.svg",
    "feed.js",
    "format.js",
    "index.html",
    "inspector_view.js",
    "live_view.js",
    "log_view.js",
    "messages.css",
    "protocol.js",
    "publish_view.js",
    "rate.js",
    "reconnect.js",
    "sterna.css",
    "subscribe_view.js",
    "subscriptions.js",
    "welcome.css",
    "welcome.js",
];

/// The page at a path, or the error that there is none.
pub(crate) fn find(path: &str) -> Response {
    let name = match path {
        "/" | "/index.html" => "index.html",
        "/console.html" => "console.html",
        "/favicon.ico" | "/favicon.svg" => "favicon.svg",
        _ => path.strip_prefix("/assets/").unwrap_or_default(),
    };
    match ASSETS.iter().find(|(known, _)| *known == name) {
        Some((name, bytes)) => Response::page(content_type(name), *bytes).header("Cache-Control", "no-cache"),
        None => Response::error(Code::NotFound, None),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_part_of_the_binary_and_has_a_type() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let known: Vec<&str> = ASSETS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, known);
        assert!(known.iter().all(|name| content_type(name) != "application/octet-stream"));
        assert_eq!(find("/assets/../sterna.css").status(), 404);
        assert_eq!(find("/console.html").status(), 200);
    }
}
