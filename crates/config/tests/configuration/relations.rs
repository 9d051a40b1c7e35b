//! Parameters that must fit each other, and values that follow from several.

use std::io;
use std::path::Path;
use std::time::Duration;

use sterna_config::{Batching, Entitlement, JwtAlgorithm, JwtKey, Sources, load};
use sterna_model::DeliveryMode;

use crate::short::{errors, file, loaded};

/// Base64 of 32 bytes.
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// That the text is refused for one reason, whose advice contains this.
fn refused(text: &str, advice: &str) {
    let errors = errors(text);
    assert!(errors.len() == 1 && errors[0].contains(advice), "{text}: {errors:?}");
}

fn content(path: &Path) -> io::Result<String> {
    Ok(format!("content of {}", path.display()))
}

fn with_files(text: &str) -> Sources {
    Sources { read_file: content, ..file(text) }
}

#[test]
fn tls_needs_both_certificate_and_key() {
    refused(
        "ListenEncrypted = *:8443",
        "ListenEncrypted needs a certificate: give TlsCertificate and TlsKey, PEM files",
    );
    refused("ListenEncrypted = *:8443\nTlsKey = k", "give both TlsCertificate and TlsKey");
    refused("MonitorPrometheus.Encryption = true", "MonitorPrometheus.Encryption needs a certificate");
    let loaded = load(&with_files("ListenEncrypted = *:8443\nTlsCertificate = c\nTlsKey = k")).unwrap();
    let tls = loaded.config.tls.unwrap();
    assert_eq!(
        (tls.certificate_pem.as_str(), tls.key_pem.expose().as_str()),
        ("content of c", "content of k")
    );
    let unreadable = errors("TlsCertificate = c\nTlsKey = k");
    assert!(
        unreadable.len() == 2 && unreadable[1].starts_with("sterna.conf:2: TlsKey: k: "),
        "{unreadable:?}"
    );
}

#[test]
fn tls_between_members_needs_all_three_files() {
    let all = "ClusterTlsCertificate = c\nClusterTlsKey = k\nClusterTlsAuthority = a";
    for some in ["ClusterTlsKey = k", "ClusterTlsCertificate = c\nClusterTlsKey = k"] {
        refused(some, "give all of ClusterTlsCertificate, ClusterTlsKey and ClusterTlsAuthority, or none");
    }
    let tls = load(&with_files(all)).unwrap().config.cluster_tls.unwrap();
    assert_eq!((tls.key.path.as_path(), tls.key.pem.expose().as_str()), (Path::new("k"), "content of k"));
    assert_eq!(tls.authority.pem, "content of a");
    let unreadable = errors(all);
    assert!(
        unreadable.len() == 3 && unreadable[2].starts_with("sterna.conf:3: ClusterTlsAuthority: a: "),
        "{unreadable:?}"
    );
}

#[test]
fn advertised_addresses_are_few_and_have_a_host_and_a_port() {
    let advertised = loaded("AdvertisedAddress = a.example:80, [::1]:8800").config.cluster.advertised;
    assert_eq!(
        advertised.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a.example:80", "[::1]:8800"]
    );
    refused("AdvertisedAddress = a:1,b:1,c:1,d:1,e:1", "AdvertisedAddress takes 4 addresses");
    let long = format!("{}.example:80", "a".repeat(240));
    refused(&format!("AdvertisedAddress = {long},{long}"), "AdvertisedAddress takes 4 addresses");
    for bad in ["a", "*:80", "a:0"] {
        let errors = errors(&format!("AdvertisedAddress = {bad}"));
        assert!(errors.len() == 1 && errors[0].contains("each `host:port` or `[v6]:port`"), "{errors:?}");
    }
}

#[test]
fn two_listeners_cannot_share_an_address() {
    let tls = "TlsCertificate = c\nTlsKey = k\n";
    for text in ["Listen = *:1\nListenEncrypted = 10.0.0.1:1", "Listen = a:1, a:1", "Listen = :9900"] {
        let errors = load(&with_files(&format!("{tls}{text}"))).unwrap_err();
        assert!(errors.len() == 1 && errors[0].to_string().contains("are the same address"), "{errors:?}");
    }
    loaded("Listen = :9900\nMonitor =");
}

#[test]
fn some_client_must_be_able_to_connect() {
    refused("Listen =", "no client could connect");
}

#[test]
fn sizes_must_fit_into_each_other() {
    refused("Memory = 16MB\nMaxMessageSize = 3MB", "MaxMessageSize may be at most an eighth of Memory, 2 MB");
    refused("Memory = 16MB\nOutQueueSize = 3MB", "OutQueueSize may be at most an eighth of Memory, 2 MB");
    refused("OutQueueSize = 65536", "must have room for one message with its frame, 80 KB");
    refused("MaxBatchingSpace = 2 MB", "at most OutQueueSize, 1 MB");
    refused("Memory = 8 MB", "expected a size from 16 MB");
    refused("DrainTime = 10", "expected seconds, from 0 to 9");
    loaded("Memory = 16MB");
    assert_eq!(loaded("MaxMessageSize = 2 MB").config.limits.out_queue_bytes_max, (2 << 20) + 16_384);
}

#[test]
fn an_ill_formed_value_is_not_blamed_a_second_time() {
    refused("MaxMessageSize = huge\nOutQueueSize = 16 KB", "MaxMessageSize = \"huge\"");
    refused("Entitlement = JWT\nJwt.HmacSecret = x", "expected base64");
}

#[test]
fn batching_begins_with_a_space_or_a_time() {
    let batching = |text| loaded(text).config.batching;
    let ms = Duration::from_millis;
    assert_eq!(batching("MaxBatchingSpace = 0"), None);
    assert_eq!(batching("MaxBatchingSpace = 1000"), Some(Batching { space_bytes: 1000, time: ms(10) }));
    assert_eq!(batching("MaxBatchingTime = 50"), Some(Batching { space_bytes: 65_536, time: ms(50) }));
}

#[test]
fn a_lone_server_is_guaranteed_unless_told_otherwise_and_a_cluster_standard() {
    let mode = |text| loaded(text).config.delivery_mode;
    let cluster = "ClusterMembers = a:1, b:1, c:1\nClusterMemberListen = b:1";
    assert_eq!(mode(""), DeliveryMode::Guaranteed);
    assert_eq!(mode("ClusterDeliveryMode = standard"), DeliveryMode::Standard);
    assert_eq!(mode(cluster), DeliveryMode::Standard);
    assert_eq!(mode(&format!("{cluster}\nClusterDeliveryMode = Guaranteed")), DeliveryMode::Guaranteed);
}

#[test]
fn a_member_must_be_in_its_own_list() {
    refused("ClusterMembers = a:1, b:1", "this member's own entry");
    refused("ClusterMembers = a:1, b:1\nClusterMemberListen = c:1", "this member's own entry");
    refused("ClusterMembers = a:1, a:1\nClusterMemberListen = a:1", "a:1 is listed twice");
    refused("ClusterMemberListen = a:65533", "the next three ports");
    refused(
        "ClusterMembers = a:1, b:1\nClusterMemberListen = a:1\nClusterSeedMemberCount = 3",
        "more seeds than ClusterMembers",
    );
}

#[test]
fn entitlement_is_what_its_mode_needs() {
    assert_eq!(loaded("Entitlement = none").config.entitlement, Entitlement::None);
    refused("Entitlement = Custom", "not offered yet; use None, Basic or JWT");
    refused("EntitlementAllowToken =", "expected a text of 1 to 8192 bytes");
    refused("Entitlement = JWT", "needs Jwt.HmacSecret");
    refused("Entitlement = JWT\nsignature.type = rsa", "needs Jwt.PublicKeyPath");
    refused(
        &format!("Entitlement = JWT\nJwt.HmacSecret = {SECRET}\nJwt.Algorithm = ES256"),
        "Jwt.SignatureType must be",
    );
}

#[test]
fn jwt_keys_come_from_parameters_and_their_files() {
    let jwt = |text: &str| match load(&with_files(text)).unwrap().config.entitlement {
        Entitlement::Jwt(jwt) => jwt,
        other => panic!("{other:?}"),
    };
    let hmac =
        jwt(&format!("Entitlement = JWT\nsignature.hmac.secret = {SECRET}\nrenewTokenBeforeSeconds = 5"));
    assert!(matches!(&hmac.key, JwtKey::Hmac(secret) if *secret.expose() == [0; 32]));
    assert_eq!((hmac.renew_before, hmac.algorithm), (Duration::from_secs(5), None));
    let ecdsa =
        jwt("Entitlement = jwt\nJwt.SignatureType = ECDSA\nJwt.PublicKeyPath = p\nJwt.Algorithm = es256");
    assert!(matches!(&ecdsa.key, JwtKey::Ecdsa(pem) if pem.expose() == "content of p"));
    assert_eq!(ecdsa.algorithm.map(JwtAlgorithm::name), Some("ES256"));
}

#[test]
fn monitoring_runs_what_the_list_says() {
    let monitor = |text| loaded(text).config.monitor;
    assert!(monitor("").prometheus.is_some_and(|endpoint| endpoint.credentials.is_none()));
    assert_eq!(monitor("Monitor =").prometheus, None);
    assert_eq!(monitor("Monitor = JMX").prometheus, None);
    let both = monitor("Monitor = http, prometheus\nMonitorUsername = admin\nMonitorPassword = hush");
    assert_eq!(both.http.unwrap().credentials.unwrap().password.expose(), "hush");
    assert!(both.prometheus.unwrap().credentials.is_some(), "credentials that are given are asked for");
    let open = "MonitorPrometheus.Authentication = false\nMonitorUsername = admin\nMonitorPassword = hush";
    assert!(monitor(open).prometheus.unwrap().credentials.is_none());
    refused(
        "Monitor = HTTP",
        "give MonitorUsername and MonitorPassword, or MonitorHTTP.Authentication=false",
    );
    refused("MonitorUsername = admin", "give both MonitorUsername and MonitorPassword");
}

#[test]
fn publishers_come_from_the_listed_addresses() {
    let may = |text, ip: &str| loaded(text).config.may_publish_from(ip.parse().unwrap());
    assert!(may("", "1.2.3.4"));
    assert!(may("PublishAllowFromAddressList = 10.0.0.0/8, 1.2.3.4", "1.2.3.4"));
    assert!(!may("PublishAllowFromAddressList = 10.0.0.0/8", "1.2.3.4"));
    refused("PublishAllowFromAddressList = example.com", "expected `any`, or a comma list");
    refused("PublishAllowFromAddressList =", "expected `any`, or a comma list");
}
