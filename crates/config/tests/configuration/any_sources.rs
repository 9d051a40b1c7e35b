//! What must hold for any sources, used by the tests and by the fuzz target.

use sterna_config::{ConfigError, SourceFile, Sources, load, print};

const PASSWORD: &str = "hush-0f9d3b";

/// Loads the text as every kind of source at once, with a password among them: the answer is a configuration
/// or what is wrong, the same each time, and never shows the password.
pub(crate) fn check_sources(text: &str) {
    let file = || SourceFile { path: "f".to_owned(), text: text.to_owned() };
    let variables = ["STERNA_OPTS", "MIGRATORYDATA_KAFKA_EXTRA_OPTS", "MIGRATORYDATA_MAX_DESCRIPTORS"];
    let password = format!("ClusterPassword={PASSWORD}");
    let sources = Sources {
        file: Some(file()),
        jwt_properties: Some(file()),
        kafka_properties: vec![file()],
        environment: variables.map(|name| (name.to_owned(), text.to_owned())).into(),
        command_line: text.lines().map(str::to_owned).chain([password]).collect(),
        ..Default::default()
    };
    let answer = || match load(&sources) {
        Ok(loaded) => format!("{}{loaded:?}", print(&loaded)),
        Err(errors) => {
            assert!(!errors.is_empty());
            let sentences: Vec<_> = errors.iter().map(ConfigError::to_string).collect();
            format!("{}{errors:?}", sentences.join("\n"))
        }
    };
    let said = answer();
    assert_eq!(said, answer());
    assert!(!said.contains(PASSWORD) || text.contains(PASSWORD), "{said}");
}
