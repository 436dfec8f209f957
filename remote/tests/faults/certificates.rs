//! Certificates, right and wrong.

use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::op::Speaks;

/// The two ways to accept a connection.
pub(crate) struct Acceptors {
    pub(crate) wrong: TlsAcceptor,
    pub(crate) right: TlsAcceptor,
}

/// An issuer of certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(parameters, key) }
    }

    fn acceptor(&self, speaks: Speaks, has_expired: bool) -> TlsAcceptor {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        if has_expired {
            parameters.not_after = date_time_ymd(2001, 1, 1);
        }
        let own = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&own, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(own.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let protocol: &[u8] = if speaks == Speaks::Grpc { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![protocol.to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}

static TRUSTED: LazyLock<Authority> = LazyLock::new(Authority::new);

/// Returns the root that clients trust.
pub(crate) fn root() -> Vec<u8> {
    TRUSTED.pem.clone().into_bytes()
}

/// The wrong certificate has expired.
pub(crate) fn expired(speaks: Speaks) -> Acceptors {
    let wrong = TRUSTED.acceptor(speaks, true);
    Acceptors { wrong, right: TRUSTED.acceptor(speaks, false) }
}

/// The wrong certificate is another issuer's.
pub(crate) fn untrusted(speaks: Speaks) -> Acceptors {
    let wrong = Authority::new().acceptor(speaks, false);
    Acceptors { wrong, right: TRUSTED.acceptor(speaks, false) }
}
