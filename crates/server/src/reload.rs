//! From configuration to settings, at start and on SIGHUP.

use std::mem::discriminant;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sterna_auth::{Authority, AuthorityConfig, JwtConfig, KeyConfig, KeyMaterial, Secret};
use sterna_broker::session::{Authority as Judge, Rules};
use sterna_config::{ClusterTls, Config, Entitlement, Host, Jwt, JwtKey, Tls};
use sterna_link::{LinkTls, TlsError, TlsPem};
use sterna_model::{Code, Identity, ServerInfo};
use sterna_wire::http::OriginPolicy;

use crate::settings::{Batching, Settings};

/// Why a configuration cannot be put into force. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Certificate or key.
    #[error("TlsCertificate, TlsKey: {0}")]
    Tls(String),
    /// Certificate, key or authority of the member.
    #[error("{parameter}: {path}: {why}", path = .path.display())]
    ClusterTls {
        /// Name of the parameter.
        parameter: &'static str,
        /// The file that it names.
        path: PathBuf,
        /// What is wrong with the content.
        why: String,
    },
    /// Token or key of the entitlement.
    #[error("Entitlement: {0}")]
    Entitlement(#[from] sterna_auth::KeyError),
}

/// The share of memory for sessions and queues; the rest is the cache's.
const SESSIONS_DIVISOR: usize = 4;

/// In a cluster, the share of memory for the log.
const LOG_DIVISOR: usize = 8;

/// Bytes of the cache: subjects, history, snapshots.
pub(crate) fn cache_bytes_max(config: &Config) -> usize {
    let memory_bytes = config.limits.memory_bytes;
    let log_bytes = if config.cluster.members.len() > 1 { memory_bytes / LOG_DIVISOR } else { 0 };
    memory_bytes - memory_bytes / SESSIONS_DIVISOR - log_bytes
}

/// The running configuration with what SIGHUP takes up from a newer one; the rest waits for a restart.
pub(crate) fn taken_up(running: &Config, newer: &Config) -> Config {
    let mut config = running.clone();
    // Without a certificate the listeners that need one must have gone, and they go at a restart.
    config.tls = newer.tls.clone().or(config.tls);
    if discriminant(&config.entitlement) == discriminant(&newer.entitlement) {
        config.entitlement = newer.entitlement.clone();
    }
    // All members have TLS or none, so that nobody begins or ends it alone.
    if config.cluster_tls.is_some() == newer.cluster_tls.is_some() {
        config.cluster_tls = newer.cluster_tls.clone();
    }
    config.publish_from = newer.publish_from.clone();
    config.log.level = newer.log.level;
    config
}

/// Makes settings of a configuration.
pub(crate) fn settings(config: &Config, shards: u16) -> Result<Arc<Settings>, SettingsError> {
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let authority = Authority::new(&authority_config(&config.entitlement))?;
    let info = ServerInfo {
        software: concat!("sterna/", env!("CARGO_PKG_VERSION")),
        mode: config.delivery_mode,
        message_bytes_max: config.limits.message_bytes_max,
        keep_alive_ms: millis(config.connections.keep_alive_interval),
    };
    let renew_before_ms = authority.renew_before_s() * 1000;
    let rules = Rules {
        authority: Box::new(KeyAuthority::new(authority)),
        info: Arc::new(info),
        subscriptions_max: config.limits.subscriptions_per_session_max,
        renew_before_ms,
    };
    let origins = config.http.allowed_origins.as_ref().map_or(OriginPolicy::Any, |origins| {
        OriginPolicy::Listed(origins.iter().map(|origin| origin.as_str().into()).collect())
    });
    Ok(Arc::new(Settings {
        rules,
        publish_from: config.publish_from.clone(),
        origins,
        tls: config.tls.as_ref().map(server_config).transpose()?,
        rest_enabled: config.http.rest_enabled,
        document_root: config.http.document_root.clone(),
        out_queue_bytes_max: config.limits.out_queue_bytes_max,
        batching: config
            .batching
            .map(|batching| Batching { bytes: batching.space_bytes, time_ms: millis(batching.time) }),
        compression_threshold_bytes: config
            .connections
            .compression
            .then_some(config.connections.compression_threshold_bytes),
        keep_alive_interval_ms: millis(config.connections.keep_alive_interval),
        keep_alive_timeout_ms: millis(config.connections.keep_alive_timeout),
        handshake_timeout_ms: millis(config.connections.handshake_timeout),
        http_idle_timeout_ms: millis(config.connections.http_idle_timeout),
        shard_bytes_max: config.limits.memory_bytes / SESSIONS_DIVISOR / usize::from(shards),
        access_log: config.extensions.audit_access,
    }))
}

/// Certificate and key in the form in which connections use them.
pub(crate) fn server_config(tls: &Tls) -> Result<Arc<rustls::ServerConfig>, SettingsError> {
    let broken = |what: &str, error: &dyn std::fmt::Display| SettingsError::Tls(format!("{what}: {error}"));
    let chain = CertificateDer::pem_slice_iter(tls.certificate_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| broken("the certificate is not valid PEM", &error))?;
    let key = PrivateKeyDer::from_pem_slice(tls.key_pem.expose().as_bytes())
        .map_err(|error| broken("the private key is not valid PEM", &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken("no protocol version", &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| broken("certificate and key do not go together", &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets instead of a session store: nothing is kept per client.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()
        .map_err(|error| broken("cannot make keys for session tickets", &error))?;
    config.send_half_rtt_data = false;
    Ok(Arc::new(config))
}

/// TLS between members in the form in which the links use it; none without it.
pub(crate) fn link_tls(config: &Config) -> Result<Option<LinkTls>, SettingsError> {
    let Some(ClusterTls { certificate, key, authority }) = &config.cluster_tls else { return Ok(None) };
    let pem = TlsPem { certificate: &certificate.pem, key: key.pem.expose(), authority: &authority.pem };
    let own = config.cluster.member_listen.as_ref().map(|own| match &own.host {
        // Without the brackets that an address is written with.
        Host::Ip(ip) => ip.to_string(),
        host => host.to_string(),
    });
    LinkTls::from_pem(&pem, own.as_deref()).map(Some).map_err(|error| {
        let (parameter, path, why) = match error {
            TlsError::Certificate(why) => ("ClusterTlsCertificate", &certificate.path, why),
            TlsError::Key(why) => ("ClusterTlsKey", &key.path, why),
            TlsError::Authority(why) => ("ClusterTlsAuthority", &authority.path, why),
        };
        SettingsError::ClusterTls { parameter, path: path.clone(), why }
    })
}

fn authority_config(entitlement: &Entitlement) -> AuthorityConfig {
    match entitlement {
        Entitlement::None => AuthorityConfig::None,
        Entitlement::Basic { token } => {
            AuthorityConfig::Basic { token: Some(Secret::new(token.expose().as_str())) }
        }
        Entitlement::Jwt(jwt) => AuthorityConfig::Jwt(jwt_config(jwt)),
    }
}

fn jwt_config(jwt: &Jwt) -> JwtConfig {
    let secret = |text: &sterna_config::Secret<String>| Secret::new(text.expose().as_str());
    let (name, material) = match &jwt.key {
        JwtKey::Hmac(bytes) => ("Jwt.HmacSecret", KeyMaterial::Hmac(Secret::new(bytes.expose()))),
        JwtKey::Rsa(text) => ("Jwt.PublicKeyPath", KeyMaterial::Rsa(secret(text))),
        JwtKey::Ecdsa(text) => ("Jwt.PublicKeyPath", KeyMaterial::Ec(secret(text))),
    };
    let algorithm = jwt.algorithm.map(|algorithm| format!("{algorithm:?}").to_uppercase().into());
    JwtConfig {
        keys: vec![KeyConfig { name: name.into(), material, algorithm }],
        leeway_s: 0,
        renew_before_s: jwt.renew_before.as_secs(),
    }
}

/// Judges tokens for the sessions. Identities that all clients share are shared in memory too.
struct KeyAuthority {
    authority: Authority,
    everybody: [Arc<Identity>; 2],
}

impl KeyAuthority {
    fn new(authority: Authority) -> Self {
        let forever = |permissions| Arc::new(Identity { permissions, expires_at_s: None });
        let everybody =
            [sterna_model::Permissions::All, sterna_model::Permissions::SubscribeOnly].map(forever);
        Self { authority, everybody }
    }
}

impl Judge for KeyAuthority {
    fn verify(&self, token: Option<&str>, now_s: u64) -> Result<Arc<Identity>, Code> {
        let identity = self.authority.verify(token, now_s).map_err(|error| error.code())?;
        let shared = self.everybody.iter().find(|known| ***known == identity);
        Ok(shared.cloned().unwrap_or_else(|| Arc::new(identity)))
    }
}

#[cfg(test)]
mod tests {
    use sterna_config::{LogLevel, Reload, Sources, load, parameters};

    use super::*;

    fn config(options: &[&str]) -> Config {
        let command_line = options.iter().map(ToString::to_string).collect();
        load(&Sources { command_line, ..Sources::default() }).unwrap().config
    }

    #[test]
    fn sighup_takes_up_what_is_declared_so_and_nothing_else() {
        let hangup = |parameter: &&sterna_config::Parameter| {
            parameter.reload == Reload::Hangup && parameter.holds_path_of.is_none()
        };
        let mut names: Vec<_> = parameters().iter().filter(hangup).map(|parameter| parameter.name).collect();
        names.sort_unstable();
        let taken_up_below = [
            "ClusterTlsAuthority",
            "ClusterTlsCertificate",
            "ClusterTlsKey",
            "EntitlementAllowToken",
            "Jwt.Algorithm",
            "Jwt.HmacSecret",
            "Jwt.PublicKeyPath",
            "Jwt.RenewTokenBeforeSeconds",
            "Jwt.SignatureType",
            "LogLevel",
            "PublishAllowFromAddressList",
            "TlsCertificate",
            "TlsKey",
        ];
        assert_eq!(names, taken_up_below, "taken_up must know a parameter that SIGHUP takes up");

        let running = config(&["EntitlementAllowToken=old"]);
        let newer = config(&[
            "EntitlementAllowToken=new",
            "LogLevel=DEBUG",
            "PublishAllowFromAddressList=10.0.0.0/8",
            "KeepAliveInterval=7",
            "Memory=64MB",
        ]);
        let expected = config(&[
            "EntitlementAllowToken=new",
            "LogLevel=DEBUG",
            "PublishAllowFromAddressList=10.0.0.0/8",
        ]);
        assert_eq!(taken_up(&running, &newer), expected);
        assert_eq!(expected.log.level, LogLevel::Debug);
    }

    #[test]
    fn another_entitlement_waits_for_a_restart() {
        let running = config(&[]);
        let newer = config(&["Entitlement=None"]);
        assert_eq!(taken_up(&running, &newer), running);
    }
}
