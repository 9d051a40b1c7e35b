//! `sterna cluster`: asks a member how the cluster is.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;
use sterna_link::{ClusterKey, LinkTls, TlsError, TlsPem, admin_request};

use crate::exit::{Exit, tell};
use crate::sources::read_bounded;

pub(crate) const HELP: &str = "\
Examples:
  sterna cluster status --member 127.0.0.1:8801            who leads, who votes, who learns
  STERNA_CLUSTER_PASSWORD=... sterna cluster status --json --member pod-0:8801

The member is named by its ClusterMemberListen; its administration listens three ports above. If the members have TLS, \
give the files of ClusterTlsCertificate, ClusterTlsKey and ClusterTlsAuthority as well, and the name that is in the \
member's certificate.";

/// What to ask.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Print lineage, leader, voters and learners as the member sees them
    Status(StatusOptions),
}

/// Whom to ask, and how.
#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// The member, as in its ClusterMemberListen
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8801")]
    member: String,
    /// ClusterPassword; better given by the environment
    #[arg(long, env = "STERNA_CLUSTER_PASSWORD", hide_env_values = true, default_value = "")]
    password: String,
    /// PEM file with a certificate that ClusterTlsAuthority has signed; for members with TLS
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_authority"])]
    tls_certificate: Option<PathBuf>,
    /// PEM file with its key
    #[arg(long, value_name = "FILE", requires_all = ["tls_certificate", "tls_authority"])]
    tls_key: Option<PathBuf>,
    /// PEM file with the authority of the members' certificates
    #[arg(long, value_name = "FILE", requires_all = ["tls_certificate", "tls_key"])]
    tls_authority: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How long a member may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Obeys.
pub(crate) fn run(command: &ClusterCommand) -> ExitCode {
    let ClusterCommand::Status(options) = command;
    let tls = match tls(options) {
        Ok(tls) => tls,
        Err(error) => {
            tell("cluster", &error);
            return Exit::Usage.into();
        }
    };
    let key = ClusterKey::new(options.password.as_bytes());
    let answer = match admin_request(&options.member, &key, tls.as_ref(), b"status", PATIENCE) {
        Ok(answer) => answer,
        Err(error) => {
            tell("cluster", &error);
            return Exit::Failed.into();
        }
    };
    let Ok(status) = serde_json::from_slice::<Value>(&answer) else {
        tell("cluster", &"the member's answer is not JSON; is it of another version?");
        return Exit::Failed.into();
    };
    let page = if options.json { format!("{status}\n") } else { page(&status) };
    match io::stdout().write_all(page.as_bytes()) {
        Ok(()) => Exit::Done.into(),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done.into(),
        Err(error) => {
            tell("cluster", &error);
            Exit::Failed.into()
        }
    }
}

/// TLS as the options say.
fn tls(options: &StatusOptions) -> Result<Option<LinkTls>, String> {
    let StatusOptions {
        tls_certificate: Some(certificate),
        tls_key: Some(key),
        tls_authority: Some(authority),
        ..
    } = options
    else {
        return Ok(None);
    };
    let read = |path: &Path| read_bounded(path).map_err(|error| format!("{}: {error}", path.display()));
    let (certificate_pem, key_pem, authority_pem) = (read(certificate)?, read(key)?, read(authority)?);
    let pem = TlsPem { certificate: &certificate_pem, key: &key_pem, authority: &authority_pem };
    LinkTls::from_pem(&pem, None).map(Some).map_err(|error| {
        let path = match &error {
            TlsError::Certificate(_) => certificate,
            TlsError::Key(_) => key,
            TlsError::Authority(_) => authority,
        };
        format!("{}: {error}", path.display())
    })
}

/// The status for people.
fn page(status: &Value) -> String {
    let mut page = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(page, "{name:<12} {value}");
    };
    line(
        "member",
        format!("{} (slot {}), version {}", own(status), status["slot"], text(&status["version"])),
    );
    line("mode", text(&status["mode"]));
    line("epoch", status["epoch"].to_string());
    line("subjects", status["subjects"].to_string());
    line("serves", yes_no(&status["serves"]));
    let agreement = &status["agreement"];
    if agreement.is_object() {
        let member = |slot: &Value| member(status, slot);
        line("role", text(&agreement["role"]));
        line(
            "leader",
            if agreement["leader"].is_null() { "none".into() } else { member(&agreement["leader"]) },
        );
        line("term", format!("{} ({} elections seen)", agreement["term"], agreement["elections"]));
        line("log", format!("committed {}, applied {}", agreement["committed"], agreement["applied"]));
        line("settled", yes_no(&agreement["settled"]));
        line("level", format!("{}, this member knows {}", agreement["level"], agreement["level_max"]));
        for (kind, name) in [("voters", "voter"), ("learners", "learner")] {
            for node in agreement[kind].as_array().into_iter().flatten() {
                let knows = match node["present"] == Value::Bool(false) {
                    true => "absent".to_owned(),
                    false => format!("knows level {}", node["level_max"]),
                };
                line(name, format!("{}, node {}, {knows}", member(&node["slot"]), node["node"]));
            }
        }
    }
    page
}

fn own(status: &Value) -> String {
    if status["members"].as_array().is_some_and(Vec::is_empty) {
        return "a single server".to_owned();
    }
    member(status, &status["slot"])
}

fn member(status: &Value, slot: &Value) -> String {
    let name = slot.as_u64().and_then(|slot| status["members"].get(usize::try_from(slot).ok()?));
    name.map_or_else(|| format!("slot {slot}"), text)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn yes_no(value: &Value) -> String {
    if value == &Value::Bool(true) { "yes".to_owned() } else { "no".to_owned() }
}
