//! Turns certificates and keys into what the TLS library wants.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::settings::Tls;

/// A certificate or key that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not PEM, or has nothing of what it should have.
    #[error("the {0} can't be read as PEM")]
    Pem(&'static str, #[source] rustls_pki_types::pem::Error),
    /// A file has no certificate.
    #[error("there is no certificate among the {0}")]
    Empty(&'static str),
    /// The certificate and the key can't be used, or do not belong together.
    #[error("the certificate or its key can't be used")]
    Unusable(#[source] rustls::Error),
    /// The root certificates for clients can't be used.
    #[error("the roots for clients can't be used")]
    Roots(#[source] rustls::server::VerifierBuilderError),
}

/// Makes what accepts encrypted connections, for HTTP/2 and HTTP/1.1.
pub(crate) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&tls.certificates, "certificates")?;
    let key = PrivateKeyDer::from_pem_slice(&tls.key);
    let key = key.map_err(|error| TlsError::Pem("key", error))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let builder = match &tls.client_roots {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let roots = Arc::new(roots(pem)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().map_err(TlsError::Roots)?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "roots for clients")? {
        roots.add(certificate).map_err(TlsError::Unusable)?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| TlsError::Pem(what, error))?;
    if certificates.is_empty() { Err(TlsError::Empty(what)) } else { Ok(certificates) }
}
