//! Keys: one authority for the API server, the pods' servers and the whole world outside.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::Result;
use crate::layout::{API_SERVER, KUBERNETES_SERVICE, Lab, NODES};

/// What the machine itself trusts; pods of a cluster bring such a list in their images.
const MACHINE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An authority that signs.
pub type Authority = Issuer<'static, KeyPair>;

/// Makes the authority, the API server's certificate, and the key of service accounts.
///
/// # Errors
/// A file cannot be written.
pub fn make(lab: &Lab) -> Result<()> {
    let pki = lab.pki();
    fs::create_dir_all(&pki)?;
    let key = KeyPair::generate()?;
    let authority = parameters()?.self_signed(&key)?.pem();
    write(&pki, "ca", &authority, &key)?;
    let issuer = Issuer::new(parameters()?, key);
    let nodes = NODES.iter().map(|node| node.address());
    let own = [
        API_SERVER,
        KUBERNETES_SERVICE,
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default.svc",
    ];
    let names: Vec<String> = own.map(str::to_owned).into_iter().chain(nodes).collect();
    let (server, key) = signed(&issuer, names)?;
    write(&pki, "apiserver", &server, &key)?;
    let (accounts, key) = signed(&issuer, vec!["service-accounts".to_owned()])?;
    write(&pki, "accounts", &accounts, &key)?;
    let machine = fs::read_to_string(MACHINE).unwrap_or_default();
    fs::write(pki.join("bundle.crt"), authority + &machine)?;
    Ok(())
}

/// The authority of a folder of keys.
///
/// # Errors
/// There is none.
pub fn authority(pki: &Path) -> Result<Authority> {
    let key = KeyPair::from_pem(&fs::read_to_string(pki.join("ca.key"))?)?;
    Ok(Issuer::new(parameters()?, key))
}

/// A server's certificate for these names, as PEM, and its key.
///
/// # Errors
/// A name that cannot be in a certificate.
pub fn signed(issuer: &Authority, names: Vec<String>) -> Result<(String, KeyPair)> {
    let common = names.first().cloned().unwrap_or_default();
    let mut leaf = CertificateParams::new(names)?;
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name.push(DnType::CommonName, common);
    leaf.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate()?;
    Ok((leaf.signed_by(&key, issuer)?.pem(), key))
}

fn write(pki: &Path, name: &str, certificate: &str, key: &KeyPair) -> Result<()> {
    fs::write(pki.join(format!("{name}.crt")), certificate)?;
    fs::write(pki.join(format!("{name}.key")), key.serialize_pem())?;
    Ok(())
}

/// The same every time: the authority's name is how its signatures are followed back to it.
fn parameters() -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(Vec::<String>::new())?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "provision-lab");
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(parameters)
}
