//! Short ways to load a configuration in a test.

use sterna_config::{ConfigError, Loaded, SourceFile, Sources, load};

/// Sources with a file of this text.
pub(crate) fn file(text: &str) -> Sources {
    Sources { file: Some(SourceFile { path: "sterna.conf".into(), text: text.into() }), ..Default::default() }
}

/// What such a file loads to.
pub(crate) fn loaded(text: &str) -> Loaded {
    load(&file(text)).expect("well-formed")
}

/// What is wrong with such a file.
pub(crate) fn errors(text: &str) -> Vec<String> {
    load(&file(text)).expect_err("something is wrong").iter().map(ConfigError::to_string).collect()
}
