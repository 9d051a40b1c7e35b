//! From sources to a configuration, or to everything that is wrong with them.

use std::fmt;

use crate::config::Config;
use crate::declarations::Values;
use crate::error::ConfigError;
use crate::parameter::{Parameter, Reload, Standing, parameters};
use crate::resolve::resolve;
use crate::settings::{Findings, Reader, Settings};
use crate::source::{Origin, Sources};
use crate::values::Secret;

/// A configuration that is fit to run.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// What an operator should know, one line each.
    pub notes: Vec<Note>,
    /// The text of every parameter that has a meaning, and where it stood.
    pub provenance: Vec<Effective>,
}

/// Something that is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Name of the parameter, variable or option.
    pub parameter: String,
    /// Where it stood.
    pub origin: Option<Origin>,
    /// What to know.
    pub remark: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} ({origin}): {}", self.parameter, self.remark),
            None => write!(f, "{}: {}", self.parameter, self.remark),
        }
    }
}

/// The text in force of one parameter.
#[derive(Debug)]
pub struct Effective {
    /// The parameter.
    pub parameter: &'static Parameter,
    /// Where the text stood.
    pub origin: Origin,
    text: Secret<String>,
}

impl Effective {
    /// The text, `(set)` for a secret, `-` for none.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self.text.expose().as_str() {
            "" => "-",
            _ if self.parameter.secret => "(set)",
            text => text,
        }
    }
}

impl Loaded {
    /// Parameters whose new text needs a restart, for a configuration loaded again while running.
    #[must_use]
    pub fn restart_needed_for(&self, newer: &Self) -> Vec<&'static str> {
        let pairs = self.provenance.iter().zip(&newer.provenance);
        pairs
            .filter(|(ours, theirs)| ours.parameter.reload == Reload::Restart && ours.text != theirs.text)
            .map(|(ours, _)| ours.parameter.name)
            .collect()
    }
}

/// Reads, checks and brings together the sources. Precedence, weakest first: default, add-on files, file,
/// `MIGRATORYDATA_EXTRA_OPTS`, `STERNA_OPTS`, command line.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<ConfigError>> {
    let mut findings = Findings::default();
    let settings = Settings::collect(sources, &mut findings);
    let values = Values::read(&mut Reader { settings: &settings, findings: &mut findings });
    let config = resolve(values, &settings, sources.read_file, &mut findings);
    match config {
        Some(config) if findings.errors.is_empty() => {
            Ok(Loaded { config, notes: findings.notes, provenance: provenance(&settings) })
        }
        _ => Err(findings.errors),
    }
}

fn provenance(settings: &Settings) -> Vec<Effective> {
    let in_force = parameters().iter().filter(|parameter| parameter.standing != Standing::Ignored);
    in_force
        .map(|parameter| match settings.get(parameter.name) {
            Some(setting) => {
                Effective { parameter, origin: setting.origin.clone(), text: setting.text.clone() }
            }
            None => Effective {
                parameter,
                origin: Origin::Default,
                text: Secret::new(parameter.default.to_owned()),
            },
        })
        .collect()
}
