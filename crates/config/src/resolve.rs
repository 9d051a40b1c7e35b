//! Relations between parameters: what goes together becomes a configuration, the rest is refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sterna_model::DeliveryMode;
use sterna_model::limit::FRAME_OVERHEAD_BYTES_MAX;

use crate::address::Address;
use crate::config::{
    Batching, ClusterTls, Config, Credentials, Endpoint, Entitlement, Jwt, JwtKey, Monitor, PemFile, Tls,
};
use crate::declarations::{
    BatchingValues, Cluster, ClusterTlsValues, EntitlementValues, JwtValues, Limits, MonitorValues,
    TlsValues, Values,
};
use crate::error::ConfigError;
use crate::kinds::show_size;
use crate::settings::{Findings, Settings};
use crate::source::ReadFile;
use crate::values::{EntitlementMode, JwtSignature, MonitorInterface, Secret};

/// What stands in for MaxBatchingSpace when only a time is given.
const BATCHING_SPACE_BYTES: usize = 64 << 10;
/// What stands in for MaxBatchingTime when only a space is given.
const BATCHING_TIME: Duration = Duration::from_millis(10);
/// One message, or the queue of one client, may take this part of Memory.
const MEMORY_PARTS: usize = 8;
/// Addresses of a member for clients, and their bytes with one more for each: they have to fit into a message between
/// members.
pub const ADVERTISED_MAX: usize = 4;
/// See [`ADVERTISED_MAX`].
pub const ADVERTISED_BYTES_MAX: usize = 300;
/// Ports of a member, beginning with the one it is listed with.
const MEMBER_PORTS: u16 = 4;

/// Checks relations and reports those that do not hold.
struct Relations<'a> {
    settings: &'a Settings,
    read_file: ReadFile,
    findings: &'a mut Findings,
}

/// Makes the configuration; `None` only after an error was reported.
pub(crate) fn resolve(
    mut values: Values,
    settings: &Settings,
    read_file: ReadFile,
    findings: &mut Findings,
) -> Option<Config> {
    let mut relations = Relations { settings, read_file, findings };
    relations.check_limits(&mut values.limits);
    relations.check_listeners(&values);
    relations.check_cluster(&values.cluster);
    let batching = relations.batching(&values.batching, &values.limits);
    let tls = relations.tls(&values);
    let cluster_tls = relations.cluster_tls(values.cluster_tls);
    let monitor = relations.monitor(values.monitor);
    let publish_from = values.entitlement.publish_from.clone();
    let entitlement = relations.entitlement(values.entitlement, values.jwt);
    let delivery_mode = values.cluster.delivery_mode_given.unwrap_or(match &values.cluster.members[..] {
        [] => DeliveryMode::Guaranteed,
        _ => DeliveryMode::Standard,
    });
    Some(Config {
        listen: values.listen,
        tls,
        process: values.process,
        limits: values.limits,
        batching,
        connections: values.connections,
        http: values.http,
        cache: values.cache,
        delivery_mode,
        cluster: values.cluster,
        cluster_tls,
        entitlement: entitlement?,
        publish_from,
        monitor,
        log: values.log,
        extensions: values.extensions,
        kafka: values.kafka,
        kafka_properties: settings.kafka_properties.clone(),
    })
}

impl Relations<'_> {
    /// Reports, unless a parameter concerned is ill-formed: its default stood in, so nothing can be said.
    fn refuse(&mut self, about: &[&'static str], advice: impl Into<String>) {
        let ill_formed = self.findings.errors.iter().any(|error| match error {
            ConfigError::Value { parameter, .. } | ConfigError::File { parameter, .. } => {
                about.contains(parameter)
            }
            _ => false,
        });
        if !ill_formed {
            let about = about.iter().map(|name| (*name, self.settings.origin(name))).collect();
            self.findings.errors.push(ConfigError::Relation { advice: advice.into(), about });
        }
    }

    fn require(&mut self, holds: bool, about: &[&'static str], advice: impl Into<String>) {
        if !holds {
            self.refuse(about, advice);
        }
    }

    /// Content of the file that a parameter names.
    fn read(&mut self, parameter: &'static str, path: &Path) -> Option<String> {
        let content = (self.read_file)(path);
        content
            .map_err(|error| {
                self.findings.errors.push(ConfigError::File {
                    parameter,
                    path: path.display().to_string(),
                    origin: self.settings.origin(parameter),
                    reason: error.to_string(),
                });
            })
            .ok()
    }

    fn check_limits(&mut self, limits: &mut Limits) {
        let part = limits.memory_bytes / MEMORY_PARTS;
        self.require(
            limits.message_bytes_max <= part,
            &["MaxMessageSize", "Memory"],
            format!("MaxMessageSize may be at most an eighth of Memory, {}", show_size(part)),
        );
        let one_message = limits.message_bytes_max + FRAME_OVERHEAD_BYTES_MAX;
        if self.settings.get("OutQueueSize").is_none() {
            limits.out_queue_bytes_max = limits.out_queue_bytes_max.max(one_message);
            return;
        }
        self.require(
            limits.out_queue_bytes_max <= part,
            &["OutQueueSize", "Memory"],
            format!("OutQueueSize may be at most an eighth of Memory, {}", show_size(part)),
        );
        self.require(
            limits.out_queue_bytes_max >= one_message,
            &["OutQueueSize", "MaxMessageSize"],
            format!("OutQueueSize must have room for one message with its frame, {}", show_size(one_message)),
        );
    }

    fn check_listeners(&mut self, values: &Values) {
        let mut listeners: Vec<(&'static str, &Address)> = Vec::new();
        listeners.extend(values.listen.plain.iter().map(|address| ("Listen", address)));
        listeners.extend(values.listen.encrypted.iter().map(|address| ("ListenEncrypted", address)));
        self.require(
            !listeners.is_empty(),
            &["Listen", "ListenEncrypted"],
            "no client could connect: give Listen or ListenEncrypted an address",
        );
        let interfaces = &values.monitor.interfaces;
        if interfaces.contains(&MonitorInterface::Http) {
            listeners.push(("MonitorHTTP.Listen", &values.monitor.http_listen));
        }
        if interfaces.contains(&MonitorInterface::Prometheus) {
            listeners.push(("MonitorPrometheus.Listen", &values.monitor.prometheus_listen));
        }
        for (index, (name, address)) in listeners.iter().enumerate() {
            let earlier = listeners[..index].iter().find(|(_, earlier)| earlier.overlaps(address));
            if let Some((earlier_name, earlier)) = earlier {
                let advice = format!("{earlier} and {address} are the same address: change one");
                self.refuse(&[earlier_name, name], advice);
            }
        }
    }

    fn check_cluster(&mut self, cluster: &Cluster) {
        let Cluster { members, member_listen, seed_member_count, advertised, .. } = cluster;
        for (index, member) in members.iter().chain(member_listen).enumerate() {
            let name = if index < members.len() { "ClusterMembers" } else { "ClusterMemberListen" };
            let fits = member.port.checked_add(MEMBER_PORTS - 1).is_some();
            self.require(fits, &[name], format!("{member}: the next three ports are used as well"));
        }
        for (index, member) in members.iter().enumerate() {
            let listed_before = members[..index].contains(member);
            self.require(!listed_before, &["ClusterMembers"], format!("{member} is listed twice"));
        }
        let bytes: usize = advertised.iter().map(|address| address.to_string().len() + 1).sum();
        self.require(
            advertised.len() <= ADVERTISED_MAX && bytes <= ADVERTISED_BYTES_MAX,
            &["AdvertisedAddress"],
            format!(
                "AdvertisedAddress takes {ADVERTISED_MAX} addresses, of {ADVERTISED_BYTES_MAX} bytes in all"
            ),
        );
        if !members.is_empty() {
            self.require(
                member_listen.as_ref().is_some_and(|own| members.contains(own)),
                &["ClusterMembers", "ClusterMemberListen"],
                "ClusterMemberListen must be this member's own entry of ClusterMembers, letter for letter",
            );
            self.require(
                seed_member_count.is_none_or(|seeds| seeds <= members.len()),
                &["ClusterSeedMemberCount", "ClusterMembers"],
                "there cannot be more seeds than ClusterMembers",
            );
        }
    }

    fn batching(&mut self, values: &BatchingValues, limits: &Limits) -> Option<Batching> {
        if values.space_bytes == 0 && values.time.is_zero() {
            return None;
        }
        self.require(
            values.space_bytes <= limits.out_queue_bytes_max,
            &["MaxBatchingSpace", "OutQueueSize"],
            format!(
                "MaxBatchingSpace may be at most OutQueueSize, {}",
                show_size(limits.out_queue_bytes_max)
            ),
        );
        Some(Batching {
            space_bytes: if values.space_bytes == 0 { BATCHING_SPACE_BYTES } else { values.space_bytes },
            time: if values.time.is_zero() { BATCHING_TIME } else { values.time },
        })
    }

    fn tls(&mut self, values: &Values) -> Option<Tls> {
        let monitor = &values.monitor;
        let users = [
            ("ListenEncrypted", !values.listen.encrypted.is_empty()),
            ("MonitorHTTP.Encryption", monitor.http_encryption && monitor.runs(MonitorInterface::Http)),
            (
                "MonitorPrometheus.Encryption",
                monitor.prometheus_encryption && monitor.runs(MonitorInterface::Prometheus),
            ),
        ];
        match &values.tls {
            TlsValues { certificate: Some(certificate), key: Some(key) } => {
                let certificate_pem = self.read("TlsCertificate", certificate);
                let key_pem = self.read("TlsKey", key).map(Secret::new);
                return Some(Tls { certificate_pem: certificate_pem?, key_pem: key_pem? });
            }
            TlsValues { certificate: None, key: None } => {
                if let Some((user, _)) = users.iter().find(|(_, wants_tls)| *wants_tls) {
                    let advice =
                        format!("{user} needs a certificate: give TlsCertificate and TlsKey, PEM files");
                    self.refuse(&[user, "TlsCertificate", "TlsKey"], advice);
                }
            }
            _ => {
                self.refuse(&["TlsCertificate", "TlsKey"], "give both TlsCertificate and TlsKey, or neither");
            }
        }
        None
    }

    fn cluster_tls(&mut self, values: ClusterTlsValues) -> Option<ClusterTls> {
        let ClusterTlsValues { certificate, key, authority } = values;
        let (certificate, key, authority) = match (certificate, key, authority) {
            (Some(certificate), Some(key), Some(authority)) => (certificate, key, authority),
            (None, None, None) => return None,
            _ => {
                self.refuse(
                    &["ClusterTlsCertificate", "ClusterTlsKey", "ClusterTlsAuthority"],
                    "give all of ClusterTlsCertificate, ClusterTlsKey and ClusterTlsAuthority, or none of them",
                );
                return None;
            }
        };
        let certificate = self.pem_file("ClusterTlsCertificate", certificate);
        let key = self.pem_file("ClusterTlsKey", key);
        let authority = self.pem_file("ClusterTlsAuthority", authority)?;
        let PemFile { path, pem } = key?;
        Some(ClusterTls {
            certificate: certificate?,
            key: PemFile { path, pem: Secret::new(pem) },
            authority,
        })
    }

    fn pem_file(&mut self, parameter: &'static str, path: PathBuf) -> Option<PemFile<String>> {
        let pem = self.read(parameter, &path)?;
        Some(PemFile { path, pem })
    }

    fn monitor(&mut self, values: MonitorValues) -> Monitor {
        if values.runs(MonitorInterface::Jmx) {
            self.findings.note("Monitor", &self.settings.origin("Monitor"), "JMX is not offered");
        }
        let runs_http = values.runs(MonitorInterface::Http);
        let runs_prometheus = values.runs(MonitorInterface::Prometheus);
        self.require(
            values.username.is_some() == values.password.is_some(),
            &["MonitorUsername", "MonitorPassword"],
            "give both MonitorUsername and MonitorPassword, or neither",
        );
        let credentials = values
            .username
            .zip(values.password)
            .map(|(username, password)| Credentials { username, password });
        let prometheus_authentication = values.prometheus_authentication.unwrap_or(credentials.is_some());
        for (asks, name) in [
            (runs_http && values.http_authentication, "MonitorHTTP.Authentication"),
            (runs_prometheus && prometheus_authentication, "MonitorPrometheus.Authentication"),
        ] {
            self.require(
                !asks || credentials.is_some(),
                &[name, "MonitorUsername", "MonitorPassword"],
                format!("give MonitorUsername and MonitorPassword, or {name}=false"),
            );
        }
        let endpoint = |listen, encrypted, asks| Endpoint {
            listen,
            encrypted,
            credentials: credentials.clone().filter(|_| asks),
        };
        Monitor {
            http: runs_http
                .then(|| endpoint(values.http_listen, values.http_encryption, values.http_authentication)),
            prometheus: runs_prometheus.then(|| {
                endpoint(values.prometheus_listen, values.prometheus_encryption, prometheus_authentication)
            }),
        }
    }

    fn entitlement(&mut self, values: EntitlementValues, jwt: JwtValues) -> Option<Entitlement> {
        match values.mode {
            EntitlementMode::None => Some(Entitlement::None),
            EntitlementMode::Basic => Some(Entitlement::Basic { token: values.allow_token }),
            EntitlementMode::Jwt => self.jwt(jwt).map(Entitlement::Jwt),
            EntitlementMode::Custom => {
                self.refuse(
                    &["Entitlement"],
                    "Entitlement=Custom is not offered yet; use None, Basic or JWT",
                );
                None
            }
        }
    }

    fn jwt(&mut self, values: JwtValues) -> Option<Jwt> {
        let JwtValues { renew_before, signature, hmac_secret, public_key, algorithm } = values;
        self.require(
            algorithm.is_none_or(|algorithm| algorithm.signature() == signature),
            &["Jwt.Algorithm", "Jwt.SignatureType"],
            "Jwt.SignatureType must be hmac for HS algorithms, rsa for RS, ecdsa for ES",
        );
        let key = match signature {
            JwtSignature::Hmac => {
                self.require(
                    hmac_secret.is_some(),
                    &["Entitlement", "Jwt.SignatureType", "Jwt.HmacSecret"],
                    "Entitlement=JWT with Jwt.SignatureType=hmac needs Jwt.HmacSecret",
                );
                JwtKey::Hmac(hmac_secret?)
            }
            JwtSignature::Rsa => JwtKey::Rsa(self.public_key(public_key.as_deref())?),
            JwtSignature::Ecdsa => JwtKey::Ecdsa(self.public_key(public_key.as_deref())?),
        };
        Some(Jwt { renew_before, key, algorithm })
    }

    fn public_key(&mut self, path: Option<&Path>) -> Option<Secret<String>> {
        self.require(
            path.is_some(),
            &["Entitlement", "Jwt.SignatureType", "Jwt.PublicKeyPath"],
            "Entitlement=JWT with Jwt.SignatureType=rsa or ecdsa needs Jwt.PublicKeyPath",
        );
        self.read("Jwt.PublicKeyPath", path?).map(Secret::new)
    }
}

impl MonitorValues {
    fn runs(&self, interface: MonitorInterface) -> bool {
        self.interfaces.contains(&interface)
    }
}
