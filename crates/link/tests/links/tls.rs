//! Mutual TLS below the handshake.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use sterna_link::{AdminError, ClusterKey, LinkSettings, LinkTls, Refusal, TlsError, TlsPem, admin_request};

use crate::support::{Member, PATIENCE, assert_linked, linked, members, settings};

/// An authority that signs certificates of members.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for hosts, and its key, both PEM.
    fn certify(&self, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> [String; 2] {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        [params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem()]
    }

    fn tls(&self, hosts: &[&str]) -> LinkTls {
        let [certificate, key] = self.certify(hosts, |_| {});
        let pem = TlsPem { certificate: &certificate, key: &key, authority: &self.pem };
        LinkTls::from_pem(&pem, None).unwrap()
    }
}

const HOSTS: [&str; 2] = ["127.0.0.1", "127.0.0.2"];

#[test]
fn members_with_certificates_are_linked_and_take_new_ones() {
    let (list, authority) = (members(2), Authority::new());
    let encrypted = |slot| LinkSettings { tls: Some(authority.tls(&HOSTS)), ..settings(slot, &list) };
    let ([low, high], links) = linked([encrypted(0), encrypted(1)]);
    // What one takes up does not end the link; and the next one is made with it.
    let newer = Authority::new();
    low.links.set_tls(newer.tls(&HOSTS));
    let all = [low, high];
    assert_linked(&all, &links);
    let [low, high] = all;
    high.links.stop();
    low.down(1);
    let again = LinkSettings { nonce: 77, tls: Some(newer.tls(&HOSTS)), ..settings(1, &list) };
    let again = Member::start(again);
    let links = [low.up(1).1, again.up(0).1];
    assert_linked(&[low, again], &links);
}

#[test]
fn without_a_certificate_the_password_does_not_help() {
    let (list, authority) = (members(1), Authority::new());
    let encrypted = LinkSettings { tls: Some(authority.tls(&HOSTS)), ..settings(0, &list) };
    let links = sterna_link::start(encrypted, |event| panic!("{event:?}")).unwrap();
    let key = ClusterKey::new(b"secret");
    let plain = admin_request(&list[0], &key, None, b"status", PATIENCE);
    assert!(matches!(plain, Err(AdminError::NoAnswer(_) | AdminError::Refused(_))), "{plain:?}");
    let stranger = admin_request(&list[0], &key, Some(&Authority::new().tls(&HOSTS)), b"status", PATIENCE);
    assert!(matches!(stranger, Err(AdminError::Refused(Refusal::Certificate))), "{stranger:?}");
    links.stop();
}

#[test]
fn a_member_whose_certificate_names_another_host_is_not_believed() {
    let (list, authority) = (members(1), Authority::new());
    let encrypted = LinkSettings { tls: Some(authority.tls(&["other.example"])), ..settings(0, &list) };
    let links = sterna_link::start(encrypted, |event| panic!("{event:?}")).unwrap();
    let tls = authority.tls(&HOSTS);
    let asked = admin_request(&list[0], &ClusterKey::new(b"secret"), Some(&tls), b"status", PATIENCE);
    assert!(matches!(asked, Err(AdminError::Refused(Refusal::CertificateName))), "{asked:?}");
    links.stop();
}

#[test]
fn an_authority_that_the_member_does_not_know_is_told_to_whoever_shows_its_certificate() {
    let (list, authority) = (members(1), Authority::new());
    let encrypted = LinkSettings { tls: Some(authority.tls(&HOSTS)), ..settings(0, &list) };
    let links = sterna_link::start(encrypted, |event| panic!("{event:?}")).unwrap();
    // It trusts the member, but the member does not trust it.
    let [certificate, key] = Authority::new().certify(&HOSTS, |_| {});
    let other = Authority::new();
    let own = other.certify(&HOSTS, |_| {});
    let both = format!("{}{}", authority.pem, other.pem);
    let pem = TlsPem { certificate: &own[0], key: &own[1], authority: &both };
    let tls = LinkTls::from_pem(&pem, Some("127.0.0.1")).unwrap();
    let asked = admin_request(&list[0], &ClusterKey::new(b"secret"), Some(&tls), b"status", PATIENCE);
    assert!(matches!(asked, Err(AdminError::RefusedThere(Refusal::Certificate))), "{asked:?}");
    links.stop();
    // And nobody starts with a certificate that the own authority has not signed.
    let pem = TlsPem { certificate: &certificate, key: &key, authority: &both };
    assert!(matches!(LinkTls::from_pem(&pem, None), Err(TlsError::Certificate(_))));
}

#[test]
fn the_file_that_cannot_be_used_is_told() {
    let authority = Authority::new();
    let [certificate, key] = authority.certify(&["a.example"], |_| {});
    let [expired, its_key] = authority.certify(&["a.example"], |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let good = TlsPem { certificate: &certificate, key: &key, authority: &authority.pem };
    let refused = |pem: TlsPem<'_>, host| LinkTls::from_pem(&pem, host).unwrap_err();
    assert!(LinkTls::from_pem(&good, Some("a.example")).is_ok());
    assert!(
        matches!(refused(good, Some("b.example")), TlsError::Certificate(why) if why.contains("a.example"))
    );
    assert!(matches!(refused(TlsPem { key: &its_key, ..good }, None), TlsError::Key(_)));
    assert!(matches!(refused(TlsPem { key: "none", ..good }, None), TlsError::Key(_)));
    assert!(matches!(refused(TlsPem { authority: &key, ..good }, None), TlsError::Authority(_)));
    assert!(matches!(refused(TlsPem { certificate: "", ..good }, None), TlsError::Certificate(_)));
    let outdated = TlsPem { certificate: &expired, key: &its_key, ..good };
    assert!(matches!(refused(outdated, None), TlsError::Certificate(why) if why.contains("expired")));
}
