//! Registries over TLS: certificates, and redirects that would leave it.

use std::fs;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;

use crate::harness::{component, fetch, registries, settings, shown};
use crate::hostile::manifest;
use crate::server::{Reply, Server};

/// Starts a registry over TLS, whose layers are where the handler says. Returns it with its certificate.
fn registry(blob: impl Fn() -> Reply + Send + Sync + 'static) -> (Server, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
    let server = Server::start_with(Some(Arc::new(config)), move |request| {
        match request.path.contains("/blobs/") {
            true => blob(),
            false => Reply::of(
                "application/vnd.oci.image.manifest.v1+json",
                manifest(&component("good")),
            ),
        }
    });
    (server, cert.pem())
}

#[test]
fn a_registry_is_trusted_by_its_certificate_only() {
    let (server, certificate) =
        registry(|| Reply::of("application/octet-stream", component("good")));
    let address = format!("oci://{}", server.host());
    let error = shown(&fetch(&registries(settings(&address)), "demo:greet", "1.0.0").unwrap_err());
    assert!(error.contains("certificate"), "{error}");
    assert!(server.log().is_empty());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    fs::write(&file, certificate).unwrap();
    let mut trusting = settings(&address);
    trusting.network.certificates = Some(file.clone());
    let fetched = fetch(&registries(trusting), "demo:greet", "1.0.0").unwrap();
    assert_eq!(fetched.bytes, component("good"));
    assert_eq!(fetched.source, address);

    let mut missing = settings(&address);
    missing.network.certificates = Some(folder.path().join("missing.pem"));
    let error = shown(&fetch(&registries(missing), "demo:greet", "1.0.0").unwrap_err());
    assert!(error.starts_with("cannot read the certificates in "), "{error}");
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let storage = Server::start(|_| Reply::of("application/octet-stream", component("good")));
    let to = storage.url("/blob");
    let (server, certificate) = registry(move || Reply::redirect(&to));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    fs::write(&file, certificate).unwrap();
    let mut settings = settings(&format!("oci://{}", server.host()));
    settings.network.certificates = Some(file);
    let error = shown(&fetch(&registries(settings), "demo:greet", "1.0.0").unwrap_err());
    assert!(error.ends_with("which is not followed: it leads from https to http"), "{error}");
    assert!(storage.log().is_empty());
}
