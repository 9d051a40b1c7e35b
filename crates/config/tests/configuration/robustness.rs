//! Whatever the sources hold, loading answers, and shows no secret.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use sterna_config::{Sources, load, parameters};

use crate::any_sources::check_sources;
use crate::short::loaded;

#[test]
#[expect(clippy::disallowed_methods, reason = "the corpus lies in files")]
fn the_corpus_of_the_fuzzer_is_answered() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/configuration");
    let mut files = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        check_sources(&String::from_utf8_lossy(&bytes));
        files += 1;
    }
    assert!(files > 0);
}

fn name() -> impl Strategy<Value = String> {
    let names: Vec<&str> =
        parameters().iter().flat_map(|p| p.aliases.iter().copied().chain([p.name])).collect();
    prop_oneof![4 => proptest::sample::select(names).prop_map(str::to_owned), 1 => "[A-Za-z.]{1,12}"]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,22}( ?[KMG]?B)?",
        r"[a-z*.:/\[\],0-9 -]{0,30}",
        "true|false|JWT|Custom|HTTP,JMX|Standard|hmac|rsa",
        ".{0,20}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_answered(text in r"(.|\n|\\\n|=|#){0,200}") {
        check_sources(&text);
    }

    #[test]
    fn any_values_of_known_names_are_answered(pairs in proptest::collection::vec((name(), value()), 0..12)) {
        let lines: String = pairs.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        check_sources(&lines);
        let options = pairs.iter().map(|(name, value)| format!("-D{name}={value} \\\n")).collect();
        let environment = BTreeMap::from([("STERNA_OPTS".to_owned(), options)]);
        if let Err(errors) = load(&Sources { environment, ..Default::default() }) {
            prop_assert!(!errors.is_empty());
        }
    }

    #[test]
    fn a_well_formed_value_is_the_same_from_every_source(seconds in 1_u64..=2_592_000) {
        let text = format!("CacheExpireTime={seconds}");
        let from_file = loaded(&text).config;
        let environment = BTreeMap::from([("STERNA_OPTS".to_owned(), format!("-D{text}"))]);
        let from_environment = load(&Sources { environment, ..Default::default() }).unwrap().config;
        let arguments = Sources { command_line: vec![text], ..Default::default() };
        let from_command_line = load(&arguments).unwrap().config;
        prop_assert_eq!(&from_file, &from_environment);
        prop_assert_eq!(&from_file, &from_command_line);
        prop_assert_eq!(from_file.cache.expire_time.as_secs(), seconds);
    }
}
