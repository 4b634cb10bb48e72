//! TLS under a certificate for whatever name the client asks for, signed by the laboratory's authority.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::Result;
use crate::certificates::{self, Authority};

/// What a server is called that nobody named.
const NAMELESS: &str = "nameless.invalid";

struct Names {
    authority: Authority,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// The server's side of TLS.
///
/// # Errors
/// The folder has no authority.
pub fn acceptor(pki: &Path) -> Result<tokio_rustls::TlsAcceptor> {
    let names = Names {
        authority: certificates::authority(pki)?,
        made: Mutex::default(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(names));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tokio_rustls::TlsAcceptor::from(Arc::new(config)))
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or(NAMELESS).to_owned();
        let mut made = self.made.lock().ok()?;
        if let Some(known) = made.get(&name) {
            return Some(known.clone());
        }
        let certified = Arc::new(self.make(&name).ok()?);
        made.insert(name, certified.clone());
        Some(certified)
    }
}

impl Names {
    fn make(&self, name: &str) -> Result<CertifiedKey> {
        let (certificate, key) = certificates::signed(&self.authority, vec![name.to_owned()])?;
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())?;
        Ok(CertifiedKey::new(
            chain,
            rustls::crypto::ring::sign::any_supported_type(&key)?,
        ))
    }
}
