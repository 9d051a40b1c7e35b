//! Mutual TLS between members: both ends made of PEM, and what a failure of theirs means.

use std::io;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore, ServerConfig};

use crate::refusal::Refusal;

/// Both ends of TLS between members: each side shows a certificate, and takes those of one authority only.
#[derive(Clone, Debug)]
pub struct LinkTls {
    /// For connections that are accepted.
    pub(crate) server: Arc<ServerConfig>,
    /// For connections that are dialled; the certificate must name the host of the member's entry.
    pub(crate) client: Arc<ClientConfig>,
}

/// The contents of three PEM files.
#[derive(Clone, Copy, Debug)]
pub struct TlsPem<'a> {
    /// The certificate, then its intermediate certificates.
    pub certificate: &'a str,
    /// Its private key.
    pub key: &'a str,
    /// The certificates of the authorities that are trusted.
    pub authority: &'a str,
}

/// One of the files cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The file with the certificate.
    #[error("{0}")]
    Certificate(String),
    /// The file with the key.
    #[error("{0}")]
    Key(String),
    /// The file with the authorities.
    #[error("{0}")]
    Authority(String),
}

impl LinkTls {
    /// Both ends. The own certificate must be one that the others will take: signed by the authority, valid now, and for
    /// `host`, if there is one, which is that of the member's own entry.
    ///
    /// # Errors
    /// A file has not what it should, or the three do not go together.
    pub fn from_pem(pem: &TlsPem<'_>, host: Option<&str>) -> Result<Self, TlsError> {
        let chain = certificates(pem.certificate).map_err(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes())
            .map_err(|error| TlsError::Key(format!("no private key in PEM: {error}")))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (accepting, dialling) = verifiers(pem.authority, &provider).map_err(TlsError::Authority)?;
        check_own(&chain, host, &*accepting, &*dialling).map_err(TlsError::Certificate)?;
        let mismatch = |error: rustls::Error| {
            TlsError::Key(format!("the key is not that of the certificate, or cannot be used: {error}"))
        };

        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has suites of TLS 1.3")
            .with_client_cert_verifier(accepting)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(mismatch)?;
        // Nothing is resumed: each connection shows certificates that are valid at its time.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has suites of TLS 1.3")
            .with_webpki_verifier(dialling)
            .with_client_auth_cert(chain, key)
            .map_err(mismatch)?;
        client.resumption = Resumption::disabled();
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err("no certificate in PEM".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("not valid PEM: {error}")),
    }
}

type Verifiers = (Arc<dyn ClientCertVerifier>, Arc<WebPkiServerVerifier>);

/// What judges those who dial, and those who are dialled.
fn verifiers(authority: &str, provider: &Arc<CryptoProvider>) -> Result<Verifiers, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let roots = Arc::new(roots);
    let accepting = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
    let dialling = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
    Ok((accepting.map_err(|error| error.to_string())?, dialling.map_err(|error| error.to_string())?))
}

/// Judges the own certificate as the other members will.
fn check_own(
    chain: &[CertificateDer<'_>],
    host: Option<&str>,
    accepting: &dyn ClientCertVerifier,
    dialling: &dyn ServerCertVerifier,
) -> Result<(), String> {
    let (own, intermediates) = chain.split_first().expect("certificates gives one or more");
    let refused = |error: rustls::Error| format!("other members would refuse it: {error}");
    accepting.verify_client_cert(own, intermediates, UnixTime::now()).map_err(refused)?;
    if let Some(host) = host {
        let name = ServerName::try_from(host).map_err(|_| format!("{host} can be in no certificate"))?;
        dialling.verify_server_cert(own, intermediates, &name, &[], UnixTime::now()).map_err(refused)?;
    }
    Ok(())
}

/// What a failure of TLS means, and whether it is the other side that refuses.
pub(crate) fn refusal_of(error: &io::Error) -> Option<(Refusal, bool)> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(error) => (refusal_of_certificate(error), false),
        rustls::Error::NoCertificatesPresented => (Refusal::Certificate, false),
        rustls::Error::AlertReceived(alert) => (refusal_of_alert(*alert), true),
        _ => (Refusal::NoTls, false),
    })
}

fn refusal_of_certificate(error: &CertificateError) -> Refusal {
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Refusal::CertificateTime,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Refusal::CertificateName
        }
        _ => Refusal::Certificate,
    }
}

fn refusal_of_alert(alert: AlertDescription) -> Refusal {
    match alert {
        AlertDescription::CertificateExpired => Refusal::CertificateTime,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRequired
        | AlertDescription::UnknownCA
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => Refusal::Certificate,
        _ => Refusal::NoTls,
    }
}
