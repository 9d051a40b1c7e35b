//! A certificate that lives as long as one server under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Failure, Result, system};
use crate::folder::TemporaryFolder;

/// Certificate and key as PEM files in a folder of their own, which is removed in the end.
#[derive(Debug)]
pub(crate) struct Certificate {
    folder: TemporaryFolder,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Signs a new key by itself, for `localhost`.
    pub(crate) fn generate() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .map_err(|error| Failure::broken(format!("no certificate: {error}")))?;
        let certificate = Self { folder: TemporaryFolder::create()?, der: made.cert.der().clone() };
        let write = || {
            fs::write(certificate.key_path(), made.signing_key.serialize_pem())?;
            fs::write(certificate.certificate_path(), made.cert.pem())
        };
        write().map_err(system(format!("write to {}", certificate.folder().display())))?;
        Ok(certificate)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn certificate_path(&self) -> PathBuf {
        self.folder().join("certificate.pem")
    }

    pub(crate) fn key_path(&self) -> PathBuf {
        self.folder().join("key.pem")
    }

    /// For clients that trust this certificate alone, and make a full handshake each time.
    pub(crate) fn client_config(&self) -> Result<ClientConfig> {
        let refused = |error: rustls::Error| Failure::broken(format!("TLS: {error}"));
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).map_err(refused)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn the_files_are_what_a_server_reads_and_go_in_the_end() {
        let certificate = Certificate::generate().unwrap();
        assert!(PrivateKeyDer::from_pem_file(certificate.key_path()).is_ok());
        let read = CertificateDer::from_pem_file(certificate.certificate_path()).unwrap();
        assert_eq!(read, certificate.der);
        assert!(certificate.client_config().is_ok());
        let folder = certificate.folder().to_owned();
        drop(certificate);
        assert!(!folder.exists());
    }
}
