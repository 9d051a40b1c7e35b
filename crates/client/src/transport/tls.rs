//! TLS of a client: which authorities it trusts.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A configuration that trusts the authorities of the system (or those of the file that `SSL_CERT_FILE` names) and
/// those of `authorities`, a PEM file.
///
/// # Errors
/// The file cannot be used, or nothing is trusted.
pub(crate) fn client_config(authorities: Option<&Path>) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    // A certificate of the system that cannot be read is one that nobody can use.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = authorities {
        let invalid = |error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| invalid(&error))? {
            let certificate = certificate.map_err(|error| invalid(&error))?;
            roots.add(certificate).map_err(|error| invalid(&error))?;
        }
    }
    if roots.is_empty() {
        return Err(io::Error::other("no authority is trusted: install those of the system, or name a file"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
