//! Who is believed to be a domain controller: whoever shows a certificate of a trusted authority, or
//! one with a fingerprint the configuration names. There is no way to believe just anybody.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use quell_connector::ConfigError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate.as_ref()).into())
    }

    /// Reads 64 hexadecimal digits, with or without colons.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() || !digits.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16)
                .ok()
                .filter(|_| !pair.starts_with('+'))?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A TLS client that trusts the authorities of `ca_file`, or the system's. With `pinned`, the
/// certificate itself must be one of these; then an authority is only asked if `ca_file` is given too.
pub(super) fn connector(
    ca_file: Option<&Path>,
    pinned: Vec<Fingerprint>,
) -> Result<TlsConnector, ConfigError> {
    let provider = Arc::new(ring::default_provider());
    let authority: Option<Arc<dyn ServerCertVerifier>> = match ca_file {
        Some(path) => Some(of_file(path, &provider)?),
        None if pinned.is_empty() => Some(of_system(&provider)?),
        None => None,
    };
    let verifier = Arc::new(Verifier {
        authority,
        pinned,
        provider: provider.clone(),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::new("servers", format!("TLS cannot be used: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn of_file(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let refuse = |problem: String| ConfigError::new("ca_file", problem);
    let pem = std::fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|_| refuse("is not a file of certificates in PEM form".into()))?;
        roots
            .add(certificate)
            .map_err(|error| refuse(format!("holds a certificate that cannot be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(refuse("holds no certificate in PEM form".into()));
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    Ok(verifier.map_err(|error| refuse(format!("cannot be used: {error}")))?)
}

fn of_system(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ConfigError> {
    let verifier = rustls_platform_verifier::Verifier::new(provider.clone()).map_err(|error| {
        let problem = format!("the system trusts nobody ({error}); name a file of authorities");
        ConfigError::new("ca_file", problem)
    })?;
    Ok(Arc::new(verifier))
}

/// The certificate shown is not one that the configuration names.
#[derive(Debug, thiserror::Error)]
#[error("its certificate has the SHA-256 fingerprint {0}, which `fingerprints` does not name")]
pub(super) struct Unpinned(Fingerprint);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug)]
struct Verifier {
    authority: Option<Arc<dyn ServerCertVerifier>>,
    pinned: Vec<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of(certificate);
        if !self.pinned.is_empty() && !self.pinned.contains(&shown) {
            let other = OtherError(Arc::new(Unpinned(shown)));
            return Err(CertificateError::Other(other).into());
        }
        match &self.authority {
            Some(authority) => authority.verify_server_cert(certificate, chain, name, ocsp, now),
            // INVARIANT: without an authority there is a pin, and it held.
            None if self.pinned.is_empty() => Err(CertificateError::UnknownIssuer.into()),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    // That whoever shows the certificate has its key is checked in every case.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What is wrong with the server's certificate, if that is why a connection failed.
pub(super) fn certificate_problem(error: &std::io::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(problem) =
        error.get_ref()?.downcast_ref::<rustls::Error>()?
    else {
        return None;
    };
    Some(match problem {
        CertificateError::Other(OtherError(other)) if other.is::<Unpinned>() => other.to_string(),
        CertificateError::UnknownIssuer => "its certificate is of no trusted authority; name the authority in `ca_file` or the certificate in `fingerprints`".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "its certificate is for another name; write the server as the certificate has it".to_owned(),
        other => format!("its certificate is not accepted: {other:?}").chars().take(160).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_64_hexadecimal_digits_and_nothing_else() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        let read = Fingerprint::parse(&plain).unwrap();
        assert!(Some(read) == Fingerprint::parse(&colons));
        assert_eq!(read.to_string(), plain);
        for bad in [
            "",
            "ab",
            &"zz".repeat(32),
            &"+a".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(Fingerprint::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_file_without_authorities_is_refused_by_its_key() {
        for path in ["/no/such/file", "/dev/null"] {
            let refused = connector(Some(Path::new(path)), Vec::new());
            assert_eq!(
                refused.err().map(|error| error.key).as_deref(),
                Some("ca_file")
            );
        }
    }
}
