//! What the sources say, brought together: the strongest text of each parameter, with its place.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{ConfigError, shorten};
use crate::kinds::Kind;
use crate::load::Note;
use crate::parameter::{Parameter, Standing, find, nearest, parameters};
use crate::source::{Origin, ReadFile, SourceFile, Sources};
use crate::syntax::{Entries, Entry, is_java_option, read_argument, read_lines, read_options};
use crate::values::Secret;

/// The text that was given for a parameter.
pub(crate) struct Setting {
    pub(crate) text: Secret<String>,
    pub(crate) origin: Origin,
}

impl Setting {
    fn new(text: String, origin: Origin) -> Self {
        Self { text: Secret::new(text), origin }
    }
}

/// Everything that was given.
#[derive(Default)]
pub(crate) struct Settings {
    given: BTreeMap<&'static str, Setting>,
    /// Properties of Kafka's own clients.
    pub(crate) kafka_properties: BTreeMap<String, Secret<String>>,
}

/// What is to be said about a configuration.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) notes: Vec<Note>,
    pub(crate) errors: Vec<ConfigError>,
}

/// Whose names a source may use besides ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Server,
    Kafka,
}

/// Variables that configure the Java machine of the original.
const JAVA_VARIABLES: [&str; 3] =
    ["MIGRATORYDATA_JAVA_EXTRA_OPTS", "MIGRATORYDATA_JAVA_GC_OPTS", "MIGRATORYDATA_JAVA_GC_LOG_OPTS"];

const DESCRIPTORS_VARIABLE: &str = "MIGRATORYDATA_MAX_DESCRIPTORS";

impl Settings {
    /// Reads the sources, weakest first: a later one takes the place of an earlier one.
    pub(crate) fn collect(sources: &Sources, findings: &mut Findings) -> Self {
        let lines = |file: &SourceFile| read_lines(&file.path, &file.text);
        let variable = |name| sources.environment.get(name).map_or("", String::as_str);
        let options = |name| read_options(name, variable(name));

        let mut settings = Self::default();
        for file in &sources.kafka_properties {
            settings.add(lines(file), Scope::Kafka, findings);
        }
        for file in sources.jwt_properties.iter().chain(&sources.file) {
            settings.add(lines(file), Scope::Server, findings);
        }
        let descriptors = variable(DESCRIPTORS_VARIABLE).trim();
        if !descriptors.is_empty() {
            let origin = Origin::Environment(DESCRIPTORS_VARIABLE);
            settings.set("MaxDescriptors", Setting::new(descriptors.to_owned(), origin), findings);
        }
        settings.add(options("MIGRATORYDATA_KAFKA_EXTRA_OPTS"), Scope::Kafka, findings);
        settings.add(options("MIGRATORYDATA_EXTRA_OPTS"), Scope::Server, findings);
        settings.add(options("STERNA_OPTS"), Scope::Server, findings);
        let arguments = sources.command_line.iter().map(|text| read_argument(text)).collect();
        settings.add(arguments, Scope::Server, findings);

        for name in JAVA_VARIABLES.into_iter().filter(|name| !variable(name).trim().is_empty()) {
            findings.note(name, &Origin::Environment(name), "ignored: there is no Java machine here");
        }
        settings.read_secret_files(sources.read_file, findings);
        settings.note_what_comes_later(findings);
        settings
    }

    /// The text that was given for a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&Setting> {
        self.given.get(name)
    }

    /// Where the value of a parameter stood.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.get(name).map_or(Origin::Default, |setting| setting.origin.clone())
    }

    fn add(&mut self, entries: Entries, scope: Scope, findings: &mut Findings) {
        for entry in entries {
            let Entry { name, value, origin } = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    findings.errors.push(error);
                    continue;
                }
            };
            match find(&name) {
                Some(Parameter { standing: Standing::Ignored, help, .. }) => {
                    findings.note(&name, &origin, &format!("ignored: {help}"));
                }
                Some(parameter) => self.set(parameter.name, Setting::new(value, origin), findings),
                None if is_java_option(&name) => {
                    findings.note(&shorten(&name), &origin, "ignored: there is no Java machine here");
                }
                None if scope == Scope::Kafka => {
                    self.kafka_properties.insert(name, Secret::new(value));
                }
                None => {
                    let nearest = nearest(&name);
                    findings.errors.push(ConfigError::Unknown { name: shorten(&name), origin, nearest });
                }
            }
        }
    }

    fn set(&mut self, name: &'static str, setting: Setting, findings: &mut Findings) {
        let origin = setting.origin.clone();
        let weaker = self.given.insert(name, setting);
        if let Some(weaker) = weaker.filter(|weaker| weaker.origin.same_source(&origin)) {
            findings.note(name, &origin, &format!("given twice, also at {}; this one counts", weaker.origin));
        }
    }

    /// Takes the values that stand in files of their own.
    fn read_secret_files(&mut self, read_file: ReadFile, findings: &mut Findings) {
        for parameter in parameters() {
            let Some(secret) = parameter.holds_path_of else { continue };
            let Some(path) = self.get(parameter.name).filter(|path| !path.text.expose().is_empty()) else {
                continue;
            };
            if self.given.contains_key(secret) {
                let about = [secret, parameter.name].map(|name| (name, self.origin(name))).into();
                let advice = format!("give either {secret} or {}, not both", parameter.name);
                findings.errors.push(ConfigError::Relation { advice, about });
                continue;
            }
            let path = path.text.expose().clone();
            let content = match read_file(Path::new(&path)) {
                Ok(text) if text.trim().is_empty() => Err("the file is empty".to_owned()),
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match content {
                Ok(text) => {
                    self.given.insert(secret, Setting::new(text, Origin::SecretFile(path)));
                }
                Err(reason) => {
                    let origin = self.origin(parameter.name);
                    findings.errors.push(ConfigError::File { parameter: secret, path, origin, reason });
                }
            }
        }
    }

    fn note_what_comes_later(&self, findings: &mut Findings) {
        for parameter in parameters().iter().filter(|parameter| parameter.standing == Standing::Later) {
            if let Some(setting) = self.get(parameter.name) {
                findings.note(parameter.name, &setting.origin, "not used by this version yet");
            }
        }
        if !self.kafka_properties.is_empty() {
            let names: Vec<_> = self.kafka_properties.keys().map(|name| shorten(name)).collect();
            findings.notes.push(Note {
                parameter: names.join(", "),
                origin: None,
                remark: "properties of Kafka's clients, not used by this version yet".to_owned(),
            });
        }
    }
}

impl Findings {
    pub(crate) fn note(&mut self, parameter: &str, origin: &Origin, remark: &str) {
        self.notes.push(Note {
            parameter: parameter.to_owned(),
            origin: Some(origin.clone()),
            remark: remark.to_owned(),
        });
    }
}

/// Gives typed values out of the settings.
pub(crate) struct Reader<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) findings: &'a mut Findings,
}

impl Reader<'_> {
    /// The value of a parameter. After an ill-formed one, which is reported, the default stands in.
    pub(crate) fn read<K: Kind>(&mut self, name: &'static str, default: &str, kind: &K) -> K::Value {
        if let Some(Setting { text, origin }) = self.settings.get(name) {
            if let Some(value) = kind.parse(text.expose()) {
                return value;
            }
            let shown =
                if kind.is_secret() { "(set)".to_owned() } else { format!("{:?}", shorten(text.expose())) };
            self.findings.errors.push(ConfigError::Value {
                parameter: name,
                shown,
                origin: origin.clone(),
                expected: kind.expected(),
            });
        }
        kind.parse(default).expect("each declared default is well-formed: a test loads them all")
    }
}
