//! When the certificates in force expire: for a metric, and for a warning in time.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use simple_asn1::{ASN1Block, from_der};
use sterna_config::Config;

use crate::metrics::Gauge;

/// An operator is told of a certificate that expires within this time, seconds.
const WARN_S: u64 = 7 * 86_400;

/// End of validity of the own certificates, Unix time in seconds; 0 where there is none.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    /// That which clients see.
    clients: Gauge,
    /// That which other members see.
    members: Gauge,
}

impl Certificates {
    /// Takes up those of a configuration, which are in force from now on.
    pub(crate) fn take(&self, config: &Config, now_s: u64) {
        let clients = config.tls.as_ref().map(|tls| &*tls.certificate_pem);
        let members = config.cluster_tls.as_ref().map(|tls| &*tls.certificate.pem);
        for (gauge, parameter, pem) in
            [(&self.clients, "TlsCertificate", clients), (&self.members, "ClusterTlsCertificate", members)]
        {
            let expires_s = pem.and_then(expires_s).unwrap_or_default();
            gauge.set(expires_s);
            if (1..now_s + WARN_S).contains(&expires_s) {
                let days = expires_s.saturating_sub(now_s) / 86_400;
                tracing::warn!("{parameter} expires in {days} days; renew it, and send SIGHUP");
            }
        }
    }

    /// By who sees it, without those that are not there.
    pub(crate) fn expiries_s(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [("clients", self.clients.value()), ("members", self.members.value())];
        all.into_iter().filter(|(_, expires_s)| *expires_s > 0)
    }
}

/// End of validity of the first certificate, Unix time in seconds; none if it cannot be read.
fn expires_s(pem: &str) -> Option<u64> {
    let certificate = CertificateDer::pem_slice_iter(pem.as_bytes()).next()?.ok()?;
    // RFC 5280, 4.1: certificate { to be signed { [version], serial, algorithm, issuer, { not before, not after }
    let blocks = from_der(&certificate).ok()?;
    let to_be_signed = items(items(blocks.first()?)?.first()?)?;
    let has_version = matches!(to_be_signed.first()?, ASN1Block::Explicit(..));
    let validity = items(to_be_signed.get(if has_version { 4 } else { 3 })?)?;
    match validity.get(1)? {
        ASN1Block::UTCTime(_, time) | ASN1Block::GeneralizedTime(_, time) => {
            u64::try_from(time.assume_utc().unix_timestamp()).ok()
        }
        _ => None,
    }
}

fn items(block: &ASN1Block) -> Option<&[ASN1Block]> {
    match block {
        ASN1Block::Sequence(_, items) => Some(items),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn pem(year: i32) -> String {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 3, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_a_time() {
        assert_eq!(expires_s(&pem(2027)), Some(1_803_859_200), "two digits for the year");
        assert_eq!(expires_s(&pem(2051)), Some(2_561_241_600), "four");
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        assert_eq!(expires_s(""), None);
        assert_eq!(expires_s("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), None);
    }

    #[test]
    fn there_are_none_without_tls() {
        let certificates = Certificates::default();
        certificates.take(&Config::default(), 0);
        assert_eq!(certificates.expiries_s().count(), 0);
    }
}
