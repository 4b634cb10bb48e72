//! A cluster's certificate authority, and the server's certificate that it signs.

use std::fmt;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde::{Deserialize, Serialize};

/// A certificate authority. It is stored with the cluster, so that a client's file stays valid over a restart.
#[derive(Default, Clone, Serialize, Deserialize)]
pub struct Authority {
    certificate: String,
    key: String,
}

/// The key is not printed.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be made.
    #[error("cannot make a certificate for the emulated cluster: {0}")]
    Certificate(#[from] rcgen::Error),
    /// It cannot be served.
    #[error("cannot serve the emulated cluster's certificate: {0}")]
    Rustls(#[from] rustls::Error),
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new() -> Result<Authority, TlsError> {
        let key = KeyPair::generate()?;
        let certificate = parameters()?.self_signed(&key)?;
        Ok(Authority {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// Its certificate, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A server's side of TLS, with a fresh certificate for this machine's loopback.
    ///
    /// # Errors
    /// The stored key is damaged.
    pub fn server(&self) -> Result<ServerConfig, TlsError> {
        let issuer = Issuer::new(parameters()?, KeyPair::from_pem(&self.key)?);
        let names = [
            "localhost",
            "127.0.0.1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        let mut leaf = CertificateParams::new(names.map(str::to_owned))?;
        leaf.distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        leaf.extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &issuer)?;
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The authority's parameters: the same every time, because a certificate names its issuer.
fn parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(Vec::<String>::new())?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
        .distinguished_name
        .push(DnType::CommonName, "emulated-cluster-ca");
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}
