//! Mutual TLS below the handshake.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sterna_link::{AdminError, ClusterKey, LinkSettings, LinkTls, admin_request};

use crate::support::{PATIENCE, assert_linked, linked, members, settings};

/// Both ends for every member: one certificate, signed by an authority of its own.
fn mutual_tls() -> LinkTls {
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = ["127.0.0.1", "127.0.0.2"].map(str::to_owned).to_vec();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let roots = Arc::new(roots);
    let chain = vec![certificate.der().clone()];
    let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let verifier = WebPkiClientVerifier::builder(roots.clone()).build().unwrap();
    LinkTls {
        server: ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key())
            .unwrap()
            .into(),
        client: ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key())
            .unwrap()
            .into(),
    }
}

#[test]
fn members_with_certificates_are_linked() {
    let (list, tls) = (members(2), mutual_tls());
    let encrypted = |slot| LinkSettings { tls: Some(tls.clone()), ..settings(slot, &list) };
    let (members, links) = linked([encrypted(0), encrypted(1)]);
    assert_linked(&members, &links);
}

#[test]
fn without_a_certificate_the_password_does_not_help() {
    let (list, tls) = (members(1), mutual_tls());
    let encrypted = LinkSettings { tls: Some(tls), ..settings(0, &list) };
    let links = sterna_link::start(encrypted, |event| panic!("{event:?}")).unwrap();
    let key = ClusterKey::new(b"secret");
    let plain = admin_request(&list[0], &key, None, b"status", PATIENCE);
    assert!(matches!(plain, Err(AdminError::NoAnswer(_) | AdminError::Refused(_))), "{plain:?}");
    let stranger = admin_request(&list[0], &key, Some(&mutual_tls().client), b"status", PATIENCE);
    assert!(matches!(stranger, Err(AdminError::Unreachable { .. })), "{stranger:?}");
    links.stop();
}
