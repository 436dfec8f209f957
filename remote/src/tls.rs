//! TLS and proxies, for both protocols.

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::{Proxies, Tls};

/// The reason why a client can't be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The extra roots, the certificate or the private key can't be used.
    #[error("the {what} can't be used: {reason}")]
    Certificate {
        /// The name of the file whose bytes are meant.
        what: &'static str,
        /// The reason.
        reason: String,
    },
    /// A proxy can't be used for this protocol.
    #[error("gRPC can't be spoken through the proxy of the scheme `{scheme}`")]
    Proxy {
        /// The scheme of the proxy's URL.
        scheme: String,
    },
    /// The address can't be connected to, or a proxy is no URL.
    #[error("the address or a proxy can't be used: {reason}")]
    Address {
        /// The reason.
        reason: String,
    },
    /// The threads that drive connections can't be started.
    #[error("cannot start the network runtime")]
    Runtime(#[source] std::io::Error),
}

/// Makes the configuration of TLS: the system's roots and those of the settings, and the client's certificate. The
/// system's roots take a moment to read, so they are left out if the server is not `secure`.
pub(crate) fn config(tls: &Tls, secure: bool) -> Result<ClientConfig, SetupError> {
    // This fails if the program has already chosen a provider. Then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    if secure {
        // A broken certificate among those of the system is no reason to refuse all others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    for certificate in tls.roots.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem)) {
        let certificate = certificate.map_err(|error| unusable("extra roots", &error))?;
        roots.add(certificate).map_err(|error| unusable("extra roots", &error))?;
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let Some(client) = &tls.client else { return Ok(builder.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&client.certificate).collect();
    let chain = chain.map_err(|error| unusable("client certificate", &error))?;
    let key = PrivateKeyDer::from_pem_slice(&client.key);
    let key = key.map_err(|error| unusable("key of the client certificate", &error))?;
    let config = builder.with_client_auth_cert(chain, key);
    config.map_err(|error| unusable("client certificate", &error))
}

fn unusable(what: &'static str, error: &dyn std::error::Error) -> SetupError {
    SetupError::Certificate { what, reason: error.to_string() }
}

/// Returns the proxy for a URL, if there is one.
pub(crate) fn proxy(proxies: &Proxies, url: &http::Uri) -> Option<Intercept> {
    let value = |value: &Option<String>| value.clone().unwrap_or_default();
    let matcher = Matcher::builder()
        .http(value(&proxies.http))
        .https(value(&proxies.https))
        .all(value(&proxies.all))
        .no(value(&proxies.no))
        .build();
    matcher.intercept(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_chosen_by_scheme_and_host() {
        let proxies = Proxies {
            http: Some("http://user:pass@plain:1".to_owned()),
            https: Some("http://secure:2".to_owned()),
            all: None,
            no: Some("inner.example, 10.0.0.0/8".to_owned()),
        };
        let check = |url: &str, expect: Option<&str>| {
            let found = proxy(&proxies, &url.parse().unwrap());
            let host = found.as_ref().and_then(|found| found.uri().host());
            assert_eq!(host, expect, "{url}");
        };
        check("http://cache.example:9092", Some("plain"));
        check("https://cache.example:9092", Some("secure"));
        check("http://a.inner.example", None);
        check("http://10.1.2.3", None);
    }

    #[test]
    fn certificates_that_are_none_are_named() {
        let roots = Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_vec());
        let error = config(&Tls { roots, client: None }, false).unwrap_err();
        assert!(error.to_string().starts_with("the extra roots can't be used: "), "{error}");
    }
}
