//! Where the server's configuration comes from: command line, environment, files of the working directory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sterna_config::{ConfigError, Loaded, Note, Origin, SourceFile, Sources};

/// Files that are read without being asked for; the first that is there.
const FILES: [&str; 2] = ["sterna.conf", "migratorydata.conf"];
const JWT_PROPERTIES: &str = "addons/authorization-jwt/configuration.properties";
const KAFKA_FOLDER: &str = "addons/kafka";
/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Parameters of the server.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ParameterOptions {
    /// A parameter of the configuration; may be repeated
    #[arg(short = 'D', value_name = "NAME=VALUE", allow_hyphen_values = true)]
    parameters: Vec<String>,
    /// Configuration file; without it ./sterna.conf or ./migratorydata.conf, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Reads and checks the configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load(options: &ParameterOptions) -> Result<Loaded, Vec<ConfigError>> {
    let (sources, note) = read(options).map_err(|error| vec![error])?;
    let mut loaded = sterna_config::load(&sources)?;
    loaded.notes.splice(0..0, note);
    Ok(loaded)
}

/// Collects the sources; a note says which file was found without being asked for.
fn read(options: &ParameterOptions) -> Result<(Sources, Option<Note>), ConfigError> {
    let found = FILES.into_iter().find(|name| Path::new(name).is_file());
    let (path, origin, note) = match (&options.config, found) {
        (Some(path), _) => (Some(path.as_path()), Origin::CommandLine, None),
        (None, Some(name)) => (Some(Path::new(name)), Origin::Default, Some(found_note(name))),
        (None, None) => (None, Origin::Default, None),
    };
    let file = path.map(|path| read_source("--config", path, origin)).transpose()?;
    let jwt = Path::new(JWT_PROPERTIES);
    let jwt_properties =
        jwt.is_file().then(|| read_source("the JWT add-on", jwt, Origin::Default)).transpose()?;
    let kafka_properties = properties_of(Path::new(KAFKA_FOLDER))
        .iter()
        .map(|path| read_source("the Kafka add-on", path, Origin::Default))
        .collect::<Result<_, _>>()?;
    // A variable that is no UTF-8 cannot be one of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let sources = Sources {
        file,
        jwt_properties,
        kafka_properties,
        environment: environment.collect(),
        command_line: options.parameters.clone(),
        read_file: read_bounded,
    };
    Ok((sources, note))
}

fn found_note(name: &str) -> Note {
    Note {
        parameter: "configuration file".to_owned(),
        origin: None,
        remark: format!("{name}, found in the working directory"),
    }
}

/// Files with properties, in the order of their names. A folder that is not there has none.
fn properties_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "properties"));
    paths.sort();
    paths
}

fn read_source(what: &'static str, path: &Path, origin: Origin) -> Result<SourceFile, ConfigError> {
    let shown = path.display().to_string();
    match read_bounded(path) {
        Ok(text) => Ok(SourceFile { path: shown, text }),
        Err(error) => {
            Err(ConfigError::File { parameter: what, path: shown, origin, reason: error.to_string() })
        }
    }
}

/// Reads a text file of at most 1 MB.
pub(crate) fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MB"));
    }
    Ok(text)
}
