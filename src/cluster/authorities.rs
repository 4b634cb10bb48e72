//! The certificate authorities by which a cluster is trusted: its own one, and those that the user names for every connection of
//! this program. The authorities of the machine are not among them.

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::proxy;

/// The cluster's own authority (PEM). For a cluster on another machine, those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name are added
/// to it: a company's proxy that inspects HTTPS presents a certificate of the company's authority for a cluster, too. In DER.
///
/// # Errors
/// The cluster's authority is not a certificate, or what the variables name cannot be read.
pub(super) fn of_cluster(
    host: &str,
    authority: &[u8],
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Vec<u8>>, String> {
    let own: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authority).collect();
    let own = own.map_err(|error| format!("its CA certificate is invalid: {error}"))?;
    if own.is_empty() {
        return Err("its CA certificate is invalid: it contains no certificate".to_owned());
    }
    let named = match proxy::is_loopback(host) {
        true => Vec::new(),
        false => named(env)?,
    };
    Ok(own.iter().chain(&named).map(|one| one.to_vec()).collect())
}

/// The authorities that the variables name; none if they are not set.
fn named(env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<CertificateDer<'static>>, String> {
    let path = |variable| {
        env(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let (file, folder) = (path("SSL_CERT_FILE"), path("SSL_CERT_DIR"));
    let read = rustls_native_certs::load_certs_from_paths(file.as_deref(), folder.as_deref());
    match read.errors.first() {
        Some(error) if read.certs.is_empty() => Err(format!(
            "the certificate authorities that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error}"
        )),
        _ => Ok(read.certs),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn authority() -> String {
        let params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    }

    #[test]
    fn a_clusters_authority_and_those_that_the_user_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("company.pem");
        std::fs::write(&file, authority() + &authority()).unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let of = |host: &str, variable: &'static str, value: &str| {
            of_cluster(host, authority().as_bytes(), &|name| {
                (name == variable).then(|| value.to_owned())
            })
            .map(|found| found.len())
        };
        let company = file.to_str().unwrap();
        for (host, variable, value, count) in [
            ("192.0.2.1", "OTHER", company, 1),
            ("192.0.2.1", "SSL_CERT_FILE", "", 1),
            ("192.0.2.1", "SSL_CERT_FILE", company, 3),
            (
                "192.0.2.1",
                "SSL_CERT_DIR",
                folder.path().to_str().unwrap(),
                3,
            ),
            ("192.0.2.1", "SSL_CERT_FILE", empty.to_str().unwrap(), 1),
            // What is on this machine has no proxy before it.
            ("127.0.0.1", "SSL_CERT_FILE", company, 1),
            ("::1", "SSL_CERT_FILE", company, 1),
        ] {
            assert_eq!(
                of(host, variable, value),
                Ok(count),
                "{host} {variable}={value}"
            );
        }
        let error = of("192.0.2.1", "SSL_CERT_FILE", "/nowhere/ca.pem").unwrap_err();
        assert!(error.contains("SSL_CERT_FILE"), "{error}");
    }
}
