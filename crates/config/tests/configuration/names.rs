//! Every name that users of the product know is accepted.

use sterna_config::{Standing, parameters};

use crate::short::loaded;

/// Names of the product's documentation, each with a value of its documentation.
const DOCUMENTED: &[(&str, &str)] = &[
    ("LicenseKey", "x"),
    ("Memory", "512 MB"),
    ("Listen", "*:8800"),
    ("ListenEncrypted", ""),
    ("KeyStore", "keystore.jks"),
    ("KeyStorePassword", "changeit"),
    ("CipherListEnabled", "A, B"),
    ("CipherListExcluded", "A"),
    ("Native.Ssl", "true"),
    ("DocumentRoot", "html"),
    ("RunAsUser", "migratorydata"),
    ("Workgroups", "4"),
    ("IoThreads", "4"),
    ("MaxMessageSize", "65536"),
    ("MaxBatchingSpace", "0"),
    ("MaxBatchingTime", "0"),
    ("X.ConnectionOffload", "true"),
    ("Rest.Enable", "false"),
    ("MaxCachedMessagesPerSubject", "1000"),
    ("CacheExpireTime", "180"),
    ("SnapshotExpireTime", "3600"),
    ("ClusterMemberListen", "a:8801"),
    ("ClusterMembers", "a:8801,b:8801,c:8801"),
    ("ClusterDeliveryMode", "Standard"),
    ("ClusterSeedMemberCount", "3"),
    ("ClusterPassword", "some-password"),
    ("ClusterMemberCoordinationFolder", "coordination_logs"),
    ("ClusterEngine", "kafka"),
    ("Entitlement", "Basic"),
    ("EntitlementAllowToken", "some-token"),
    ("PublishAllowFromAddressList", "10.0.0.1, 192.168.0.0/16"),
    ("Monitor", "JMX,HTTP,PROMETHEUS"),
    ("MonitorUsername", "admin"),
    ("MonitorPassword", "pass"),
    ("MonitorJMX.Listen", "127.0.0.1:3000"),
    ("MonitorJMX.Encryption", "false"),
    ("MonitorJMX.Authentication", "true"),
    ("MonitorHTTP.Listen", "127.0.0.1:4000"),
    ("MonitorHTTP.Encryption", "false"),
    ("MonitorHTTP.Authentication", "true"),
    ("MonitorPrometheus.Listen", ":9900"),
    ("MonitorPrometheus.Encryption", "false"),
    ("Stats.LogInterval", "60"),
    ("LogFolder", "logs"),
    ("LogLevel", "INFO"),
    ("LogRotateLimit", "10 MB"),
    ("Extension.Audit.Access", "log4j"),
    ("Extension.Audit.Message", "true"),
    ("Extension.Audit.Cache", "false"),
    ("Extension.Audit.Stats", "off"),
    ("Extension.Presence", "false"),
    ("Extension.InteractivePublishing", "true"),
    ("Extension.Entitlement", "true"),
    ("renewTokenBeforeSeconds", "60"),
    ("signature.type", "hmac"),
    ("signature.hmac.secret", "NjQgYnl0ZXMgb2YgYSBzZWNyZXQgZm9yIEhTMjU2IGFuZCBhIGJpdCBtb3Jl"),
    ("signature.rsa.publicKeyPath", "key.pem"),
    ("bootstrap.servers", "localhost:9092"),
    ("group.id", "consumer-id"),
    ("topics", "vehicles"),
    ("topics.regex", "v.*"),
    ("recovery.on.start", "no"),
    ("consumers.size", "1"),
    ("producers.size", "1"),
    ("partitioner.class", "com.example.Partitioner"),
];

/// Names that Sterna adds.
const OWN: &[&str] = &[
    "TlsCertificate",
    "TlsKey",
    "AdvertisedAddress",
    "ClusterTlsCertificate",
    "ClusterTlsKey",
    "ClusterTlsAuthority",
    "MaxDescriptors",
    "DrainTime",
    "MaxConnections",
    "MaxSubscriptionsPerSession",
    "OutQueueSize",
    "MaxBatchingTime",
    "KeepAliveInterval",
    "KeepAliveTimeout",
    "HandshakeTimeout",
    "HttpIdleTimeout",
    "WebSocket.Compression",
    "WebSocket.CompressionThreshold",
    "Cors.AllowedOrigins",
    "EntitlementAllowTokenFile",
    "Jwt.RenewTokenBeforeSeconds",
    "Jwt.SignatureType",
    "Jwt.HmacSecret",
    "Jwt.HmacSecretFile",
    "Jwt.PublicKeyPath",
    "Jwt.Algorithm",
    "MonitorPasswordFile",
    "ClusterPasswordFile",
    "LogFormat",
];

#[test]
fn every_documented_name_is_accepted_with_its_documented_value() {
    let text: String = DOCUMENTED.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    loaded(&text);
}

#[test]
fn every_name_of_our_own_is_declared() {
    for name in OWN {
        assert!(parameters().iter().any(|parameter| parameter.name == *name), "{name}");
    }
}

#[test]
fn a_known_name_without_a_meaning_is_noted_and_one_of_later_too() {
    for parameter in parameters().iter().filter(|parameter| parameter.standing == Standing::Ignored) {
        let notes = loaded(&format!("{} = x", parameter.name)).notes;
        assert!(notes.len() == 1 && notes[0].to_string().contains("(sterna.conf:1): ignored"), "{notes:?}");
    }
    let notes = loaded("Extension.Presence = true").notes;
    assert_eq!(notes[0].to_string(), "Extension.Presence (sterna.conf:1): not used by this version yet");
}
